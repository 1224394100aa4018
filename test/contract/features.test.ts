import { createGnutlsEngineFactory } from '../../src/security/gnutls-engine.driver.ts'
import { createOpensslEngineFactory } from '../../src/security/openssl-engine.driver.ts'
import { describeTlsFeatures } from './tls-features.contract.ts'
import { describeTlsPriorities } from './tls-priorities.contract.ts'

const ENGINES = { openssl: createOpensslEngineFactory, gnutls: createGnutlsEngineFactory }
const NAMES = ['openssl', 'gnutls'] as const

for (const client of NAMES) {
  for (const server of NAMES) {
    const make = { client: ENGINES[client], server: ENGINES[server] }
    describeTlsFeatures(`features of ${client} to ${server}`, make)
    describeTlsPriorities(`priorities of ${client} to ${server}`, make)
  }
}
