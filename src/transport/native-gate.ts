/** How long {@link barNative} waits for a call to come back, in milliseconds. One takes microseconds. */
const MAX_CALL_MS = 1_000

/**
 * The gate in front of a thread's native calls. When a thread is stopped from outside (`worker.terminate()`, `process.exit()` on the
 * main thread) while it is inside zeromq.js, the addon throws where nothing can catch it and the whole process aborts. So a thread
 * passes this gate for each call, and whoever stops it bars the gate first: {@link barNative}. Two words of shared memory, each with
 * one writer.
 */
export interface NativeGate {
  readonly words: Int32Array
  /** 1: a native call is under way. Written by the thread itself. */
  readonly inside: number
  /** 1: no call may begin any more. Written by who stops the thread. */
  readonly barred: number
}

/** @returns false: barred, for ever; this thread is about to be stopped. Else call {@link leaveNative} afterwards. */
export function enterNative({ words, inside, barred }: NativeGate): boolean {
  // In this order: either we see the bar, or whoever put it there sees us.
  Atomics.store(words, inside, 1)
  if (Atomics.load(words, barred) === 0) return true
  Atomics.store(words, inside, 0)
  return false
}

export function leaveNative({ words, inside }: NativeGate): void {
  Atomics.store(words, inside, 0)
}

/** Lets no more native calls begin, and waits for one that is under way. Blocks, for microseconds. Then the thread can be stopped. */
export function barNative({ words, inside, barred }: NativeGate): void {
  Atomics.store(words, barred, 1)
  for (let waitedMs = 0; Atomics.load(words, inside) === 1 && waitedMs < MAX_CALL_MS; waitedMs += 1) {
    // Nobody notifies: the call is over long before the millisecond is, and thread ends are rare.
    Atomics.wait(words, inside, 1, 1)
  }
}
