import type { Clock, Instant } from '../shared/clock.ts'

/** A rate: `perSecond` in a burst, refilled evenly; a rate below 1 lets single ones through. */
export class TokenBucket {
  readonly #perSecond: number
  readonly #capacity: number
  readonly #clock: Clock
  #left: number
  #filledAt: Instant

  constructor(perSecond: number, clock: Clock) {
    this.#perSecond = perSecond
    this.#capacity = Math.max(1, perSecond)
    this.#clock = clock
    this.#left = this.#capacity
    this.#filledAt = clock.now()
  }

  /** Takes one; false when none is left. */
  take(): boolean {
    const now = this.#clock.now()
    this.#left = Math.min(this.#capacity, this.#left + ((now - this.#filledAt) * this.#perSecond) / 1_000)
    this.#filledAt = now
    if (this.#left < 1) return false
    this.#left -= 1
    return true
  }
}
