import { createHash, hkdfSync } from 'node:crypto'
import { systemClock } from '../../shared/system-clock.driver.ts'
import { systemRandom } from '../../shared/system-random.driver.ts'
import { decodeKeptSession, encodeKeptSession, type KeptSession } from '../resumption/client-session.codec.ts'
import { clientSessionKey, ClientSessions } from '../resumption/client-sessions.ts'
import type { GuardedSessionStore } from '../resumption/guarded-session-store.ts'
import { MAX_SESSION_LIFETIME_MS } from '../resumption/session-store.ts'
import { createTicketKeys, generateTicketSecret, type TicketKeys } from '../resumption/ticket-keys.ts'
import { DEFAULT_SESSION_LIFETIME_MS, type TlsOptions, type TlsResumption } from '../tls-options.ts'

/** Length of `gnutls_session_ticket_enable_server`'s key. */
const MASTER_KEY_BYTES = 64
/** In front of what a database keeps: whose it is. */
const MARK_BYTES = 16

/** How the sessions of one factory are resumed. */
export interface GnutlsResumption {
  readonly lifetimeMs: number
  /** Servers: for tickets; undefined for none. A secret. */
  readonly ticketKey: Uint8Array | undefined
  /** Servers: sessions by id. */
  readonly database: MarkedStore | undefined
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
    database: store === undefined ? undefined : new MarkedStore(store, digest.subarray(0, MARK_BYTES), lifetimeMs),
    sessions: undefined,
  }
}

function ownTicketKeys(): TicketKeys {
  return createTicketKeys({ secret: generateTicketSecret(systemRandom) })
}

function deriveKey(keys: TicketKeys, digest: Uint8Array): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', keys.revealGnutlsMasterKey(), digest, 'szmq gnutls tickets 1', MASTER_KEY_BYTES))
}

/** A store whose sessions carry the mark of the terms they began under: those of others count as absent. */
export class MarkedStore {
  readonly #store: GuardedSessionStore
  readonly #mark: Buffer
  readonly #lifetimeMs: number

  constructor(store: GuardedSessionStore, mark: Buffer, lifetimeMs: number) {
    this.#store = store
    this.#mark = mark
    this.#lifetimeMs = lifetimeMs
  }

  /** Never rejects; settles in time. */
  async get(id: Uint8Array): Promise<Uint8Array | undefined> {
    const kept = await this.#store.get(id)
    return kept !== undefined && this.#mark.equals(kept.subarray(0, MARK_BYTES)) ? kept.subarray(MARK_BYTES) : undefined
  }

  set(id: Uint8Array, session: Uint8Array): void {
    this.#store.set(id, Buffer.concat([this.#mark, session]), { expiresInMs: this.#lifetimeMs })
  }

  delete(id: Uint8Array): void {
    this.#store.delete(id)
  }
}

/** The sessions of the one peer that a client's factory is for. */
export class PeerSessions {
  readonly #sessions: ClientSessions
  readonly #key: string
  readonly #lifetimeMs: number

  constructor(sessions: ClientSessions, key: string, lifetimeMs: number) {
    this.#sessions = sessions
    this.#key = key
    this.#lifetimeMs = lifetimeMs
  }

  take(): KeptSession | undefined {
    const taken = this.#sessions.take(this.#key)
    return taken === undefined ? undefined : decodeKeptSession(taken.data)
  }

  remember(version: 'TLSv1.2' | 'TLSv1.3', kept: KeptSession): void {
    this.#sessions.remember(this.#key, { version, data: encodeKeptSession(kept) }, { lifetimeMs: this.#lifetimeMs })
  }

  /** After a handshake that failed: the next one is a full one. */
  forget(): void {
    this.#sessions.forget(this.#key)
  }
}
