/** Reads the steps of a script out of bytes: beyond the end everything is 0. */
export class StepReader {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  u8(): number {
    const byte = this.#bytes[this.#at] ?? 0
    this.#at += 1
    return byte
  }

  rest(): Uint8Array {
    return this.#bytes.subarray(this.#at)
  }
}

export const SOME_DELAYS_MS = [0, 1, 60, 1_000, 10_000, 31_000, 130_000] as const

export function pickDelay(byte: number): number {
  return SOME_DELAYS_MS[byte % SOME_DELAYS_MS.length] ?? 0
}

export function text(value: string): Uint8Array {
  return new TextEncoder().encode(value)
}
