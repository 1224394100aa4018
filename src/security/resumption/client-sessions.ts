import { LRUCache } from 'lru-cache'
import type { Clock, Instant } from '../../shared/clock.ts'
import { resolveLimits } from '../limits.ts'
import { DEFAULT_MAX_SESSION_BYTES } from './session-store.ts'

const DAY_MS = 86_400_000
/** However long a server promises: 24 hours for TLS 1.2 (RFC 5246 §F.1.4), 7 days for TLS 1.3 (RFC 8446 §4.6.1). */
const MAX_LIFETIME_MS = { 'TLSv1.2': DAY_MS, 'TLSv1.3': 7 * DAY_MS } as const

export interface ClientSessionsLimits {
  /** One more, and the peer that was not met for longest is forgotten. Default 1 000. */
  readonly maxPeers: number
  /** One more for the same peer, and its oldest session goes. Default 2. */
  readonly maxPerPeer: number
  /** A longer session is not kept: the next handshake is a full one. Default 16 KiB. */
  readonly maxSessionBytes: number
}

export const DEFAULT_CLIENT_SESSIONS_LIMITS: ClientSessionsLimits = {
  maxPeers: 1_000,
  maxPerPeer: 2,
  maxSessionBytes: DEFAULT_MAX_SESSION_BYTES,
}

/** What a client keeps of a handshake to be spared the next one. */
export interface ClientSession {
  readonly version: 'TLSv1.2' | 'TLSv1.3'
  /** Opaque, of the engine that made it. A secret. */
  readonly data: Uint8Array
}

/**
 * The key of a peer in {@link ClientSessions}: no two different pairs share one.
 *
 * @param serverName the name that the peer's certificate is checked against
 * @param trust whatever decides if a peer is accepted and what is shown to it: a digest of CA, CRL, own certificate and priority. A resumed
 *   handshake checks no certificate, so a session must not outlive the trust that it was made under.
 */
export function clientSessionKey(serverName: string, trust: string): string {
  return JSON.stringify([serverName, trust])
}

/**
 * A client's memory of sessions and tickets, by peer. In memory only, bounded by peers × sessions × bytes; owns no timer. Shows no session
 * in `util.inspect` or JSON, and overwrites those that it lets go.
 */
export class ClientSessions {
  readonly #limits: ClientSessionsLimits
  readonly #clock: Clock
  readonly #peers: LRUCache<string, readonly Remembered[]>

  /** @throws ERR_SZMQ_INVALID_ARGUMENT for a limit that is no positive number */
  constructor({ clock, ...limits }: Partial<ClientSessionsLimits> & { readonly clock: Clock }) {
    this.#limits = resolveLimits(DEFAULT_CLIENT_SESSIONS_LIMITS, limits)
    this.#clock = clock
    this.#peers = new LRUCache({
      max: Math.ceil(this.#limits.maxPeers),
      dispose: (sessions, _key, reason) => {
        // Replaced means: by the list that these went into.
        if (reason !== 'set') for (const { data } of sessions) data.fill(0)
      },
    })
  }

  /** How many peers are remembered. */
  get size(): number {
    return this.#peers.size
  }

  /**
   * Keeps a copy.
   *
   * @param lifetimeMs as the server announced it; more than TLS allows (1.2: 24 hours, 1.3: 7 days) counts as that, 0 or less is not kept
   * @returns false when it is not kept: empty, too long or expired already
   */
  remember(key: string, { version, data }: ClientSession, { lifetimeMs }: { readonly lifetimeMs: number }): boolean {
    if (data.length === 0 || data.length > this.#limits.maxSessionBytes || !(lifetimeMs > 0)) return false
    const now = this.#clock.now()
    const expiresAt = now + Math.min(lifetimeMs, MAX_LIFETIME_MS[version])
    const sessions = [{ version, data: new Uint8Array(data), expiresAt }, ...this.#current(key, now)]
    const maxPerPeer = Math.ceil(this.#limits.maxPerPeer)
    this.#replace(key, sessions.slice(0, maxPerPeer), sessions.slice(maxPerPeer))
    return true
  }

  /**
   * The newest session of a peer, to resume with. One of TLS 1.3 is removed, for a ticket is shown once only (RFC 8446 §C.4); one of
   * TLS 1.2 stays.
   *
   * @returns bytes of the caller's own
   */
  take(key: string): ClientSession | undefined {
    const [newest, ...others] = this.#current(key, this.#clock.now())
    if (newest === undefined) {
      this.forget(key)
      return undefined
    }
    const taken = { version: newest.version, data: new Uint8Array(newest.data) }
    if (newest.version === 'TLSv1.3') this.#replace(key, others, [newest])
    return taken
  }

  /** After a resumption that failed: the next handshake with this peer is a full one. Harmless if there is nothing. */
  forget(key: string): void {
    this.#peers.delete(key)
  }

  /** After a change of trust, or at the end. */
  forgetAll(): void {
    this.#peers.clear()
  }

  #replace(key: string, kept: readonly Remembered[], dropped: readonly Remembered[]): void {
    for (const { data } of dropped) data.fill(0)
    if (kept.length > 0) this.#peers.set(key, kept)
    else this.#peers.delete(key)
  }

  /** Those that did not expire; the others are overwritten. */
  #current(key: string, now: Instant): readonly Remembered[] {
    const sessions = this.#peers.get(key) ?? []
    for (const { data, expiresAt } of sessions) if (expiresAt <= now) data.fill(0)
    return sessions.filter(({ expiresAt }) => expiresAt > now)
  }
}

interface Remembered extends ClientSession {
  readonly expiresAt: Instant
}
