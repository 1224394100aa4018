import type { Machine } from './machine.ts'
import type { CaseResult, ContenderResult, RowResult } from './measure.ts'
import type { Spread } from './statistics.ts'

export function formatMachine({ cpu, cores, memoryBytes, platform, node, zeromq, commit, isModified }: Machine): string {
  const memory = `${Math.round(memoryBytes / 2 ** 30)} GiB`
  const state = commit === undefined ? 'no commit' : `commit ${commit.slice(0, 10)}${isModified ? ' with changes' : ''}`
  return `${cpu}, ${cores} cores, ${memory}, ${platform} · Node ${node} · ZeroMQ ${zeromq} · ${state}`
}

/** The ratio comes first: it holds on other machines, the figures do not. */
export function formatRow({ row, title, cases }: RowResult): string {
  return [`${row}: ${title}`, ...cases.map(formatCase)].join('\n')
}

function formatCase({ what, messages, rounds, unit, contenders }: CaseResult): string {
  const lines = contenders.map((each, index) => `    ${formatContender(each, unit, index === 0)}`)
  return `  ${what} · ${messages.toLocaleString('en')} messages · ${rounds} rounds\n${lines.join('\n')}`
}

function formatContender({ name, figure, p99, ratio }: ContenderResult, unit: CaseResult['unit'], isSubject: boolean): string {
  const compared = isSubject ? '1 ×' : `${formatRatio(ratio.median)} × (${formatRatio(ratio.min)} – ${formatRatio(ratio.max)})`
  const tail = p99 === undefined ? '' : `, p99 ${formatFigure(p99.median)}`
  return `${compared.padEnd(24)} ${name.padEnd(16)} ${formatSpread(figure)} ${unit}${tail}`
}

function formatSpread({ median, min, max }: Spread): string {
  return `${formatFigure(median)} (${formatFigure(min)} – ${formatFigure(max)})`
}

function formatRatio(ratio: number): string {
  return ratio.toFixed(ratio < 10 ? 2 : 1)
}

function formatFigure(figure: number): string {
  if (figure >= 1e6) return `${(figure / 1e6).toFixed(2)} M`
  if (figure >= 1e4) return `${(figure / 1e3).toFixed(0)} k`
  return figure.toFixed(figure < 100 ? 1 : 0)
}
