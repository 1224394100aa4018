import { setTimeout as sleep } from 'node:timers/promises'
import { spreadOf, type Spread } from '../statistics.ts'
import { barePair, barePairWithAnswer } from './bare-pair.ts'
import { makeCertificates, type CertificateKind, type Certificates } from './certificates.ts'
import { exchanges, type Exchange } from './exchanges.ts'
import { findGnutlsBenchmark, runGnutlsBenchmark, type GnutlsBenchmark } from './gnutls-benchmark.ts'
import { NOT_TRIED, type Absent, type HandshakeContender, type Handshaker } from './handshake-contender.ts'
import { measureIdleMemory, type IdleMemory } from './idle-memory.ts'
import { opensslLoop } from './openssl-loop.ts'
import { szmqEngines } from './szmq-engines.ts'
import { szmqSessions } from './szmq-sessions.ts'

const contenders: readonly HandshakeContender[] = [
  barePair,
  barePairWithAnswer,
  szmqSessions('openssl'),
  szmqEngines('openssl'),
  szmqSessions('gnutls'),
  szmqEngines('gnutls'),
  opensslLoop,
]

/** For how long each contender runs in each round. */
const SLICE_MS = 500
const WARM_UP_MS = 1_000
const SMOKE_SLICE_MS = 1
const RUN_DEADLINE_MS = 60_000

export interface KxOptions {
  readonly rounds: number
  /** To see that all works, not how fast. */
  readonly isSmoke: boolean
  readonly onProgress: (progress: {
    readonly row: string
    readonly what: string
    readonly contender: string
    readonly round: number
    readonly rounds: number
  }) => void
}

export interface KxResult {
  readonly row: 'kx'
  readonly title: string
  readonly rounds: number
  readonly cases: readonly ExchangeResult[]
  readonly idleMemory: IdleMemory
}

export interface ExchangeResult {
  readonly what: string
  readonly suite: string
  readonly certificate: CertificateKind
  readonly unit: 'handshakes/s'
  readonly contenders: readonly HandshakeResult[]
}

export type HandshakeResult = { readonly name: string; readonly about: string } & (
  | {
      readonly kind: 'measured'
      readonly figure: Spread
      /** This contender's handshakes for each one of bare `node:tls`, round by round. */
      readonly share: Spread
    }
  | Absent
)

/** All exchanges. In each round each contender runs once: A B C, A B C, … */
export async function measureKx(options: KxOptions): Promise<KxResult> {
  const gnutls = options.isSmoke ? await findGnutlsBenchmark() : await runGnutlsBenchmark()
  const certificates = new Map<CertificateKind, Certificates>()
  for (const { certificate } of exchanges) {
    if (!certificates.has(certificate)) certificates.set(certificate, await makeCertificates(certificate))
  }
  const cases: ExchangeResult[] = []
  for (const exchange of exchanges) {
    const own = certificates.get(exchange.certificate)
    if (own === undefined) throw new Error(`no certificates of kind ${exchange.certificate}`)
    const results = await measureExchange(exchange, own, options)
    cases.push({
      what: describeExchange(exchange),
      suite: exchange.suite,
      certificate: exchange.certificate,
      unit: 'handshakes/s',
      contenders: [...results, ownFigure(exchange, gnutls, results)],
    })
  }
  const title = 'TLS handshakes, mutual X.509, client and server'
  return { row: 'kx', title, rounds: options.rounds, cases, idleMemory: await measureIdleMemory(options) }
}

export function describeExchange({ name, version }: Exchange): string {
  return `${name}, ${version === 'TLSv1.3' ? 'TLS 1.3' : 'TLS 1.2'}`
}

async function measureExchange(
  exchange: Exchange,
  certificates: Certificates,
  { rounds, isSmoke, onProgress }: KxOptions,
): Promise<readonly HandshakeResult[]> {
  const what = describeExchange(exchange)
  const prepared: (Handshaker | Absent)[] = []
  try {
    for (const contender of contenders) {
      // Slow ones are tried with a full handshake and a resumed one.
      const isLeftOut = isSmoke && contender.isSlow && exchange !== exchanges[0] && exchange !== exchanges.at(-1)
      if (isLeftOut) prepared.push(NOT_TRIED)
      else prepared.push(await inTime(`${what}: ${contender.name}`, contender.prepare(exchange, certificates)))
    }
    const rates: number[][] = contenders.map(() => [])
    for (let round = isSmoke ? 1 : 0; round <= rounds; round += 1) {
      for (const [index, handshaker] of prepared.entries()) {
        if (handshaker.kind === 'absent') continue
        const contender = contenders[index]?.name ?? ''
        onProgress({ row: 'kx', what, contender, round, rounds })
        const forMs = isSmoke ? SMOKE_SLICE_MS : round === 0 ? WARM_UP_MS : SLICE_MS
        const { handshakes, ms } = await inTime(`${what}: ${contender}`, handshaker.run(forMs))
        if (round > 0) rates[index]?.push((handshakes / ms) * 1_000)
      }
    }
    const bare = rates[0] ?? []
    return contenders.map(({ name, about }, index) => {
      const handshaker = prepared[index]
      if (handshaker?.kind === 'absent') return { name, about, ...handshaker }
      const own = rates[index] ?? []
      const shares = own.map((rate, round) => rate / (bare[round] ?? Number.NaN))
      return { name, about, kind: 'measured', figure: spreadOf(own), share: spreadOf(shares) }
    })
  } finally {
    for (const handshaker of prepared) if (handshaker.kind === 'ready') await handshaker.dispose()
  }
}

/** GnuTLS's own figure was taken once, in front of all rounds. */
function ownFigure(exchange: Exchange, gnutls: GnutlsBenchmark, [bare]: readonly HandshakeResult[]): HandshakeResult {
  const name = 'gnutls-cli'
  const about = `gnutls-cli --benchmark-tls-kx, ${exchange.gnutlsCliTitle ?? 'which resumes nothing'}`
  if (gnutls.kind === 'absent') return { name, about, ...gnutls }
  const rate = exchange.gnutlsCliTitle === undefined ? undefined : gnutls.handshakesPerSecond.get(exchange.gnutlsCliTitle)
  if (rate === undefined || bare?.kind !== 'measured') return { name, about, kind: 'absent', reason: 'has no such figure' }
  return { name, about, kind: 'measured', figure: spreadOf([rate]), share: spreadOf([rate / bare.figure.median]) }
}

async function inTime<T>(what: string, run: Promise<T>): Promise<T> {
  const settled = new AbortController()
  const late = sleep(RUN_DEADLINE_MS, undefined, { signal: settled.signal }).then(() => {
    throw new Error(`not complete after ${RUN_DEADLINE_MS / 1_000} s`)
  })
  try {
    return await Promise.race([run, late])
  } catch (error) {
    throw new Error(`kx, ${what}: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
  } finally {
    late.catch(() => {})
    settled.abort()
  }
}
