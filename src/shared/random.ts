/** Randomness as every core sees it: unpredictable in a driver, seeded in a simulation. */
export interface Random {
  /** `length` fresh bytes that alias nothing. */
  bytes(length: number): Uint8Array<ArrayBuffer>
  /** Uniform in [0, 1): for jitter, never for secrets. */
  fraction(): number
}
