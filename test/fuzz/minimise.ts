import { byteLength, type FuzzInput } from './fuzz-target.ts'

/**
 * A smaller input that fails in the same way: pieces left out, then runs of bytes, then bytes made zero.
 * @param fails called at most `maxTries` times
 */
export async function minimise(
  input: FuzzInput,
  fails: (candidate: FuzzInput) => Promise<boolean>,
  maxTries = 2_000,
): Promise<FuzzInput> {
  let best = input
  let left = maxTries
  const attempt = async (candidate: FuzzInput): Promise<boolean> => {
    if (left <= 0) return false
    left -= 1
    if (!(await fails(candidate))) return false
    best = candidate
    return true
  }
  for (let before = Infinity; byteLength(best) + best.length < before && left > 0;) {
    before = byteLength(best) + best.length
    for (let at = best.length - 1; at >= 0; at -= 1) await attempt(best.toSpliced(at, 1))
    for (let at = 0; at < best.length; at += 1) await shorten(at)
  }
  for (let at = 0; at < best.length; at += 1) await blank(at)
  return best

  async function shorten(at: number): Promise<void> {
    for (let run = best[at]?.length ?? 0; run >= 1; run >>= 1) {
      for (let start = (best[at]?.length ?? 0) - run; start >= 0; start -= run) {
        const piece = best[at] ?? new Uint8Array()
        const shorter = Buffer.concat([piece.subarray(0, start), piece.subarray(start + run)])
        await attempt(best.with(at, shorter))
      }
    }
  }

  async function blank(at: number): Promise<void> {
    for (let place = 0; place < (best[at]?.length ?? 0); place += 1) {
      const piece = best[at] ?? new Uint8Array()
      if (piece[place] === 0) continue
      const changed = new Uint8Array(piece)
      changed[place] = 0
      await attempt(best.with(at, changed))
    }
  }
}
