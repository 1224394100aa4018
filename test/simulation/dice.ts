import { SeededRandom } from '../../src/testing/seeded-random.ts'

/** Everything random in a simulation. A stream of its own for each `label`, so that more throws here change nothing there. */
export class Dice {
  readonly random: SeededRandom
  readonly #seed: number

  constructor(seed: number, label = '') {
    this.#seed = seed
    let mixed = seed >>> 0
    for (let at = 0; at < label.length; at += 1) mixed = Math.imul(mixed ^ label.charCodeAt(at), 0x0100_0193) >>> 0
    this.random = new SeededRandom(mixed)
  }

  fork(label: string): Dice {
    return new Dice(this.#seed, label)
  }

  chance(probability: number): boolean {
    return this.random.fraction() < probability
  }

  /** Uniform in [low, high). */
  between(low: number, high: number): number {
    return low + this.random.fraction() * (high - low)
  }

  /** Uniform in low … high, both included. */
  integer(low: number, high: number): number {
    return low + Math.floor(this.random.fraction() * (high - low + 1))
  }

  /** @throws RangeError from nothing */
  pick<Item>(items: readonly Item[]): Item {
    const item = items[this.integer(0, items.length - 1)]
    if (item === undefined) throw new RangeError('nothing to pick from')
    return item
  }

  /** Each item with probability one half. */
  some<Item>(items: readonly Item[]): readonly Item[] {
    return items.filter(() => this.chance(0.5))
  }
}
