import { createHmac, timingSafeEqual } from 'node:crypto'
import type { Clock, Instant } from '../shared/clock.ts'
import type { Random } from '../shared/random.ts'
import { COOKIE_BYTES, type SessionId } from './frame.codec.ts'

/** What a cookie is good for: this hello, by this path. */
export interface CookieTerms {
  /** The return path, all of it. */
  readonly envelope: readonly Uint8Array[]
  readonly sessionId: SessionId
  readonly epoch: number
}

/**
 * Cookies that a server need not remember: an HMAC-SHA-256 of their terms, cut to 128 bits, under a key that nobody else has and that is
 * replaced every `lifetimeMs`. A cookie is good for at least `lifetimeMs` and for less than twice as long.
 */
export class HelloCookies {
  readonly #lifetimeMs: number
  readonly #clock: Clock
  readonly #random: Random
  #current: Uint8Array | undefined
  #previous: Uint8Array | undefined
  #rotatedAt: Instant

  constructor(lifetimeMs: number, { clock, random }: { readonly clock: Clock; readonly random: Random }) {
    this.#lifetimeMs = lifetimeMs
    this.#clock = clock
    this.#random = random
    this.#rotatedAt = clock.now()
  }

  /** {@link COOKIE_BYTES} bytes. */
  bake(terms: CookieTerms): Uint8Array {
    return seal(this.#key(), terms)
  }

  /** Did we bake it for these terms, and lately? Constant in time for what it compares. */
  isGood(cookie: Uint8Array, terms: CookieTerms): boolean {
    if (cookie.length !== COOKIE_BYTES) return false
    const isCurrent = timingSafeEqual(cookie, seal(this.#key(), terms))
    return isCurrent || (this.#previous !== undefined && timingSafeEqual(cookie, seal(this.#previous, terms)))
  }

  #key(): Uint8Array {
    const now = this.#clock.now()
    const ageMs = now - this.#rotatedAt
    if (this.#current !== undefined && ageMs < this.#lifetimeMs) return this.#current
    this.#previous = ageMs < 2 * this.#lifetimeMs ? this.#current : undefined
    this.#current = this.#random.bytes(KEY_BYTES)
    this.#rotatedAt = now
    return this.#current
  }
}

const KEY_BYTES = 32

/** Each part with its length in front, so that no two envelopes read the same. */
function seal(key: Uint8Array, { envelope, sessionId, epoch }: CookieTerms): Uint8Array {
  const hmac = createHmac('sha256', key)
  hmac.update(`szmq cookie 1 ${sessionId} ${epoch} ${envelope.length}`)
  for (const part of envelope) hmac.update(` ${part.length} `).update(part)
  return hmac.digest().subarray(0, COOKIE_BYTES)
}
