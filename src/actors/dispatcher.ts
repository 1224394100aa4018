import type { Cell } from './cell.ts'

/** Messages one actor may handle before the next one has its turn. */
const MESSAGES_PER_VISIT = 256
/** Messages handled in one turn of the event loop, so that timers and the network have theirs. */
export const MESSAGES_PER_TURN = 4_096

/** How a thread is given its turns. The real ones are in `turns.driver.ts`. */
export interface Turns {
  /** Before anything else happens in this turn of the event loop. */
  soon(callback: () => void): void
  /** In a later turn, after timers and I/O. */
  later(callback: () => void): void
}

/** Runs the actors of one thread: round robin, a bounded number of messages each. */
export class Dispatcher {
  readonly #turns: Turns
  readonly #afterRun: () => void
  #runnable: Cell[] = []
  readonly #scheduled = new Set<Cell>()
  #isPlanned = false

  /** @param afterRun called when a run ends: what was sent in it can leave now. */
  constructor(turns: Turns, afterRun: () => void) {
    this.#turns = turns
    this.#afterRun = afterRun
  }

  /** Are messages waiting for more turns than one? Then no more should be taken in. */
  get isBacklogged(): boolean {
    let waiting = 0
    for (const cell of this.#scheduled) {
      waiting += cell.waiting
      if (waiting >= MESSAGES_PER_TURN) return true
    }
    return false
  }

  schedule(cell: Cell): void {
    if (this.#scheduled.has(cell)) return
    this.#scheduled.add(cell)
    this.#runnable.push(cell)
    if (!this.#isPlanned) {
      this.#isPlanned = true
      this.#turns.soon(this.#run)
    }
  }

  suspend(cell: Cell): void {
    this.#scheduled.delete(cell)
  }

  readonly #run = (): void => {
    let budget = MESSAGES_PER_TURN
    while (budget > 0 && this.#runnable.length > 0) {
      const round = this.#runnable
      this.#runnable = []
      for (const cell of round) {
        if (!this.#scheduled.delete(cell)) continue
        if (budget > 0) budget -= cell.run(Math.min(budget, MESSAGES_PER_VISIT))
        if (cell.isRunnable) this.schedule(cell)
      }
    }
    this.#isPlanned = this.#runnable.length > 0
    if (this.#isPlanned) this.#turns.later(this.#run)
    this.#afterRun()
  }
}
