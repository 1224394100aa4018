import type { Turns } from '../../src/actors/dispatcher.ts'

/** Turns that only come when a test says so. */
export class ManualTurns implements Turns {
  #soon: (() => void)[] = []
  #later: (() => void)[] = []

  soon(callback: () => void): void {
    this.#soon.push(callback)
  }

  later(callback: () => void): void {
    this.#later.push(callback)
  }

  get isIdle(): boolean {
    return this.#soon.length + this.#later.length === 0
  }

  /** One turn: everything that is due, and what becomes due `soon` meanwhile. */
  turn(): void {
    this.#soon.push(...this.#later.splice(0))
    for (let callback = this.#soon.shift(); callback !== undefined; callback = this.#soon.shift()) callback()
  }

  /** Turns until nothing is due any more. */
  settle(maxTurns = 10_000): void {
    for (let turns = 0; !this.isIdle; turns += 1) {
      if (turns === maxTurns) throw new Error(`still busy after ${maxTurns} turns`)
      this.turn()
    }
  }
}
