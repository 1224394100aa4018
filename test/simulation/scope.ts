import type { Clock, Instant, TimerHandle } from '../../src/shared/clock.ts'
import type { FakeClock } from '../../src/testing/fake-clock.ts'
import { Violation } from './violation.ts'

/** The clock of one process: it can stand still for a while, as an event loop does, and it dies with the process. */
export class Scope implements Clock {
  readonly #clock: FakeClock
  readonly #timers = new Map<number, { readonly callback: () => void; readonly handle: TimerHandle }>()
  /** Timers that fell due while the process stood still. */
  #late: number[] = []
  /** What came from outside meanwhile. */
  #waiting: (() => void)[] = []
  #stalledUntil = 0
  #count = 0
  #lastInstant = 0
  /** When that instant began. */
  #countThen = 0
  #isOver = false

  constructor(clock: FakeClock) {
    this.#clock = clock
  }

  now(): Instant {
    return this.#clock.now()
  }

  setTimeout(callback: () => void, delayMs: number): TimerHandle {
    if (this.#isOver) return 0
    this.#count += 1
    this.#checkProgress()
    const number = this.#count
    const handle = this.#clock.setTimeout(() => {
      if (this.#isStalled) this.#late.push(number)
      else this.#fire(number)
    }, delayMs)
    this.#timers.set(number, { callback, handle })
    return number
  }

  clearTimeout(handle: TimerHandle): void {
    if (typeof handle !== 'number') return
    this.#clock.clearTimeout(this.#timers.get(handle)?.handle)
    this.#timers.delete(handle)
  }

  get pendingTimers(): number {
    return this.#timers.size
  }

  /** Something from outside, such as a message: now, or when the process goes on. */
  run(task: () => void): void {
    if (this.#isOver) return
    if (this.#isStalled) this.#waiting.push(task)
    else task()
  }

  stall(forMs: number): void {
    const until = this.now() + forMs
    if (this.#isOver || until <= this.#stalledUntil) return
    this.#stalledUntil = until
    this.#clock.setTimeout(() => {
      if (!this.#isStalled) this.#goOn()
    }, forMs)
  }

  /** The process is gone, and everything that it would have done. */
  end(): void {
    this.#isOver = true
    for (const { handle } of this.#timers.values()) this.#clock.clearTimeout(handle)
    this.#timers.clear()
    this.#late = []
    this.#waiting = []
  }

  /** A core that sets one timer after the other for now would hold the whole process, and this simulation, for ever. */
  #checkProgress(): void {
    if (this.now() > this.#lastInstant) {
      this.#lastInstant = this.now()
      this.#countThen = this.#count
    } else if (this.#count - this.#countThen > MAX_TIMERS_AN_INSTANT) {
      throw new Violation('time goes on', `more than ${MAX_TIMERS_AN_INSTANT} timers were set at ${this.#lastInstant} ms`)
    }
  }

  get #isStalled(): boolean {
    return this.now() < this.#stalledUntil
  }

  /** As an event loop does: timers first, then what came. */
  #goOn(): void {
    const [late, waiting] = [this.#late, this.#waiting]
    this.#late = []
    this.#waiting = []
    for (const number of late) this.#fire(number)
    for (const task of waiting) this.run(task)
  }

  #fire(number: number): void {
    const timer = this.#timers.get(number)
    this.#timers.delete(number)
    timer?.callback()
  }
}

const MAX_TIMERS_AN_INSTANT = 20_000
