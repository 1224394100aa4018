import type { LinkInfo, ThreadStats } from 'szmq'
import type { Tally } from './job.ts'
import { topWords } from './words.ts'

const TOP = 20
const MAX_LISTED = 10

/** What the job found, for people. */
export function formatReport(tally: Tally, stats: ThreadStats, link: LinkInfo | undefined): string {
  const seconds = tally.ms / 1_000
  const top = topWords(tally.counts, TOP)
  const width = Math.max(...top.map(([word]) => word.length), 4)
  return [
    `The ${top.length} most frequent of ${number(tally.counts.size)} different words:`,
    ...top.map(([word, count], at) => `${String(at + 1).padStart(4)}  ${word.padEnd(width)}  ${number(count).padStart(11)}`),
    '',
    `counted      ${number(tally.files)} files, ${megabytes(tally.bytes)}, ${number(tally.words)} words in ${seconds.toFixed(2)} s`,
    `             ${number(tally.files / seconds)} files/s, ${number(tally.words / seconds)} words/s, ${megabytes(tally.bytes / seconds)}/s`,
    `messages     ${number(stats.sent)} sent by the first node's actors, ${number(stats.sent / seconds)}/s`,
    ...(tally.binary > 0 ? [`not text     ${number(tally.binary)} files hold binary data and were left out`] : []),
    ...formatUnreadable(tally),
    ...(link === undefined ? [] : ['', ...formatLink(link)]),
  ].join('\n')
}

function formatUnreadable({ unreadable }: Tally): string[] {
  if (unreadable.length === 0) return []
  const rest = unreadable.length - MAX_LISTED
  return [
    `unreadable   ${number(unreadable.length)}:`,
    ...unreadable.slice(0, MAX_LISTED).map(({ path, reason }) => `             ${path}: ${reason}`),
    ...(rest > 0 ? [`             … and ${number(rest)} more`] : []),
  ]
}

function formatLink({ peer, tls, handshakeMs, batches, wire }: LinkInfo): string[] {
  return [
    `link         to ${peer}: ${number(batches.batchesSent)} batches out (${megabytes(batches.bytesSent)}), ${number(batches.batchesReceived)} in (${megabytes(batches.bytesReceived)})`,
    `             on the wire ${number(wire.framesSent)} frames out (${megabytes(wire.bytesSent)}), ${number(wire.framesReceived)} in (${megabytes(wire.bytesReceived)}), all ciphertext`,
    `session      ${tls.version}, ${tls.cipherSuite}, group ${tls.group}, handshake ${handshakeMs.toFixed(1)} ms, engine ${tls.engine}`,
    `             peer ${tls.peer.subject} (${tls.peer.names.join(', ')})${formatCertificate(tls.peer)}`,
  ]
}

function formatCertificate(peer: LinkInfo['tls']['peer']): string {
  return peer.verifiedBy === 'x509' ? `, certificate by ${peer.issuer} until ${peer.validTo}` : ''
}

function number(value: number): string {
  return Math.round(value).toLocaleString('en-US')
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(2)} MB`
}
