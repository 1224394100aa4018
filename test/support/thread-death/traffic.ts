import type { Mesh } from '../../../src/transport/mesh.ts'

/** Lengths that travel in the frame, at its border, in the ring, and in slices through the ring (whose 1 MiB the last one exceeds). */
const LENGTHS = [100, 126, 127, 128, 4_096, 65_536, 1 << 20, 3, 20_000, (1 << 20) + 5_000]
const HEADER_BYTES = 8
/** How many batches a receiver holds on to. */
const HELD = 24
/** Batches that one call sends at most, so that the event loop turns. */
const PER_TURN = 32

/** Sends numbered batches to one thread for as long as it takes them. Each byte can be foretold from number and place. */
export class Source {
  #next = 0
  readonly #send: (head: Uint8Array, body: Uint8Array) => boolean

  constructor(mesh: () => Mesh, to: number) {
    this.#send = (head, body) => mesh().send(to, head, body)
  }

  /** @returns false: refused, `onRoom` follows. */
  flow(): boolean {
    for (let sent = 0; sent < PER_TURN; sent += 1) {
      const length = LENGTHS[this.#next % LENGTHS.length] ?? 0
      if (!this.#send(headOf(this.#next, length), pattern(this.#next, length))) return false
      this.#next += 1
    }
    return true
  }
}

/** Checks what comes from one thread, and again later what it holds of it. */
export class Sink {
  batches = 0
  bytes = 0
  #held: Uint8Array[] = []

  /** @throws Error when it is not the next batch, byte by byte. */
  take(batch: Uint8Array): void {
    verify(batch, this.batches)
    this.batches += 1
    this.bytes += batch.length
    this.#held.push(batch)
    if (this.#held.length > HELD) this.#held.shift()
  }

  /** Looks at everything that is still held: nothing of it may have changed. */
  verifyHeld(): void {
    const first = this.batches - this.#held.length
    this.#held.forEach((batch, at) => {
      verify(batch, first + at)
    })
  }
}

/** Whatever was freed is written over. */
export function churn(): void {
  globalThis.gc?.()
  for (let round = 0; round < 40; round += 1) new Uint8Array(300_000).fill(0xee)
  globalThis.gc?.()
}

function headOf(number: number, length: number): Uint8Array {
  const head = Buffer.alloc(HEADER_BYTES)
  head.writeUInt32LE(number, 0)
  head.writeUInt32LE(length, 4)
  return head
}

/** A fresh buffer each time, of the sender's own heap, like a packed batch. */
function pattern(number: number, length: number): Uint8Array {
  return new Uint8Array(length).fill(patternByte(number))
}

function patternByte(number: number): number {
  return (number * 37 + 11) & 0xff
}

function verify(batch: Uint8Array, number: number): void {
  const bytes = Buffer.from(batch.buffer, batch.byteOffset, batch.length)
  const length = LENGTHS[number % LENGTHS.length] ?? 0
  const isWhole = bytes.length === HEADER_BYTES + length && bytes.readUInt32LE(0) === number && bytes.readUInt32LE(4) === length
  if (!isWhole) throw new Error(`batch ${number} of ${length} bytes expected, ${bytes.length} bytes came`)
  const body = bytes.subarray(HEADER_BYTES)
  if (!body.equals(Buffer.alloc(length, patternByte(number)))) throw new Error(`batch ${number} of ${length} bytes was changed`)
}
