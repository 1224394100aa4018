import { setTimeout as sleep } from 'node:timers/promises'
import type { Session, Work } from './contender.ts'
import { expectedTally } from './payload.ts'
import type { Case, Row } from './rows.ts'
import { quantile, spreadOf, type Spread } from './statistics.ts'

/** A run that takes longer lost something or hangs. */
const RUN_DEADLINE_MS = 120_000

export interface MeasureOptions {
  /** Rounds that count; one more is run before them and dropped. */
  readonly rounds: number
  /** Runs at most so many messages: to see that all works, not how fast. */
  readonly maxCount: number
  readonly onProgress: (progress: Progress) => void
}

export interface Progress {
  readonly row: string
  readonly what: string
  readonly contender: string
  /** 0 is the warm-up. */
  readonly round: number
  readonly rounds: number
}

export interface RowResult {
  readonly row: string
  readonly title: string
  readonly cases: readonly CaseResult[]
}

export interface CaseResult {
  readonly what: string
  readonly unit: 'messages/s' | 'µs a trip'
  readonly messages: number
  readonly rounds: number
  readonly contenders: readonly ContenderResult[]
}

export interface ContenderResult {
  readonly name: string
  readonly about: string
  /** Of the rounds. For round trips each round's value is its median trip. */
  readonly figure: Spread
  /** Round trips only: the 99th percentile of each round. */
  readonly p99?: Spread
  /** How many times better the row's first contender was than this one, round by round. */
  readonly ratio: Spread
}

/** All cases of a row. Every contender is up the whole time; in each round each of them runs once: A B C, A B C, … */
export async function measureRow(row: Row, options: MeasureOptions): Promise<RowResult> {
  const sessions: Session[] = []
  try {
    for (const contender of row.contenders) sessions.push(await contender.setup())
    const cases: CaseResult[] = []
    for (const each of row.cases) cases.push(await measureCase(row, each, sessions, options))
    return { row: row.name, title: row.title, cases }
  } finally {
    await Promise.all(sessions.map((session) => session.teardown()))
  }
}

export function describeCase(each: Case): string {
  if (each.kind === 'round trip') return 'round trip'
  return each.sizeBytes < 1_024 ? `${each.sizeBytes} B` : `${each.sizeBytes / 1_024} KiB`
}

/** What one round gave: higher is better for a rate, lower for a time. */
interface Sample {
  readonly value: number
  readonly p99?: number
}

async function measureCase(row: Row, each: Case, sessions: readonly Session[], options: MeasureOptions): Promise<CaseResult> {
  const what = describeCase(each)
  const count = Math.min(each.count, options.maxCount)
  const samples: Sample[][] = sessions.map(() => [])
  for (let round = 0; round <= options.rounds; round += 1) {
    for (const [index, session] of sessions.entries()) {
      const contender = row.contenders[index]?.name ?? ''
      options.onProgress({ row: row.name, what, contender, round, rounds: options.rounds })
      const sample = await withDeadline(`${row.name}, ${what}: ${contender}`, sampleOf(session, each, count))
      if (round > 0) samples[index]?.push(sample)
    }
  }
  const subject = samples[0] ?? []
  return {
    what,
    unit: each.kind === 'stream' ? 'messages/s' : 'µs a trip',
    messages: count,
    rounds: options.rounds,
    contenders: row.contenders.map(({ name, about }, index) => {
      const own = samples[index] ?? []
      const ratios = own.map(({ value }, round) => {
        const first = subject[round]?.value ?? Number.NaN
        return each.kind === 'stream' ? first / value : value / first
      })
      const p99s = own.flatMap(({ p99 }) => p99 ?? [])
      return {
        name,
        about,
        figure: spreadOf(own.map(({ value }) => value)),
        ...(p99s.length > 0 ? { p99: spreadOf(p99s) } : {}),
        ratio: spreadOf(ratios),
      }
    }),
  }
}

async function sampleOf(session: Session, each: Case, count: number): Promise<Sample> {
  if (each.kind === 'round trip') {
    if (session.roundTrips === undefined) throw new Error('this contender has no round trip')
    const trips = await session.roundTrips(count)
    if (trips.length !== count) throw new Error(`${count} round trips were asked for, ${trips.length} came back`)
    return { value: quantile(trips, 0.5) * 1_000, p99: quantile(trips, 0.99) * 1_000 }
  }
  const work: Work = { count, sizeBytes: each.sizeBytes }
  const { tally, ms } = await session.run(work)
  const expected = expectedTally(work)
  if (tally.messages !== expected.messages || tally.bytes !== expected.bytes || tally.checksum !== expected.checksum) {
    throw new Error(`the receiver counted ${JSON.stringify(tally)}, sent was ${JSON.stringify(expected)}`)
  }
  return { value: (count / ms) * 1_000 }
}

async function withDeadline<T>(what: string, run: Promise<T>): Promise<T> {
  const settled = new AbortController()
  const late = sleep(RUN_DEADLINE_MS, undefined, { signal: settled.signal }).then(() => {
    throw new Error(`not complete after ${RUN_DEADLINE_MS / 1_000} s`)
  })
  try {
    return await Promise.race([run, late])
  } catch (error) {
    throw new Error(`${what}: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
  } finally {
    late.catch(() => {})
    settled.abort()
  }
}
