import type { Clock, Instant } from '../shared/clock.ts'

/** How many resets may still be answered: `maxPerSecond` in a burst, refilled evenly. */
export class ResetBudget {
  readonly #maxPerSecond: number
  readonly #clock: Clock
  #left: number
  #filledAt: Instant

  constructor(maxPerSecond: number, clock: Clock) {
    this.#maxPerSecond = maxPerSecond
    this.#clock = clock
    this.#left = maxPerSecond
    this.#filledAt = clock.now()
  }

  /** Takes one; false when none is left. */
  take(): boolean {
    const now = this.#clock.now()
    this.#left = Math.min(this.#maxPerSecond, this.#left + ((now - this.#filledAt) * this.#maxPerSecond) / 1_000)
    this.#filledAt = now
    if (this.#left < 1) return false
    this.#left -= 1
    return true
  }
}
