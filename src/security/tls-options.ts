import { SzmqError } from '../shared/errors.ts'
import { ClientSessions } from './resumption/client-sessions.ts'
import type { Credentials } from './credentials/credentials.ts'
import { GuardedSessionStore } from './resumption/guarded-session-store.ts'
import type { PeerIdentity } from './identity.ts'
import { TicketKeys } from './resumption/ticket-keys.ts'

/** What every TLS engine takes. Each engine refuses with an error that names the other one what it cannot do. */
export interface TlsOptions {
  readonly role: 'client' | 'server'
  /**
   * One, or several of different kinds: what both sides can do and prefer decides. X.509 credentials bring their own trust, so an `X509Trust`
   * beside them is refused.
   */
  readonly credentials: Credentials | readonly Credentials[]
  /**
   * For clients: the DNS name, IP address or URI that the server's certificate must carry as subject alternative name. A DNS name is
   * also told to the server (SNI). Without it any peer that our CA vouches for is accepted, and `facts.peer` says who it is.
   */
  readonly serverName?: string | undefined
  /**
   * For servers with X.509 credentials or raw public keys: must a client show one? Default: `required`. With `optional` one that is shown
   * must be good; who shows none is `ANONYMOUS`. `none` does not ask.
   */
  readonly clientCertificate?: 'required' | 'optional' | 'none' | undefined
  /** A GnuTLS priority string, such as `SECURE256:-VERS-TLS1.2`. Default: `DEFAULT_PRIORITY` of `priority.ts`. */
  readonly priority?: string | undefined
  /** Narrows the priority. Default: `TLSv1.2`. */
  readonly minVersion?: 'TLSv1.2' | 'TLSv1.3' | undefined
  /** Narrows the priority. Default: `TLSv1.3`. */
  readonly maxVersion?: 'TLSv1.2' | 'TLSv1.3' | undefined
  /** The application protocol, 1 to 255 bytes. If given, a peer that does not agree to it is refused. */
  readonly alpn?: string | undefined
  /** The last word on a peer, see {@link Authorize}. */
  readonly authorize?: Authorize | undefined
  /** Default: sessions are resumed by tickets for as long as the factory lives. `false`: each handshake is a full one. */
  readonly resumption?: TlsResumption | false | undefined
  /**
   * Gets each line of the NSS key log (`SSLKEYLOGFILE`), with which whoever holds it reads everything: for debugging with Wireshark only. The
   * engine warns once when it is on.
   */
  readonly insecureKeyLog?: ((line: string) => void) | undefined
}

/**
 * May this peer, that was already verified, connect? Runs in each handshake, resumed ones too, before anything of it is delivered. It can
 * only refuse: `true` lets it in, a string refuses with that reason (for our log: the peer learns `access_denied` alone), an exception refuses.
 * Answer at once.
 */
export type Authorize = (identity: PeerIdentity) => true | string

/** How sessions are resumed. Identity, dates, names and {@link Authorize} are looked at again each time. */
export interface TlsResumption {
  /** Servers: sessions by id in a database (TLS 1.2). Several servers may share it. */
  readonly store?: GuardedSessionStore | undefined
  /** Servers: the keys of the tickets (TLS 1.2 and 1.3), shared by servers that share their secret. `false`: no tickets. Default: keys of this factory. */
  readonly ticketKeys?: TicketKeys | false | undefined
  /** Clients: where sessions and tickets are kept. Default: in this factory. */
  readonly sessions?: ClientSessions | undefined
  /** How long a server lets a session be resumed, and a client keeps one, in milliseconds. Default: 2 h; more than 7 days counts as 7 (RFC 8446). */
  readonly lifetimeMs?: number | undefined
}

/** How long a session may be resumed unless told otherwise. */
export const DEFAULT_SESSION_LIFETIME_MS = 2 * 3_600_000

/**
 * Looks at what every engine relies on, before a TLS library sees it: from some of it the libraries end the process, and from a misspelt
 * `clientCertificate` they would ask for none.
 *
 * @throws ERR_SZMQ_INVALID_ARGUMENT naming the option, what was given and what to give
 */
