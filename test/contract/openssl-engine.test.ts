import { createOpensslEngineFactory } from '../../src/security/openssl-engine.driver.ts'
import { describeTlsEngineContract } from './tls-engine.contract.ts'

describeTlsEngineContract('openssl to openssl', { client: createOpensslEngineFactory, server: createOpensslEngineFactory })
