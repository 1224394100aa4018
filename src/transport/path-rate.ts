import type { Clock, Instant } from '../shared/clock.ts'
import { TokenBucket } from './token-bucket.ts'

/**
 * A {@link TokenBucket} for all paths together, and one for each path, so that one path cannot use up what is there for all. Remembers only
 * paths whose bucket is not full: those of about the last second, so never more than the rate of all grants in two.
 */
export class PathRate {
  readonly #all: TokenBucket
  readonly #clock: Clock
  readonly #tokenMs: number
  readonly #capacityMs: number
  /** When the bucket of each path is full again; the path that took last is last. */
  readonly #fullAt = new Map<string, Instant>()

  constructor({ perSecond, perSecondOfPath }: { readonly perSecond: number; readonly perSecondOfPath: number }, clock: Clock) {
    this.#all = new TokenBucket(perSecond, clock)
    this.#clock = clock
    this.#tokenMs = 1_000 / perSecondOfPath
    this.#capacityMs = Math.max(1, perSecondOfPath) * this.#tokenMs
  }

  /** Paths that are remembered. */
  get size(): number {
    return this.#fullAt.size
  }

  /** Has the path a token of its own? Takes nothing. */
  allows(path: string): boolean {
    const now = this.#clock.now()
    return Math.max(now, this.#fullAt.get(path) ?? now) + this.#tokenMs <= now + this.#capacityMs + ROUNDING_MS
  }

  /** Takes one of the path's and one of all; false, and nothing taken from the path, when either has none. */
  take(path: string): boolean {
    if (!this.allows(path) || !this.#all.take()) return false
    const now = this.#clock.now()
    const fullAt = Math.max(now, this.#fullAt.get(path) ?? now) + this.#tokenMs
    this.#fullAt.delete(path)
    this.#fullAt.set(path, fullAt)
    this.#forgetFull(now)
    return true
  }

  /** Two for each one that is added, so what is full does not pile up. */
  #forgetFull(now: Instant): void {
    let looked = 0
    for (const [path, fullAt] of this.#fullAt) {
      looked += 1
      if (looked > 2 || fullAt > now) return
      this.#fullAt.delete(path)
    }
  }
}

/** Sums of tokens are not exact in floating point. */
const ROUNDING_MS = 1e-6
