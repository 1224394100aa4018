import { concatBytes } from '../../src/shared/bytes.ts'
import type { Dice } from './dice.ts'
import { byteLength, type FuzzInput } from './fuzz-target.ts'

const MAX_PIECES = 40
/** What mutations may grow an input to; one input in {@link HUGE_ONCE_IN} to the second. */
const MAX_BYTES = 4_096
const MAX_HUGE_BYTES = 256 * 1_024
const HUGE_ONCE_IN = 500
const NOTHING = new Uint8Array(0)

const TELLING_BYTES = [0, 1, 2, 3, 4, 5, 0x10, 0x1f, 0x20, 0x40, 0x7f, 0x80, 0x81, 0xc0, 0xc1, 0xfe, 0xff] as const
const TELLING_NUMBERS = [
  0, 1, 2, 0x7f, 0x80, 0xff, 0x100, 0x3fff, 0x4000, 0x4800, 0x4801, 0x7fff, 0x8000, 0xffff, 0x1_0000, 0xff_ffff, 0x100_0000,
  0x100_0001, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff,
] as const
const WIDTHS = [1, 2, 3, 4, 6, 8] as const

type BytesMutation = (bytes: Uint8Array) => Uint8Array
type PiecesMutation = (pieces: Uint8Array[]) => Uint8Array[]

/** Makes inputs of inputs: flips, lengths that lie, cuts, splices, repetitions, nesting, other slicings. */
export class Mutator {
  readonly #dice: Dice
  readonly #words: readonly Uint8Array[]
  readonly #onBytes: readonly [BytesMutation, ...BytesMutation[]]
  readonly #onPieces: readonly [PiecesMutation, ...PiecesMutation[]]
  #maxBytes = MAX_BYTES
  #other: FuzzInput = []

