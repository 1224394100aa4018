import { createGnutlsEngineFactory } from '../../src/security/gnutls-engine.driver.ts'
import { createOpensslEngineFactory } from '../../src/security/openssl-engine.driver.ts'
import { describeTlsEngineContract } from './tls-engine.contract.ts'

describeTlsEngineContract('openssl to gnutls', { client: createOpensslEngineFactory, server: createGnutlsEngineFactory })

describeTlsEngineContract('gnutls to openssl', { client: createGnutlsEngineFactory, server: createOpensslEngineFactory })