export function requireTlsOptions(options: TlsOptions): void {
  const { role, serverName, clientCertificate, minVersion, maxVersion, priority, alpn, resumption } = options
  requireOneOf('role', role, ['client', 'server'])
  requireOneOf('clientCertificate', clientCertificate ?? 'required', ['required', 'optional', 'none'])
  for (const [name, version] of Object.entries({ minVersion, maxVersion }))
    if (version !== undefined) requireOneOf(name, version, ['TLSv1.2', 'TLSv1.3'])
  if (serverName !== undefined && !/^[\x21-\x7e]{1,2048}$/.test(serverName)) {
    throw invalid(
      `serverName ${JSON.stringify(serverName)} is no DNS name, IP address or URI: write international names in ASCII (xn--…)`,
    )
  }
  if (alpn !== undefined && (alpn === '' || Buffer.byteLength(alpn) > MAX_ALPN_BYTES))
    throw invalid(`alpn has ${Buffer.byteLength(alpn)} bytes: give the name of a protocol, 1 to ${MAX_ALPN_BYTES} bytes`)
  // GnuTLS would read up to the NUL, and miss the versions that are taken off behind.
  if (priority !== undefined && (typeof priority !== 'string' || priority.includes('\0')))
    throw invalid(`priority is ${JSON.stringify(priority)}: give a text without NUL`)
  if (resumption !== undefined && resumption !== false) requireResumption(resumption)
  requireCredentials(role, [options.credentials].flat())
}

/** What is called in the midst of a handshake: what it throws there, nobody would catch. */
function requireResumption({ store, ticketKeys, sessions, lifetimeMs }: TlsResumption): void {
  if (lifetimeMs !== undefined && !(lifetimeMs > 0))
    throw invalid(`resumption.lifetimeMs is ${lifetimeMs}: give a positive number of milliseconds`)
  if (store !== undefined && !(store instanceof GuardedSessionStore))
    throw invalid('resumption.store is not guarded: give guardSessionStore(store, { clock })')
  if (ticketKeys !== undefined && ticketKeys !== false && !(ticketKeys instanceof TicketKeys))
    throw invalid('resumption.ticketKeys are none: give what createTicketKeys({ secret }) makes, or false')
  if (sessions !== undefined && !(sessions instanceof ClientSessions))
    throw invalid('resumption.sessions are none: give new ClientSessions({ clock })')
}

/** RFC 7301 §3.1. */
const MAX_ALPN_BYTES = 255

/** A TLS library takes the one side's for the other's, and reads what is not there. */
function requireCredentials(role: TlsOptions['role'], list: readonly Credentials[]): void {
  const untyped: readonly (Partial<Credentials> | null | undefined)[] = list
  if (untyped.some((credentials) => typeof credentials?.kind !== 'string'))
    throw invalid('there are no credentials in what was given as such: see docs/security.md for those there are')
  for (const credentials of list) {
    const side = sideOf(credentials)
    if (side !== undefined && side !== role)
      throw invalid(`the ${credentials.kind} credentials are those of a ${side}, and this is a ${role}: make them for it`)
  }
  const kinds = list.map(({ kind }) => (kind === 'x509Trust' ? 'x509' : kind))
  const twice = kinds.find((kind, at) => kinds.indexOf(kind) !== at)
  if (twice === undefined) return
  throw invalid(
    `two credentials of kind ${twice}: give one; X.509 credentials bring the CAs and revocation lists along that they trust`,
  )
}

function sideOf(credentials: Credentials): TlsOptions['role'] | undefined {
  if (credentials.kind === 'psk') return credentials.identity === undefined ? 'server' : 'client'
  if (credentials.kind === 'srp') return credentials.username === undefined ? 'server' : 'client'
  return undefined
}

function requireOneOf(name: string, value: string, expected: readonly string[]): void {
  if (!expected.includes(value)) throw invalid(`${name} is ${JSON.stringify(value)}: give one of ${expected.join(', ')}`)
}

function invalid(text: string): SzmqError {
  return new SzmqError('ERR_SZMQ_INVALID_ARGUMENT', text)
}
