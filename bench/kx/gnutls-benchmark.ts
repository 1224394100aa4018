import { NOT_TRIED } from './handshake-contender.ts'
import { outputOf } from './processes.ts'

/** It takes 5 seconds for each of some nine exchanges. */
const DEADLINE_MS = 120_000
const VERSION_DEADLINE_MS = 5_000

export type GnutlsBenchmark =
  | { readonly kind: 'measured'; readonly seconds: number; readonly handshakesPerSecond: ReadonlyMap<string, number> }
  | { readonly kind: 'absent'; readonly reason: string }

const ABSENT = { kind: 'absent', reason: 'not installed (apt-get install gnutls-bin)' } as const

/**
 * `gnutls-cli --benchmark-tls-kx`: GnuTLS's own figure. Client and server in one thread, over memory, the server alone shows a certificate and nobody
 * verifies it: an upper limit.
 */
export async function runGnutlsBenchmark(): Promise<GnutlsBenchmark> {
  const output = await outputOf('gnutls-cli', ['--benchmark-tls-kx'], DEADLINE_MS)
  if (output === undefined) return ABSENT
  const handshakesPerSecond = readBenchmark(output.stdout)
  if (handshakesPerSecond.size === 0) return { kind: 'absent', reason: 'gnutls-cli printed no figure that can be read' }
  return { kind: 'measured', seconds: output.ms / 1_000, handshakesPerSecond }
}

/** For a run that measures nothing: is it there? */
export async function findGnutlsBenchmark(): Promise<GnutlsBenchmark> {
  const output = await outputOf('gnutls-cli', ['--version'], VERSION_DEADLINE_MS)
  return output === undefined ? ABSENT : NOT_TRIED
}

/** A title in parentheses, then lines of which one says `238.49 transactions/sec`. */
function readBenchmark(text: string): ReadonlyMap<string, number> {
  const figures = new Map<string, number>()
  for (const [, title, figure] of text.matchAll(/^\s*(\(TLS\S+)\s*\n\s*-\s*([\d.]+) transactions\/sec/gm)) {
    if (title !== undefined && figure !== undefined) figures.set(title, Number(figure))
  }
  return figures
}
