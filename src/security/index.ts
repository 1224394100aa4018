/** `szmq/security`: TLS as bytes in, bytes out. Two engines behind one interface, every credential, resumption, sessions. */

// Engines.
export { createOpensslEngineFactory, type OpensslEngineOptions } from './openssl-engine.driver.ts'
export {
  createGnutlsEngineFactory,
  createSrpVerifier,
  isGnutlsEngine,
  type GnutlsEngineFactory,
  type GnutlsEngineOptions,
  type GnutlsHandles,
  type GnutlsTlsEngine,
} from './gnutls-engine.driver.ts'
export type { HandshakeMessageSeen, TlsEngine, TlsEngineFactory, TlsEvent, TlsFacts, TlsListener } from './tls-engine.ts'
export type { Authorize, TlsOptions, TlsResumption } from './tls-options.ts'
export { canonicalPriority, DEFAULT_PRIORITY, parsePriority, type Priority } from './priority/priority.ts'

// Who proves what.
export { INSECURE_ANONYMOUS, type AnonymousCredentials, type Credentials } from './credentials/credentials.ts'
export { parseX509Credentials, type X509Credentials, type X509CredentialsInput } from './credentials/x509-credentials.ts'
export { X509Trust, type X509TrustInput } from './credentials/x509-trust.ts'
export { PskCredentials, type PskClientInput, type PskServerInput } from './credentials/psk-credentials.ts'
export { SrpCredentials, type SrpClientInput, type SrpServerInput, type SrpVerifier } from './credentials/srp-credentials.ts'
export { RawPublicKeyCredentials, type RawPublicKeyInput } from './credentials/raw-public-key-credentials.ts'
export { describeIdentity, identityDigest, type PeerIdentity } from './identity.ts'
export { loadCredentials, type CredentialFiles } from './credentials/credential-files.driver.ts'
export {
  watchCredentials,
  type CredentialWatchOptions,
  type WatchedCredentials,
} from './credentials/credential-watch.driver.ts'
export type { CredentialEvent, CredentialListener, CredentialSource } from './credentials/credential-source.ts'
export { createEngineFactorySource } from './credentials/engine-factory-source.ts'

// Sessions that are resumed.
export type { SessionStore, SetSessionOptions } from './resumption/session-store.ts'
export { createMemorySessionStore } from './resumption/memory-session-store.ts'
export { openSqliteSessionStore, type SqliteSessionStoreOptions } from './resumption/sqlite-session-store.driver.ts'
export {
  createRedisSessionStore,
  type RedisClient,
  type RedisSessionStoreOptions,
} from './resumption/redis-session-store.driver.ts'
export {
  guardSessionStore,
  type GuardedSessionStore,
  type GuardSessionStoreOptions,
  type SessionStoreProblem,
} from './resumption/guarded-session-store.ts'
export { createTicketKeys, generateTicketSecret, type TicketKeys, type TicketKeysOptions } from './resumption/ticket-keys.ts'
export { ClientSessions, type ClientSession } from './resumption/client-sessions.ts'

// Sessions.
export { Session, type SessionOptions } from './session.ts'
export type { SessionEvent, SessionStatus } from './session-status.ts'
export { DEFAULT_SESSION_LIMITS, type SessionLimits } from './limits.ts'

// What these need: time and randomness.
export type { Clock } from '../shared/clock.ts'
export type { Random } from '../shared/random.ts'
export { systemClock } from '../shared/system-clock.driver.ts'
export { systemRandom } from '../shared/system-random.driver.ts'
export { SzmqError, type Blame, type SzmqErrorCode } from '../shared/errors.ts'
