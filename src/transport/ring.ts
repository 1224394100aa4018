import type { PairMarks } from './board.ts'

/** The writing end of a byte ring in shared memory. One writer, one reader, no lock. */
export class RingWriter {
  readonly #marks: PairMarks
  /** Bytes written so far, modulo 2³². The reader learns them from the frames on the PAIR. */
  #head: number

  constructor(marks: PairMarks) {
    this.#marks = marks
    this.#head = Atomics.load(marks.words, marks.tail)
  }

  get capacity(): number {
    return this.#marks.ring.length
  }

  get free(): number {
    return this.capacity - ((this.#head - Atomics.load(this.#marks.words, this.#marks.tail)) >>> 0)
  }

  /** Copies `bytes` in. The caller has checked {@link free}. */
  write(bytes: Uint8Array): void {
    const { ring } = this.#marks
    const at = (this.#head >>> 0) % ring.length
    const untilEnd = ring.length - at
    if (bytes.length <= untilEnd) {
      ring.set(bytes, at)
    } else {
      ring.set(bytes.subarray(0, untilEnd), at)
      ring.set(bytes.subarray(untilEnd), 0)
    }
    this.#head = (this.#head + bytes.length) | 0
  }
}

/** The reading end. */
export class RingReader {
  readonly #marks: PairMarks

  constructor(marks: PairMarks) {
    this.#marks = marks
  }

  /** Copies `target.length` bytes out and gives their room back to the writer. */
  readInto(target: Uint8Array): void {
    const { ring, words, tail } = this.#marks
    const taken = Atomics.load(words, tail)
    const at = (taken >>> 0) % ring.length
    const untilEnd = ring.length - at
    if (target.length <= untilEnd) {
      target.set(ring.subarray(at, at + target.length))
    } else {
      target.set(ring.subarray(at))
      target.set(ring.subarray(0, target.length - untilEnd), untilEnd)
    }
    Atomics.store(words, tail, (taken + target.length) | 0)
  }
}
