import { createGnutlsEngineFactory } from '../../src/security/gnutls-engine.driver.ts'
import { describeTlsEngineContract } from './tls-engine.contract.ts'

describeTlsEngineContract('gnutls to gnutls', { client: createGnutlsEngineFactory, server: createGnutlsEngineFactory })