  constructor(dice: Dice, words: readonly Uint8Array[]) {
    this.#dice = dice
    this.#words = words
    this.#onBytes = [
      (bytes) => this.#flip(bytes),
      (bytes) => this.#setByte(bytes),
      (bytes) => this.#addToNumber(bytes),
      (bytes) => this.#setNumber(bytes),
      (bytes) => this.#setLengthOfRest(bytes),
      (bytes) => bytes.subarray(0, dice.below(bytes.length + 1)),
      (bytes) => this.#remove(bytes),
      (bytes) => this.#insert(bytes, dice.bytes(1 + dice.below(dice.once(8) ? 64 : 6))),
      (bytes) => this.#insert(bytes, this.#word()),
      (bytes) => this.#overwrite(bytes, this.#word()),
      (bytes) => this.#overwrite(bytes, this.#rangeOf(dice.pickFrom(this.#other) ?? NOTHING)),
      (bytes) => this.#insert(bytes, this.#rangeOf(bytes)),
      (bytes) => this.#insert(bytes, this.#repeat(this.#rangeOf(bytes))),
      (bytes) => concatBytes([this.#repeat(bytes.subarray(0, 1 + dice.below(8))), bytes]),
    ]
    this.#onPieces = [
      (pieces) => pieces.toSpliced(dice.below(pieces.length), 1),
      (pieces) => pieces.toSpliced(dice.below(pieces.length + 1), 0, dice.pickFrom(pieces) ?? NOTHING),
      (pieces) => pieces.toSpliced(dice.below(pieces.length + 1), 0, dice.pickFrom(this.#other) ?? NOTHING),
      (pieces) => pieces.slice(0, dice.below(pieces.length + 1)),
      (pieces) => [...pieces, ...this.#other],
      (pieces) => [...pieces.slice(0, dice.below(pieces.length)), ...this.#other.slice(dice.below(this.#other.length + 1))],
      (pieces) => this.#swap(pieces),
      (pieces) => this.#cut(pieces),
      (pieces) => this.#join(pieces),
    ]
  }

  /** @param other is spliced in now and then */
  mutate(input: FuzzInput, other: FuzzInput): FuzzInput {
    const dice = this.#dice
    this.#other = other
    this.#maxBytes = dice.once(HUGE_ONCE_IN) ? MAX_HUGE_BYTES : MAX_BYTES
    let pieces = [...input]
    for (let left = 1 + dice.below(dice.pick([1, 2, 4, 8])); left > 0; left -= 1) {
      if (dice.once(4)) pieces = dice.pick(this.#onPieces)(pieces)
      else pieces = this.#mutatePiece(pieces)
    }
    return this.#bound(pieces)
  }

  #mutatePiece(pieces: Uint8Array[]): Uint8Array[] {
    if (pieces.length === 0) return [this.#dice.bytes(this.#dice.below(40))]
    const at = this.#dice.below(pieces.length)
    return pieces.with(at, this.#dice.pick(this.#onBytes)(pieces[at] ?? NOTHING))
  }

  #bound(pieces: readonly Uint8Array[]): FuzzInput {
    const few = pieces.slice(0, MAX_PIECES)
    if (byteLength(few) <= this.#maxBytes) return few
    const room = Math.floor(this.#maxBytes / few.length)
    return few.map((piece) => (piece.length > room ? piece.subarray(0, room) : piece))
  }

  #flip(bytes: Uint8Array): Uint8Array {
    return this.#with(bytes, (copy, at) => {
      copy[at] = (copy[at] ?? 0) ^ (1 << this.#dice.below(8))
    })
  }

  #setByte(bytes: Uint8Array): Uint8Array {
    return this.#with(bytes, (copy, at) => {
      copy[at] = this.#dice.once(2) ? this.#dice.below(256) : this.#dice.pick(TELLING_BYTES)
    })
  }

  #addToNumber(bytes: Uint8Array): Uint8Array {
    const by = BigInt(this.#dice.below(35) - 17)
    return this.#changeNumber(bytes, (value) => value + by)
  }

  #setNumber(bytes: Uint8Array): Uint8Array {
    const telling = BigInt(this.#dice.pick(TELLING_NUMBERS))
    return this.#changeNumber(bytes, (_value, bits) => (this.#dice.once(3) ? (1n << bits) - 1n - telling : telling))
  }

  /** A length that is right, or wrong by a little. */
  #setLengthOfRest(bytes: Uint8Array): Uint8Array {
    const off = BigInt(this.#dice.below(5) - 2)
    return this.#changeNumber(bytes, (_value, bits, at) => BigInt(bytes.length - at) - bits / 8n + off)
  }

  #changeNumber(bytes: Uint8Array, change: (value: bigint, bits: bigint, at: number) => bigint): Uint8Array {
    const width = this.#dice.pick(WIDTHS)
    return this.#with(bytes, (copy, at) => {
      const bits = BigInt(8 * width)
      let value = 0n
      for (let offset = 0; offset < width; offset += 1) value = (value << 8n) | BigInt(copy[at + offset] ?? 0)
      value = BigInt.asUintN(Number(bits), change(value, bits, at))
      for (let offset = width - 1; offset >= 0; offset -= 1) {
        if (at + offset < copy.length) copy[at + offset] = Number(value & 0xffn)
        value >>= 8n
      }
    })
  }

  #remove(bytes: Uint8Array): Uint8Array {
    const at = this.#dice.below(bytes.length + 1)
    return concatBytes([bytes.subarray(0, at), bytes.subarray(at + 1 + this.#dice.below(8))])
  }

  #insert(bytes: Uint8Array, more: Uint8Array): Uint8Array {
    const at = this.#dice.below(bytes.length + 1)
    return concatBytes([bytes.subarray(0, at), more, bytes.subarray(at)])
  }

  #overwrite(bytes: Uint8Array, more: Uint8Array): Uint8Array {
    const at = this.#dice.below(bytes.length + 1)
    return concatBytes([bytes.subarray(0, at), more, bytes.subarray(at + more.length)])
  }

  #repeat(bytes: Uint8Array): Uint8Array {
    const times = this.#dice.once(4) ? Math.floor(this.#maxBytes / (bytes.length + 1)) : 2 + this.#dice.below(16)
    return concatBytes(Array.from({ length: Math.max(2, times) }, () => bytes))
  }

  #rangeOf(bytes: Uint8Array): Uint8Array {
    const at = this.#dice.below(bytes.length + 1)
    return bytes.subarray(at, at + 1 + this.#dice.below(bytes.length - at + 1))
  }

  #word(): Uint8Array {
    return this.#dice.pickFrom(this.#words) ?? this.#dice.bytes(1 + this.#dice.below(4))
  }

  #swap(pieces: Uint8Array[]): Uint8Array[] {
    const [a, b] = [this.#dice.below(pieces.length), this.#dice.below(pieces.length)]
    return pieces.map((piece, at) => (at === a ? (pieces[b] ?? piece) : at === b ? (pieces[a] ?? piece) : piece))
  }

  #cut(pieces: Uint8Array[]): Uint8Array[] {
    const at = this.#dice.below(pieces.length)
    const piece = pieces[at]
    if (piece === undefined) return pieces
    const cut = this.#dice.below(piece.length + 1)
    return pieces.toSpliced(at, 1, piece.subarray(0, cut), piece.subarray(cut))
  }

  #join(pieces: Uint8Array[]): Uint8Array[] {
    const at = this.#dice.below(pieces.length)
    return pieces.toSpliced(at, 2, concatBytes(pieces.slice(at, at + 2)))
  }

  /** A copy, changed at some place. */
  #with(bytes: Uint8Array, change: (copy: Uint8Array, at: number) => void): Uint8Array {
    if (bytes.length === 0) return bytes
    const copy = new Uint8Array(bytes)
    change(copy, this.#dice.below(copy.length))
    return copy
  }
}
