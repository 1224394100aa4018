import { setImmediate as nextTurn } from 'node:timers/promises'

/** How far a sender without flow control of its own may run ahead of its receiver. */
const MAX_AHEAD_MESSAGES = 32_768
const MAX_AHEAD_BYTES = 32 * 1024 * 1024
/** A sender lets the event loop turn after so much. */
const SLICE_MESSAGES = 1_024
const SLICE_BYTES = 4 * 1024 * 1024

/** After how many messages a receiver says how far it is: a quarter of what a sender may be ahead. */
export function acknowledgeEvery(sizeBytes: number): number {
  return Math.max(1, Math.floor(aheadOf(sizeBytes) / 4))
}

/**
 * Back-pressure for contenders that have none (postMessage, a bare socket): without it their queues would hold the whole run in
 * memory. It costs them one small answer for thousands of messages.
 */
export class Flow {
  #handled = 0
  #wake: (() => void) | undefined

  /** The receiver has handled so many messages of this run. */
  acknowledge(handled: number): void {
    this.#handled = handled
    this.#wake?.()
  }

  /** Calls `send(n)` for n = 0 … count - 1, never too far ahead, `afterSlice` now and then and at the end. */
  async send(count: number, sizeBytes: number, send: (n: number) => void, afterSlice?: () => void): Promise<void> {
    this.#handled = 0
    const ahead = aheadOf(sizeBytes)
    const slice = Math.max(1, Math.min(SLICE_MESSAGES, Math.floor(SLICE_BYTES / sizeBytes)))
    for (let n = 0; n < count;) {
      while (n + slice - this.#handled > ahead) await this.#acknowledged()
      for (const end = Math.min(count, n + slice); n < end; n += 1) send(n)
      afterSlice?.()
      await nextTurn()
    }
  }

  #acknowledged(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }
}

function aheadOf(sizeBytes: number): number {
  return Math.max(SLICE_BYTES / 65_536, Math.min(MAX_AHEAD_MESSAGES, Math.floor(MAX_AHEAD_BYTES / sizeBytes)))
}
