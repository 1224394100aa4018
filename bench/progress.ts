import type { Progress } from './measure.ts'

/** One line that rewrites itself on a terminal; nothing anywhere else. */
export function showProgress({ row, what, contender, round, rounds }: Progress): void {
  if (!process.stderr.isTTY) return
  const turn = round === 0 ? 'warm-up' : `round ${round} of ${rounds}`
  process.stderr.write(`\r\u001b[2K${row} · ${what} · ${turn} · ${contender}`)
}

export function clearProgress(): void {
  if (process.stderr.isTTY) process.stderr.write('\r\u001b[2K')
}
