import type { Tally, Work } from './contender.ts'

/** What every contender delivers to its handler: an object with the payload in it. */
export interface Message {
  readonly payload: Uint8Array
}

/** Different payloads that take turns, so that no contender profits from sending one object again and again. */
const POOL_SIZE = 64

const pools = new Map<number, readonly Uint8Array[]>()

/** Payloads of `sizeBytes` random-looking bytes, the same in every process. Message n carries `pool[n % pool.length]`. */
export function payloadPool(sizeBytes: number): readonly Uint8Array[] {
  let pool = pools.get(sizeBytes)
  if (pool === undefined) {
    const next = xorshift(0x9e3779b9 ^ sizeBytes)
    // Each with a buffer of its own: a clone of a view copies all that is below it.
    pool = Array.from({ length: POOL_SIZE }, () => Uint8Array.from({ length: sizeBytes }, () => next() & 0xff))
    pools.set(sizeBytes, pool)
  }
  return pool
}

/** The receiver's handler: counts, sums lengths, and reads the payload's first and last byte. */
export class Counter {
  #messages = 0
  #bytes = 0
  #checksum = 0

  get messages(): number {
    return this.#messages
  }

  get tally(): Tally {
    return { messages: this.#messages, bytes: this.#bytes, checksum: this.#checksum }
  }

  handle({ payload }: Message): void {
    const length = payload.length
    this.#messages += 1
    this.#bytes += length
    this.#checksum = (this.#checksum + (payload[0] ?? 0) * 31 + (payload[length - 1] ?? 0) + 1) >>> 0
  }
}

/** What a receiver must have counted once `work` is done. */
export function expectedTally({ count, sizeBytes }: Work): Tally {
  const pool = payloadPool(sizeBytes)
  const once = new Counter()
  for (const payload of pool) once.handle({ payload })
  const rest = new Counter()
  for (const payload of pool.slice(0, count % pool.length)) rest.handle({ payload })
  const turns = Math.floor(count / pool.length)
  return {
    messages: count,
    bytes: count * sizeBytes,
    checksum: Number((BigInt(once.tally.checksum) * BigInt(turns) + BigInt(rest.tally.checksum)) % 2n ** 32n),
  }
}

function xorshift(seed: number): () => number {
  let state = seed | 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 0
  }
}
