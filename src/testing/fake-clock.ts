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
  /** Latest first, so that the next one is at the end. Cleared ones stay until it is their turn. */
  readonly #queue: Timer[] = []
  readonly #pending = new Set<number>()

  now(): Instant {
    return this.#now
  }

  setTimeout(callback: () => void, delayMs: number): TimerHandle {
    this.#order += 1
    const timer = { dueAt: this.#now + Math.max(0, delayMs), order: this.#order, callback }
    this.#queue.splice(this.#placeOf(timer.dueAt), 0, timer)
    this.#pending.add(timer.order)
    return timer.order
  }

  clearTimeout(handle: TimerHandle): void {
    if (typeof handle === 'number') this.#pending.delete(handle)
  }

  /** How many timers are set: 0 once everything under test has ended. */
  get pendingTimers(): number {
    return this.#pending.size
  }

  /** When the next timer is due. */
  get nextDeadline(): Instant | undefined {
    return this.#next()?.dueAt
  }

  /**
   * Moves time on by `byMs` and runs every timer that falls due on the way, earliest first, equal ones in the order they were set,
   * also those that were set meanwhile.
   */
  advance(byMs: number): void {
    const until = this.#now + byMs
    for (let timer = this.#next(); timer !== undefined && timer.dueAt <= until; timer = this.#next()) {
      this.#queue.pop()
      this.#pending.delete(timer.order)
      this.#now = Math.max(this.#now, timer.dueAt)
      timer.callback()
    }
    this.#now = Math.max(this.#now, until)
  }

  #next(): Timer | undefined {
    let timer = this.#queue.at(-1)
    while (timer !== undefined && !this.#pending.has(timer.order)) {
      this.#queue.pop()
      timer = this.#queue.at(-1)
    }
    return timer
  }

  /** Before the first one that is due at the same time or earlier: equal ones run in the order they were set. */
  #placeOf(dueAt: Instant): number {
    let low = 0
    let high = this.#queue.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#queue[middle]?.dueAt ?? 0) > dueAt) low = middle + 1
      else high = middle
    }
    return low
  }
}
