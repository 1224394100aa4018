/** One input: pieces of bytes. To a decoder of streams they are slices, to a session the steps of a script; each target says which. */
export type FuzzInput = readonly Uint8Array[]

/** Something that takes bytes of strangers. */
export interface FuzzTarget {
  /** Of its corpus folder, too. */
  readonly name: string
  /** Its part of a run's inputs, in proportion to the other targets'. */
  readonly share: number
  /** An input that takes longer, three times in a row, fails. Default {@link DEFAULT_MAX_MS}. */
  readonly maxMs?: number
  /** Once a process; may take its time. */
  prepare(): PreparedTarget | Promise<PreparedTarget>
}

export const DEFAULT_MAX_MS = 100

export interface PreparedTarget {
  /** Valid inputs, and the beginnings of the corpus. */
  readonly seeds: readonly FuzzInput[]
  /** Byte strings that mean something, to be strewn in. */
  readonly words?: readonly Uint8Array[]
  /**
   * Feeds one input and checks every promise; nothing of it is left behind.
   * @returns what was seen, as short texts from a small set: an input that shows a new one is kept and mutated further
   * @throws whatever breaks a promise
   */
  run(input: FuzzInput): readonly string[] | Promise<readonly string[]>
}

export function byteLength(input: FuzzInput): number {
  return input.reduce((sum, piece) => sum + piece.length, 0)
}

/** As in corpus files and reports. */
export function toHexPieces(input: FuzzInput): readonly string[] {
  return input.map((piece) => Buffer.from(piece.buffer, piece.byteOffset, piece.length).toString('hex'))
}

export function fromHexPieces(pieces: readonly string[]): FuzzInput {
  return pieces.map((piece) => Uint8Array.from(Buffer.from(piece, 'hex')))
}
