import { parseX509Credentials } from '../../src/security/credentials/x509-credentials.ts'
import { createOpensslEngineFactory } from '../../src/security/openssl-engine.driver.ts'
import { createDevelopmentCa, issueCertificate } from '../../src/security/pki/pki.driver.ts'
import type { TlsEngineFactory } from '../../src/security/tls-engine.ts'
import type { Clock } from '../../src/shared/clock.ts'
import { SzmqError } from '../../src/shared/errors.ts'
import { systemClock } from '../../src/shared/system-clock.driver.ts'
import { insecureCleartextEngine } from '../../src/testing/cleartext-engine.ts'
import { FakeClock } from '../../src/testing/fake-clock.ts'

/** What a session test needs of an engine: two sides that trust each other, and strangers that they don't. */
export interface EngineSetup {
  readonly clock: Clock
  /** undefined: time is real. */
  readonly fakeClock: FakeClock | undefined
  readonly client: TlsEngineFactory
  readonly server: TlsEngineFactory
  /** A client that the server refuses after keys exist. */
  readonly refusedClient: TlsEngineFactory
  /** A client that refuses the server. */
  readonly choosyClient: TlsEngineFactory
}

/** Answers within the call, or in later turns of a fake clock. */
export function cleartextSetup(timing: 'at once' | 'later'): EngineSetup {
  const fakeClock = new FakeClock()
  const common = timing === 'later' ? { laterBy: fakeClock } : {}
  const refuseStranger = (name: string) =>
    name === 'stranger' ? new SzmqError('ERR_SZMQ_UNKNOWN_CA', 'nobody we trust vouches for this name') : undefined
  const refuseServer = () => new SzmqError('ERR_SZMQ_WRONG_NAME', 'another server was expected')
  return {
    clock: fakeClock,
    fakeClock,
    client: insecureCleartextEngine({ role: 'client', name: 'client', ...common }),
    server: insecureCleartextEngine({ role: 'server', name: 'server', refusePeer: refuseStranger, canAlert: false, ...common }),
    refusedClient: insecureCleartextEngine({ role: 'client', name: 'stranger', ...common }),
    choosyClient: insecureCleartextEngine({ role: 'client', name: 'client', refusePeer: refuseServer, ...common }),
  }
}

/** Real TLS with two CAs that don't know each other. */
export async function opensslSetup(): Promise<EngineSetup> {
  const [ca, otherCa] = await Promise.all([createDevelopmentCa({ name: 'ca' }), createDevelopmentCa({ name: 'other ca' })])
  const [server, client, stranger] = await Promise.all([
    issueCertificate(ca, { name: 'server' }),
    issueCertificate(ca, { name: 'client' }),
    issueCertificate(otherCa, { name: 'stranger' }),
  ])
  const credentialsOf = (own: typeof server) =>
    parseX509Credentials(
      { ca: ca.certificatePem, certificate: own.certificatePem, privateKey: own.privateKeyPem },
      { now: new Date() },
    )
  return {
    clock: systemClock,
    fakeClock: undefined,
    client: createOpensslEngineFactory({ role: 'client', credentials: credentialsOf(client), serverName: 'server' }),
    server: createOpensslEngineFactory({ role: 'server', credentials: credentialsOf(server) }),
    refusedClient: createOpensslEngineFactory({ role: 'client', credentials: credentialsOf(stranger), serverName: 'server' }),
    choosyClient: createOpensslEngineFactory({
      role: 'client',
      credentials: credentialsOf(client),
      serverName: 'somebody-else',
    }),
  }
}
