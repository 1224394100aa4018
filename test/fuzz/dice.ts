import { SeededRandom } from '../../src/testing/seeded-random.ts'

/** Chance that a seed repeats. */
export class Dice {
  readonly #random: SeededRandom

  constructor(seed: number) {
    this.#random = new SeededRandom(seed)
  }

  /** 0 … `end` - 1. */
  below(end: number): number {
    return Math.floor(this.#random.fraction() * end)
  }

  /** One time in `of`. */
  once(of: number): boolean {
    return this.below(of) === 0
  }

  pick<Value>(values: readonly [Value, ...Value[]]): Value {
    return values[this.below(values.length)] ?? values[0]
  }

  pickFrom<Value>(values: readonly Value[]): Value | undefined {
    return values[this.below(values.length)]
  }

  bytes(length: number): Uint8Array {
    return this.#random.bytes(length)
  }
}
