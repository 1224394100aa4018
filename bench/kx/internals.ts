import type * as SessionModule from '../../dist/security/session.js'
import type * as OpensslEngineModule from '../../dist/security/openssl-engine.driver.js'
import type * as GnutlsEngineModule from '../../dist/security/gnutls-engine.driver.js'
import type * as X509CredentialsModule from '../../dist/security/credentials/x509-credentials.js'
import type * as PkiModule from '../../dist/security/pki/pki.driver.js'
import type * as PkiX509Module from '../../dist/security/pki/x509.driver.js'
import type * as GuardedSessionStoreModule from '../../dist/security/resumption/guarded-session-store.js'
import type * as MemorySessionStoreModule from '../../dist/security/resumption/memory-session-store.js'
import type * as ErrorsModule from '../../dist/shared/errors.js'
import type * as SystemClockModule from '../../dist/shared/system-clock.driver.js'
import type * as SystemRandomModule from '../../dist/shared/system-random.driver.js'

/**
 * What this row needs from inside the library: sessions and engines, which the front door does not show. Loaded from the built `dist`, as the
 * other rows load `szmq`.
 */
const dist = new URL('../../../dist/', import.meta.url)

interface Modules {
  'security/session.js': typeof SessionModule
  'security/openssl-engine.driver.js': typeof OpensslEngineModule
  'security/gnutls-engine.driver.js': typeof GnutlsEngineModule
  'security/credentials/x509-credentials.js': typeof X509CredentialsModule
  'security/pki/pki.driver.js': typeof PkiModule
  'security/pki/x509.driver.js': typeof PkiX509Module
  'security/resumption/guarded-session-store.js': typeof GuardedSessionStoreModule
  'security/resumption/memory-session-store.js': typeof MemorySessionStoreModule
  'shared/errors.js': typeof ErrorsModule
  'shared/system-clock.driver.js': typeof SystemClockModule
  'shared/system-random.driver.js': typeof SystemRandomModule
}

function load<Path extends keyof Modules>(path: Path): Promise<Modules[Path]> {
  return import(new URL(path, dist).href)
}

export const { Session } = await load('security/session.js')
export const { createOpensslEngineFactory } = await load('security/openssl-engine.driver.js')
export const { createGnutlsEngineFactory } = await load('security/gnutls-engine.driver.js')
export const { parseX509Credentials } = await load('security/credentials/x509-credentials.js')
export const { createDevelopmentCa, issueCertificate } = await load('security/pki/pki.driver.js')
export const { loadX509 } = await load('security/pki/x509.driver.js')
export const { guardSessionStore } = await load('security/resumption/guarded-session-store.js')
export const { createMemorySessionStore } = await load('security/resumption/memory-session-store.js')
export const { SzmqError } = await load('shared/errors.js')
export const { systemClock } = await load('shared/system-clock.driver.js')
export const { systemRandom } = await load('shared/system-random.driver.js')

export type { TlsEngine, TlsEngineFactory, TlsFacts } from '../../dist/security/tls-engine.js'
export type { TlsOptions } from '../../dist/security/tls-options.js'
