import { SzmqError } from '../shared/errors.ts'
import { barNative, type NativeGate } from './native-gate.ts'

/** The most threads one system can have, the starting one included. */
export const MAX_THREADS = 64
/** Bodies on their way from one thread to another wait in a ring of this size at most; fewer bytes when there are many threads. */
const MAX_RING_BYTES = 1 << 20
const MIN_RING_BYTES = 1 << 16
/** What all rings of a system may take together. Untouched pages cost address space, not memory. */
const ALL_RINGS_BYTES = 1 << 28

/** Words of each thread. */
const BELL = 0
const LIFE = 1
const INSIDE_NATIVE = 2
const NATIVE_BARRED = 3
const WORDS_PER_SLOT = 4
/** Words of each ordered pair of threads. */
const INVITED = 0
const TAIL = 1
const FRAMES_TAKEN = 2
const STARVED = 3
const WORDS_PER_PAIR = 4

export type ThreadLife = 'vacant' | 'live' | 'lost'
const LIVES: readonly ThreadLife[] = ['vacant', 'live', 'lost']

/** What a thread needs to see the same board: plain data for `workerData`. */
export interface BoardShare {
  readonly buffer: SharedArrayBuffer
  readonly slots: number
  readonly ringBytes: number
}

/**
 * The shared memory of a system's threads: a doorbell and a sign of life for each thread, and for each ordered pair of threads
 * a byte ring with its marks. Every word has one writer at a time and is accessed by `Atomics`; no lock anywhere.
 */
export class Board {
  readonly share: BoardShare
  readonly #words: Int32Array
  readonly #ringsAt: number

  constructor(share: BoardShare) {
    this.share = share
    const words = share.slots * WORDS_PER_SLOT + share.slots * share.slots * WORDS_PER_PAIR
    this.#words = new Int32Array(share.buffer, 0, words)
    this.#ringsAt = words * Int32Array.BYTES_PER_ELEMENT
  }

  /** @throws ERR_SZMQ_INVALID_ARGUMENT for more than {@link MAX_THREADS} slots. */
  static create(slots: number): Board {
    if (!Number.isInteger(slots) || slots < 1 || slots > MAX_THREADS) {
      throw new SzmqError('ERR_SZMQ_INVALID_ARGUMENT', `${slots} threads asked for; expected 1 to ${MAX_THREADS}`)
    }
    const pairs = slots * slots
    const ringBytes = Math.max(MIN_RING_BYTES, Math.min(MAX_RING_BYTES, floorToPowerOfTwo(ALL_RINGS_BYTES / pairs)))
    const words = slots * WORDS_PER_SLOT + pairs * WORDS_PER_PAIR
    const buffer = new SharedArrayBuffer(words * Int32Array.BYTES_PER_ELEMENT + pairs * ringBytes)
    return new Board({ buffer, slots, ringBytes })
  }

  get slots(): number {
    return this.share.slots
  }

  /** The doorbell's word, for `Atomics.waitAsync`. */
  bellOf(slot: number): { readonly words: Int32Array; readonly index: number } {
    return { words: this.#words, index: slot * WORDS_PER_SLOT + BELL }
  }

  ring(slot: number): void {
    const index = slot * WORDS_PER_SLOT + BELL
    Atomics.add(this.#words, index, 1)
    Atomics.notify(this.#words, index)
  }

  ringAll(): void {
    for (let slot = 0; slot < this.slots; slot += 1) this.ring(slot)
  }

  lifeOf(slot: number): ThreadLife {
    return LIVES[Atomics.load(this.#words, slot * WORDS_PER_SLOT + LIFE)] ?? 'vacant'
  }

  setLife(slot: number, life: ThreadLife): void {
    Atomics.store(this.#words, slot * WORDS_PER_SLOT + LIFE, LIVES.indexOf(life))
  }

  /** What a thread passes for each native call: see {@link NativeGate}. */
  gateOf(slot: number): NativeGate {
    const at = slot * WORDS_PER_SLOT
    return { words: this.#words, inside: at + INSIDE_NATIVE, barred: at + NATIVE_BARRED }
  }

  /** Call right before a thread is stopped from outside, or the process may abort: {@link NativeGate}. The thread does nothing after it. */
  bar(slot: number): void {
    barNative(this.gateOf(slot))
  }

  /** `from` has opened its end of the pipe and waits for `to` to open the other. */
  invite(from: number, to: number): void {
    Atomics.store(this.#words, this.#pair(from, to) + INVITED, 1)
    this.ring(to)
  }

  isInvited(from: number, to: number): boolean {
    return Atomics.load(this.#words, this.#pair(from, to) + INVITED) === 1
  }

  /** What `from` writes for `to`: see {@link PairMarks}. */
  marks(from: number, to: number): PairMarks {
    const at = this.#pair(from, to)
    return {
      words: this.#words,
      tail: at + TAIL,
      framesTaken: at + FRAMES_TAKEN,
      starved: at + STARVED,
      ring: new Uint8Array(
        this.share.buffer,
        this.#ringsAt + (from * this.slots + to) * this.share.ringBytes,
        this.share.ringBytes,
      ),
    }
  }

  #pair(from: number, to: number): number {
    return this.slots * WORDS_PER_SLOT + (from * this.slots + to) * WORDS_PER_PAIR
  }
}

/**
 * The shared marks of one direction of a pipe, as indexes into `words`. Counters run on modulo 2³².
 * - `tail`: bytes the receiver has taken out of `ring`; written by the receiver.
 * - `framesTaken`: frames the receiver has taken from the PAIR; written by the receiver.
 * - `starved`: the sender found no room and wants its bell rung when there is; set by the sender, cleared by the receiver.
 */
export interface PairMarks {
  readonly words: Int32Array
  readonly tail: number
  readonly framesTaken: number
  readonly starved: number
  readonly ring: Uint8Array
}

function floorToPowerOfTwo(value: number): number {
  return 2 ** Math.floor(Math.log2(value))
}
