import { LRUCache } from 'lru-cache'
import { toHex } from '../../shared/bytes.ts'
import type { Clock, Instant } from '../../shared/clock.ts'
import { resolveLimits } from '../limits.ts'
import {
  DEFAULT_MAX_SESSION_BYTES,
  isSessionId,
  requireSession,
  type SessionStore,
  type SetSessionOptions,
} from './session-store.ts'

export interface MemorySessionStoreLimits {
  /** One more, and the least recently used session goes. Default 10 000. */
  readonly maxSessions: number
  /** What all sessions together may weigh, ids and bookkeeping included; the least recently used go. Default 64 MiB. */
  readonly maxBytes: number
  /** `set` refuses a longer session with `ERR_SZMQ_LIMIT_EXCEEDED`. Default 16 KiB. */
  readonly maxSessionBytes: number
}

export const DEFAULT_MEMORY_SESSION_STORE_LIMITS: MemorySessionStoreLimits = {
  maxSessions: 10_000,
  maxBytes: 64 * 1024 * 1024,
  maxSessionBytes: DEFAULT_MAX_SESSION_BYTES,
}

/**
 * Sessions in this process's memory, least recently used out first; gone with the process. Owns no timer: an expired session goes when
 * it is asked for, when room is needed, or within some later `set`. Bytes are overwritten before they are let go.
 *
 * @throws ERR_SZMQ_INVALID_ARGUMENT for a limit that is no positive number
 */
export function createMemorySessionStore({
  clock,
  ...limits
}: Partial<MemorySessionStoreLimits> & { readonly clock: Clock }): MemorySessionStore {
  return new MemorySessionStore(resolveLimits(DEFAULT_MEMORY_SESSION_STORE_LIMITS, limits), clock)
}

interface Entry {
  readonly session: Uint8Array
  readonly expiresAt: Instant
}

/** What an entry weighs beside its session: the id as text, the objects, the cache's own tables. */
const ENTRY_OVERHEAD_BYTES = 256
/** How many of the least recently used are looked at in each `set`: more than one, so that what expired shrinks. */
const SWEPT_PER_SET = 2

/** Made by {@link createMemorySessionStore}. Shows no session in `util.inspect` or JSON. */
export class MemorySessionStore implements SessionStore {
  readonly #maxSessionBytes: number
  readonly #clock: Clock
  readonly #entries: LRUCache<string, Entry>

  constructor({ maxSessions, maxBytes, maxSessionBytes }: MemorySessionStoreLimits, clock: Clock) {
    this.#maxSessionBytes = maxSessionBytes
    this.#clock = clock
    this.#entries = new LRUCache({
      max: Math.ceil(maxSessions),
      maxSize: Math.ceil(maxBytes),
      sizeCalculation: ({ session }) => session.length + ENTRY_OVERHEAD_BYTES,
      dispose: ({ session }) => session.fill(0),
    })
  }

  /** How many are held, expired ones included. */
  get size(): number {
    return this.#entries.size
  }

  /** What they weigh. */
  get bytes(): number {
    return this.#entries.calculatedSize
  }

  async get(id: Uint8Array): Promise<Uint8Array | undefined> {
    if (!isSessionId(id)) return undefined
    const key = toHex(id)
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    if (entry.expiresAt > this.#clock.now()) return entry.session.slice()
    this.#entries.delete(key)
    return undefined
  }

  async set(id: Uint8Array, session: Uint8Array, options: SetSessionOptions): Promise<void> {
    const lifetimeMs = requireSession(id, session, options, this.#maxSessionBytes)
    const now = this.#clock.now()
    this.#sweep(now)
    // A plain copy: a Buffer's own slice would alias.
    this.#entries.set(toHex(id), { session: new Uint8Array(session), expiresAt: now + lifetimeMs })
  }

  async delete(id: Uint8Array): Promise<void> {
    this.#entries.delete(toHex(id))
  }

  /** Forgets all. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#entries.clear()
  }

  #sweep(now: Instant): void {
    const oldest = this.#entries.rkeys()
    const expired: string[] = []
    for (let looked = 0; looked < SWEPT_PER_SET; looked += 1) {
      const next = oldest.next()
      if (next.done === true) break
      if ((this.#entries.peek(next.value)?.expiresAt ?? 0) <= now) expired.push(next.value)
    }
    for (const key of expired) this.#entries.delete(key)
  }
}
