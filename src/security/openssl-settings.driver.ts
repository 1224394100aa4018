import { constants, createHash } from 'node:crypto'
import { createSecureContext, createServer, type SecureContext, type SecureVersion, type Server } from 'node:tls'
import { messageOf, SzmqError } from '../shared/errors.ts'
import { systemClock } from '../shared/system-clock.driver.ts'
import { systemRandom } from '../shared/system-random.driver.ts'
import { clientSessionKey, ClientSessions } from './client-sessions.ts'
import type { Credentials } from './credentials.ts'
import type { GuardedSessionStore } from './guarded-session-store.ts'
import { OpensslSessions } from './openssl-sessions.ts'
import { useTicketKeys } from './openssl-ticket-keys.driver.ts'
import type { PskCredentials } from './psk-credentials.ts'
import { MAX_SESSION_LIFETIME_MS } from './session-store.ts'
import { createTicketKeys, generateTicketSecret, type TicketKeys } from './ticket-keys.ts'
import type { Authorize, TlsOptions } from './tls-options.ts'
import type { X509Credentials } from './x509-credentials.ts'
import type { X509Trust } from './x509-trust.ts'

/** Forward secrecy and authenticated encryption only: the three of TLS 1.3, and ECDHE with AES-GCM or ChaCha20 in TLS 1.2. */
const DEFAULT_CIPHERS = 'TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256:ECDHE+AESGCM:ECDHE+CHACHA20'

/** OpenSSL takes an external pre-shared key for a SHA-256 one (RFC 8446 §4.2.11), so no suite with another hash may be chosen. */
const PSK_CIPHERS_1_3 = 'TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256'
const PSK_CIPHERS_1_2 =
  'ECDHE-PSK-CHACHA20-POLY1305:DHE-PSK-AES256-GCM-SHA384:DHE-PSK-CHACHA20-POLY1305:DHE-PSK-AES128-GCM-SHA256'

/** How long a session may be resumed: two hours, as long as GnuTLS gives by default 6 hours and OpenSSL 5 minutes to 2 hours. */
export const DEFAULT_SESSION_LIFETIME_MS = 2 * 3_600_000

export interface OpensslEngineOptions extends TlsOptions {
  /** OpenSSL cipher list, in place of what the priority says. */
  readonly ciphers?: string | undefined
  /** OpenSSL group list, such as `X25519:P-256`, in place of what the priority says. */
  readonly groups?: string | undefined
}

/** What the engines of one factory share. */
export interface OpensslSettings {
  readonly role: 'client' | 'server'
  readonly serverName: string | undefined
  readonly alpn: string | undefined
  readonly authorize: Authorize | undefined
  readonly clientCertificate: 'required' | 'optional' | 'none'
  readonly psk: PskCredentials | undefined
  readonly secureContext: SecureContext
  /** Servers: what `node:tls` asks for sessions by id. */
  readonly database: Server | undefined
  /** Clients. */
  readonly sessions: OpensslSessions | undefined
  readonly insecureKeyLog: ((line: string) => void) | undefined
}

/** @throws as `createOpensslEngineFactory` */
export function resolveOpensslSettings(options: OpensslEngineOptions): OpensslSettings {
  const { role, serverName, alpn, authorize, clientCertificate = 'required', insecureKeyLog } = options
  requireName(serverName)
  const proofs = sortCredentials(options.credentials)
  if (insecureKeyLog !== undefined) {
    process.emitWarning('szmq writes TLS secrets to a key log: whoever reads it reads all traffic', 'SecurityWarning')
  }
  // OpenSSL keeps no identity in the session of a pre-shared key; such handshakes are cheap anyway.
  const resumption = options.resumption === false || proofs.psk !== undefined ? undefined : (options.resumption ?? {})
  const lifetimeMs = Math.min(resumption?.lifetimeMs ?? DEFAULT_SESSION_LIFETIME_MS, MAX_SESSION_LIFETIME_MS)
  const hasTickets = resumption !== undefined && resumption.ticketKeys !== false
  const secureContext = buildContext(options, proofs, { lifetimeMs, hasTickets })
  if (role === 'server' && hasTickets) {
    const own = (): TicketKeys => createTicketKeys({ secret: generateTicketSecret(systemRandom) })
    useTicketKeys(secureContext, resumption.ticketKeys || own(), options.maxVersion !== 'TLSv1.2')
  }
  return {
    role,
    serverName,
    alpn,
    authorize,
    clientCertificate,
    psk: proofs.psk,
    secureContext,
    database: role === 'server' && resumption?.store !== undefined ? answerFrom(resumption.store, lifetimeMs) : undefined,
    sessions:
      role === 'client' && resumption !== undefined
        ? new OpensslSessions(
            resumption.sessions ?? new ClientSessions({ clock: systemClock }),
            sessionKeyOf(options, proofs),
            lifetimeMs,
          )
        : undefined,
    insecureKeyLog,
  }
}

/** The credentials that OpenSSL can use, by kind. */
interface Proofs {
  readonly own: X509Credentials | undefined
  readonly trust: X509Trust | undefined
  readonly psk: PskCredentials | undefined
}

