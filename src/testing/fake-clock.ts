import type { Clock, Instant, TimerHandle } from '../shared/clock.ts'

interface Timer {
  readonly dueAt: Instant
  readonly order: number
  readonly callback: () => void
}

/** Time that only moves when a test says so. */
export class FakeClock implements Clock {
  #now: Instant = 0
  #order = 0
  readonly #timers = new Map<number, Timer>()

  now(): Instant {
    return this.#now
  }

  setTimeout(callback: () => void, delayMs: number): TimerHandle {
    const order = (this.#order += 1)
    this.#timers.set(order, { dueAt: this.#now + Math.max(0, delayMs), order, callback })
    return order
  }

  clearTimeout(handle: TimerHandle): void {
    if (typeof handle === 'number') this.#timers.delete(handle)
  }

  /** How many timers are set: 0 once everything under test has ended. */
  get pendingTimers(): number {
    return this.#timers.size
  }

  /** When the next timer is due. */
  get nextDeadline(): Instant | undefined {
    return this.#earliest()?.dueAt
  }

  /**
   * Moves time on by `byMs` and runs every timer that falls due on the way, earliest first, equal ones in the order they were set,
   * also those that were set meanwhile.
   */
  advance(byMs: number): void {
    const until = this.#now + byMs
    for (let timer = this.#earliest(); timer !== undefined && timer.dueAt <= until; timer = this.#earliest()) {
      this.#timers.delete(timer.order)
      this.#now = Math.max(this.#now, timer.dueAt)
      timer.callback()
    }
    this.#now = until
  }

  #earliest(): Timer | undefined {
    let earliest: Timer | undefined
    for (const timer of this.#timers.values()) {
      if (earliest === undefined || timer.dueAt < earliest.dueAt) earliest = timer
    }
    return earliest
  }
}
