import type { CredentialSource } from './credential-source.ts'
import type { TlsEngine, TlsEngineFactory, TlsListener } from '../tls-engine.ts'
import type { X509Credentials } from './x509-credentials.ts'

/**
 * A factory of engines that each get the newest credentials: what is built with it once (a server, a client) follows every rotation, in new
 * sessions and in re-handshakes of old ones. Engines that exist keep what they were made with.
 *
 * @param build Called at once, and then for the first engine after each rotation. If it refuses new credentials they are withdrawn from
 * the source, which tells of it, and engines are made with the last ones that it took.
 * @throws what `build` throws for the credentials of now
 */
export function createEngineFactorySource(
  source: CredentialSource,
  build: (credentials: X509Credentials) => TlsEngineFactory,
): TlsEngineFactory {
  let credentials = source.current
  let factory = build(credentials)

  const follow = (): void => {
    const newest = source.current
    if (newest === credentials) return
    try {
      factory = build(newest)
      credentials = newest
    } catch (error) {
      source.withdraw(newest, error, credentials)
    }
  }
  return (listener: TlsListener): TlsEngine => {
    follow()
    return factory(listener)
  }
}
