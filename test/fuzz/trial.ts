import { messageOf } from '../../src/shared/errors.ts'
import { byteLength, type FuzzInput, type PreparedTarget } from './fuzz-target.ts'

/** What one input did. */
export type Trial =
  | { readonly kind: 'kept'; readonly features: readonly string[]; readonly ms: number }
  | { readonly kind: 'broken'; readonly why: string; readonly stack: string }

/** Beside `maxMs`: what an input may take for each of its bytes. */
const MAX_MICROSECONDS_PER_BYTE = 10
/** On a busy machine any input may wait for its turn: only one that is slow each time is slow. */
const TRIES = 4
/** What an input may allocate, and for each of its bytes. */
const MAX_ALLOCATED_BYTES = 96 * 1_024 * 1_024
const MAX_ALLOCATED_PER_BYTE = 1_024

/** Runs `input`, and again if it took too long. */
export async function tryInput(target: PreparedTarget, input: FuzzInput, maxMs: number): Promise<Trial> {
  const limitMs = maxMs + (byteLength(input) * MAX_MICROSECONDS_PER_BYTE) / 1_000
  let ms = Infinity
  for (let left = TRIES; left > 0; left -= 1) {
    const startedAt = performance.now()
    let features: readonly string[]
    try {
      const outcome = target.run(input)
      features = outcome instanceof Promise ? await outcome : outcome
    } catch (thrown) {
      return broken(messageOf(thrown), thrown)
    }
    ms = Math.min(ms, performance.now() - startedAt)
    if (ms <= limitMs) return { kind: 'kept', features, ms }
  }
  return broken(`took ${ms.toFixed(0)} ms, at most ${limitMs.toFixed(0)} ms are allowed`, undefined)
}

/** As {@link tryInput}, and looks at what is allocated on the way. Slow: for inputs that are under suspicion. */
export async function weighInput(target: PreparedTarget, input: FuzzInput, maxMs: number): Promise<Trial> {
  globalThis.gc?.()
  const before = allocatedBytes()
  const trial = await tryInput(target, input, maxMs)
  const allocated = allocatedBytes() - before
  if (trial.kind === 'broken' || allocated <= allocationLimit(input)) return trial
  const limit = (allocationLimit(input) / 1_048_576).toFixed(0)
  return broken(`allocated ${(allocated / 1_048_576).toFixed(0)} MiB, at most ${limit} MiB are allowed`, undefined)
}

/** Without a collection in between, what was allocated since an earlier look is the difference. */
export function allocatedBytes(): number {
  const { heapUsed, external, arrayBuffers } = process.memoryUsage()
  return heapUsed + Math.max(external, arrayBuffers)
}

export function allocationLimit(input: FuzzInput): number {
  return MAX_ALLOCATED_BYTES + MAX_ALLOCATED_PER_BYTE * byteLength(input)
}

function broken(why: string, thrown: unknown): Trial {
  return { kind: 'broken', why, stack: thrown instanceof Error ? (thrown.stack ?? '') : '' }
}
