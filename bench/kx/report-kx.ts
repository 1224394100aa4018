import type { Spread } from '../statistics.ts'
import { NOT_TRIED } from './handshake-contender.ts'
import type { IdleMemory, IdleResult } from './idle-memory.ts'
import type { ExchangeResult, HandshakeResult, KxResult } from './measure-kx.ts'

/** What is asked of szmq, as shares of a bare `node:tls` pair. */
const LEAST_SHARE_OF_RATE = 0.8
const MOST_SHARE_OF_MEMORY = 1.5

/** The share of bare `node:tls` comes first: it holds on other machines, the figures do not. */
export function formatKx({ row, title, rounds, cases, idleMemory }: KxResult): string {
  return [`${row}: ${title} · ${rounds} rounds`, ...cases.map(formatExchange), formatIdleMemory(idleMemory)].join('\n')
}

/** What a run that measures nothing has to say: who was not there. */
export function formatKxSmoke({ row, cases, idleMemory }: KxResult): string {
  const cells = [...cases.map(({ what, contenders }) => ({ what, contenders })), { what: 'idle memory', ...idleMemory }]
  const absent = cells.flatMap(({ what, contenders }) =>
    contenders.flatMap((each) =>
      each.kind === 'absent' && each.reason !== NOT_TRIED.reason ? [`  ${what}: ${each.name}: ${each.reason}`] : [],
    ),
  )
  return [`${row}: complete, all handshakes as asked for; absent cells: ${absent.length}`, ...absent].join('\n')
}

function formatExchange({ what, suite, certificate, contenders }: ExchangeResult): string {
  const lines = contenders.map((each) => `    ${formatHandshakes(each)}`)
  return `  ${what} · ${suite} · ${certificate}\n${lines.join('\n')}`
}

function formatHandshakes(result: HandshakeResult): string {
  if (result.kind === 'absent') return `${''.padEnd(26)} ${result.name.padEnd(22)} ${result.reason}`
  const { name, share, figure } = result
  const target = name.startsWith('szmq') && share.median < LEAST_SHARE_OF_RATE ? `  below ${LEAST_SHARE_OF_RATE} ×` : ''
  return `${formatShare(share).padEnd(26)} ${name.padEnd(22)} ${formatSpread(figure)} handshakes/s${target}`
}

function formatIdleMemory({ pairs, rounds, contenders }: IdleMemory): string {
  const lines = contenders.map((each) => `    ${formatIdle(each)}`)
  return `  memory of an idle pair of ends, of ${pairs.toLocaleString('en')} · ${rounds} rounds\n${lines.join('\n')}`
}

function formatIdle(result: IdleResult): string {
  if (result.kind === 'absent') return `${''.padEnd(26)} ${result.name.padEnd(22)} ${result.reason}`
  const { name, rss, heap, rssShare, heapShare } = result
  const target = rssShare.median > MOST_SHARE_OF_MEMORY ? `  above ${MOST_SHARE_OF_MEMORY} ×` : ''
  const of = `${formatKib(rss)} resident, ${formatKib(heap)} of it JavaScript (${heapShare.median.toFixed(2)} ×)`
  return `${formatShare(rssShare).padEnd(26)} ${name.padEnd(22)} ${of}${target}`
}

function formatShare({ median, min, max }: Spread): string {
  return `${median.toFixed(2)} × (${min.toFixed(2)} – ${max.toFixed(2)})`
}

function formatSpread({ median, min, max }: Spread): string {
  return min === max ? formatRate(median) : `${formatRate(median)} (${formatRate(min)} – ${formatRate(max)})`
}

function formatRate(rate: number): string {
  return rate < 100 ? rate.toFixed(1) : Math.round(rate).toLocaleString('en')
}

function formatKib({ median, min, max }: Spread): string {
  const kib = (bytes: number): string => (bytes / 1_024).toFixed(1)
  return `${kib(median)} KiB (${kib(min)} – ${kib(max)})`
}
