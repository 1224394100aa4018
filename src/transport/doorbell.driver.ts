import type { Board } from './board.ts'

/**
 * Waits for a thread's bell on the board without any native operation pending: `Atomics.waitAsync` on one word of shared memory.
 * Whoever put something into a pipe rings; the thread then looks into its pipes.
 */
export class Doorbell {
  readonly #board: Board
  readonly #slot: number
  #isListening = false

  constructor(board: Board, slot: number) {
    this.#board = board
    this.#slot = slot
  }

  /**
   * Calls `answer` after each ring (many rings may become one call), and again in a later turn of the event loop for as long as
   * it says that more is waiting. Never lets two answers overlap.
   */
  listen(answer: () => Promise<'idle' | 'more'>): void {
    this.#isListening = true
    void this.#run(answer)
  }

  stop(): void {
    this.#isListening = false
    this.#board.ring(this.#slot)
  }

  async #run(answer: () => Promise<'idle' | 'more'>): Promise<void> {
    const { words, index } = this.#board.bellOf(this.#slot)
    while (this.#isListening) {
      const heard = Atomics.load(words, index)
      if ((await answer()) === 'more') {
        await nextTurn()
      } else {
        const wait = Atomics.waitAsync(words, index, heard)
        if (wait.async) await wait.value
      }
    }
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}
