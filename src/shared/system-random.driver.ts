import { randomFillSync } from 'node:crypto'
import type { Random } from './random.ts'

/** Cryptographically secure bytes of the operating system. */
export const systemRandom: Random = {
  bytes: (length) => randomFillSync(new Uint8Array(length)),
  fraction: () => Math.random(),
}