function sortCredentials(given: Credentials | readonly Credentials[]): Proofs {
  let own: X509Credentials | undefined
  let trust: X509Trust | undefined
  let psk: PskCredentials | undefined
  for (const credentials of [given].flat()) {
    switch (credentials.kind) {
      case 'x509':
        own = credentials
        trust = credentials.trust
        break
      case 'x509Trust':
        trust = credentials
        break
      case 'psk':
        psk = credentials
        break
      case 'srp':
        throw onlyGnutls('SRP')
      case 'rawPublicKey':
        throw onlyGnutls('raw public keys')
      case 'insecureAnonymous':
        throw onlyGnutls('anonymous key exchange')
    }
  }
  if (own !== undefined || trust !== undefined || psk !== undefined) return { own, trust, psk }
  throw new SzmqError('ERR_SZMQ_BAD_CREDENTIALS', 'an empty list of credentials: give X.509 credentials or a pre-shared key')
}

function onlyGnutls(what: string): SzmqError {
  return new SzmqError('ERR_SZMQ_INVALID_ARGUMENT', `the openssl engine cannot do ${what}: use the gnutls engine`)
}

function buildContext(
  options: OpensslEngineOptions,
  { own, trust, psk }: Proofs,
  { lifetimeMs, hasTickets }: { readonly lifetimeMs: number; readonly hasTickets: boolean },
): SecureContext {
  const { minVersion = 'TLSv1.2', maxVersion = 'TLSv1.3', groups } = options
  requireVersions(minVersion, maxVersion)
  const ciphers = options.ciphers ?? defaultCiphers({ own, trust, psk })
  try {
    return createSecureContext({
      // An empty list would mean: the CAs of the web.
      ca: trust?.caPem ?? [],
      ...(own === undefined ? {} : { cert: own.certificatePem, key: own.revealPrivateKeyPem() }),
      ...(trust?.crlPem === undefined ? {} : { crl: trust.crlPem }),
      minVersion,
      maxVersion,
      ciphers,
      ...(groups === undefined ? {} : { ecdhCurve: groups }),
      ...(psk === undefined ? {} : { dhparam: 'auto' as const }),
      // Sessions of another trust are no sessions: a CA that was removed, a certificate that was revoked.
      ...(options.role === 'server' ? { sessionIdContext: shortDigest(['szmq', trust?.fingerprint, options.alpn]) } : {}),
      sessionTimeout: Math.ceil(lifetimeMs / 1_000),
      secureOptions: constants.SSL_OP_NO_RENEGOTIATION | (hasTickets ? 0 : constants.SSL_OP_NO_TICKET),
    })
  } catch (cause) {
    const text = `OpenSSL refuses to work with these options: ${messageOf(cause)}`
    const isOption = /cipher|curve|group|ECDH/i.test(messageOf(cause))
    throw new SzmqError(isOption ? 'ERR_SZMQ_INVALID_ARGUMENT' : 'ERR_SZMQ_BAD_CREDENTIALS', text, { cause })
  }
}

function defaultCiphers({ trust, psk }: Proofs): string {
  if (psk === undefined) return DEFAULT_CIPHERS
  return [PSK_CIPHERS_1_3, PSK_CIPHERS_1_2, ...(trust === undefined ? [] : ['ECDHE+AESGCM', 'ECDHE+CHACHA20'])].join(':')
}

function answerFrom(store: GuardedSessionStore, lifetimeMs: number): Server {
  const server = createServer()
  server.on('newSession', (id: Buffer, session: Buffer, done: () => void) => {
    store.set(id, session, { expiresInMs: lifetimeMs })
    done()
  })
  server.on('resumeSession', (id: Buffer, answer: (error: Error | null, session: Buffer | null) => void) => {
    void store.get(id).then((session) => {
      answer(null, session === undefined ? null : Buffer.from(session))
    })
  })
  return server
}

function sessionKeyOf(options: OpensslEngineOptions, { own, trust }: Proofs): string {
  const { alpn, ciphers, groups, minVersion, maxVersion, priority } = options
  const shown = own?.certificate.fingerprint256
  const terms = ['openssl', trust?.fingerprint, shown, alpn, ciphers, groups, minVersion, maxVersion, priority]
  return clientSessionKey(options.serverName ?? '', shortDigest(terms))
}

/** 32 characters, as long as OpenSSL lets a context be. */
function shortDigest(parts: readonly (string | undefined)[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32)
}

function requireName(serverName: string | undefined): void {
  if (serverName === undefined || /^[\x21-\x7e]{1,2048}$/.test(serverName)) return
  const text = `serverName ${JSON.stringify(serverName)} is no DNS name, IP address or URI: write international names in ASCII (xn--…)`
  throw new SzmqError('ERR_SZMQ_INVALID_ARGUMENT', text)
}

function requireVersions(minVersion: SecureVersion, maxVersion: SecureVersion): void {
  if (minVersion <= maxVersion) return
  throw new SzmqError('ERR_SZMQ_INVALID_ARGUMENT', `minVersion ${minVersion} is above maxVersion ${maxVersion}: swap them`)
}
