import { createHash, hkdfSync } from 'node:crypto'
import { equalBytes } from '../../shared/bytes.ts'
import { systemClock } from '../../shared/system-clock.driver.ts'
import { systemRandom } from '../../shared/system-random.driver.ts'
import { clientSessionKey, ClientSessions } from '../resumption/client-sessions.ts'
import type { GuardedSessionStore } from '../resumption/guarded-session-store.ts'
import { MAX_SESSION_LIFETIME_MS } from '../resumption/session-store.ts'
import { PeerSessions } from '../resumption/peer-sessions.ts'
import { createTicketKeys, generateTicketSecret, type TicketKeys } from '../resumption/ticket-keys.ts'
import { DEFAULT_SESSION_LIFETIME_MS, type TlsOptions, type TlsResumption } from '../tls-options.ts'

/** Length of `gnutls_session_ticket_enable_server`'s key. */
const MASTER_KEY_BYTES = 64
/** SHA-256 in front of what a database keeps. */
const SEAL_BYTES = 32

/** How the sessions of one factory are resumed. */
export interface GnutlsResumption {
  readonly lifetimeMs: number
  /** Servers: for tickets; undefined for none. A secret. */
  readonly ticketKey: Uint8Array | undefined
  /** Servers: sessions by id. */
  readonly database: SealedStore | undefined
  /** Clients: the sessions of the one peer that the factory is for. */
  readonly sessions: PeerSessions | undefined
}

/**
 * @param terms what both sides' trust and wishes are, as text: sessions that began under others are no sessions
 */
export function resolveResumption(
  { role, serverName = '' }: Pick<TlsOptions, 'role' | 'serverName'>,
  resumption: TlsResumption,
  terms: readonly (string | undefined)[],
): GnutlsResumption {
  const lifetimeMs = Math.min(resumption.lifetimeMs ?? DEFAULT_SESSION_LIFETIME_MS, MAX_SESSION_LIFETIME_MS)
  const digest = createHash('sha256')
    .update(JSON.stringify(['gnutls', ...terms]))
    .digest()
  if (role === 'client') {
    const sessions = resumption.sessions ?? new ClientSessions({ clock: systemClock })
    const key = clientSessionKey(serverName, digest.toString('hex'))
    return { lifetimeMs, ticketKey: undefined, database: undefined, sessions: new PeerSessions(sessions, key, lifetimeMs) }
  }
  const { store, ticketKeys = ownTicketKeys() } = resumption
  return {
    lifetimeMs,
    ticketKey: ticketKeys === false ? undefined : deriveKey(ticketKeys, digest),
    database: store === undefined ? undefined : new SealedStore(store, digest, lifetimeMs),
    sessions: undefined,
  }
}

function ownTicketKeys(): TicketKeys {
  return createTicketKeys({ secret: generateTicketSecret(systemRandom) })
}

function deriveKey(keys: TicketKeys, digest: Uint8Array): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', keys.revealGnutlsMasterKey(), digest, 'szmq gnutls tickets 1', MASTER_KEY_BYTES))
}

/**
 * A store whose sessions carry a digest of the terms they began under, of their id and of themselves: those of others, and damaged ones, count as
 * absent. GnuTLS itself reads whatever looks like a session of its own, and ends the process over some that were damaged. The digest has no key:
 * who writes into the database of his own will says who a client is, unless the store is under a cipher.
 */
export class SealedStore {
  readonly #store: GuardedSessionStore
  readonly #terms: Uint8Array
  readonly #lifetimeMs: number

  constructor(store: GuardedSessionStore, terms: Uint8Array, lifetimeMs: number) {
    this.#store = store
    this.#terms = terms
    this.#lifetimeMs = lifetimeMs
  }

  /** Never rejects; settles in time. */
  async get(id: Uint8Array): Promise<Uint8Array | undefined> {
    const kept = await this.#store.get(id)
    if (kept === undefined) return undefined
    const session = kept.subarray(SEAL_BYTES)
    return equalBytes(kept.subarray(0, SEAL_BYTES), this.#seal(id, session)) ? session : undefined
  }

  set(id: Uint8Array, session: Uint8Array): void {
    this.#store.set(id, Buffer.concat([this.#seal(id, session), session]), { expiresInMs: this.#lifetimeMs })
  }

  delete(id: Uint8Array): void {
    this.#store.delete(id)
  }

  #seal(id: Uint8Array, session: Uint8Array): Uint8Array {
    return createHash('sha256').update(this.#terms).update(Uint8Array.of(id.length)).update(id).update(session).digest()
  }
}
