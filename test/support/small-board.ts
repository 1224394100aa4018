import { Board } from '../../src/transport/board.ts'

/** A board of two threads with rings of `ringBytes`, whose counters of both directions have run up to `mark` already. */
export function smallBoard({ ringBytes, mark = 0 }: { readonly ringBytes: number; readonly mark?: number }): Board {
  const WORDS_BYTES = 4_096
  const board = new Board({ buffer: new SharedArrayBuffer(WORDS_BYTES + 4 * ringBytes), slots: 2, ringBytes })
  for (const [from, to] of [
    [0, 1],
    [1, 0],
  ] as const) {
    const { words, tail, framesTaken } = board.marks(from, to)
    Atomics.store(words, tail, mark)
    Atomics.store(words, framesTaken, mark)
  }
  return board
}
