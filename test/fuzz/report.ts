/** What a run says of one target. */
export interface TargetSummary {
  readonly name: string
  readonly inputs: number
  readonly seconds: number
  readonly corpusSize: number
  readonly coveredCharacters: number
  readonly slowestMs: number
  readonly slowestBytes: number
  /** Files in its corpus. */
  readonly kept: number
}

const HEAD = ['target', 'inputs', 'a second', 'corpus', 'kept', 'code run', 'longest'] as const

/** A table, and a line about all of it. */
export function formatSummary(summaries: readonly TargetSummary[], seconds: number): string {
  const rows = summaries.map((each) => [
    each.name,
    count(each.inputs),
    count(each.inputs / Math.max(each.seconds, 0.001)),
    count(each.corpusSize),
    count(each.kept),
    `${(each.coveredCharacters / 1_024).toFixed(0)} KiB`,
    `${each.slowestMs.toFixed(1)} ms (${count(each.slowestBytes)} B)`,
  ])
  const widths = HEAD.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)))
  const lines = [HEAD, ...rows].map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  '),
  )
  const total = summaries.reduce((sum, { inputs }) => sum + inputs, 0)
  return `${lines.join('\n')}\n\n${count(total)} inputs in ${seconds.toFixed(0)} s`
}

function count(value: number): string {
  return Math.round(value).toLocaleString('en')
}
