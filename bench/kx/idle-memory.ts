import { fork } from 'node:child_process'
import { once } from 'node:events'
import { spreadOf, type Spread } from '../statistics.ts'
import type { Absent } from './handshake-contender.ts'

/** Who holds sessions open in {@link measureIdleMemory}. */
export const IDLE_CONTENDERS = ['node:tls', 'szmq, openssl', 'szmq, gnutls'] as const
export type IdleContender = (typeof IDLE_CONTENDERS)[number]

const ROUNDS = 3
const PAIRS = 1_000
const SMOKE_PAIRS = 10
const DEADLINE_MS = 60_000

/** What the process that holds the sessions is asked, and what it answers. */
export interface IdleOrder {
  readonly contender: IdleContender
  readonly pairs: number
}
export type IdleAnswer = ({ readonly kind: 'measured' } & IdleSample) | Absent

/** Bytes for each pair of open ends, client and server together. */
interface IdleSample {
  /** Of the operating system: all of it, OpenSSL's and GnuTLS's own memory too. */
  readonly rss: number
  /** JavaScript objects, after a garbage collection. */
  readonly heap: number
}

export interface IdleMemory {
  readonly pairs: number
  readonly rounds: number
  readonly contenders: readonly IdleResult[]
}

export type IdleResult = { readonly name: IdleContender } & (
  | {
      readonly kind: 'measured'
      readonly rss: Spread
      readonly heap: Spread
      /** This contender's bytes for each one of bare `node:tls`, round by round. */
      readonly rssShare: Spread
      readonly heapShare: Spread
    }
  | Absent
)

/** What an open session costs while nothing happens. A fresh process for each contender and round, contenders alternating. */
export async function measureIdleMemory({ isSmoke }: { readonly isSmoke: boolean }): Promise<IdleMemory> {
  const [rounds, pairs] = isSmoke ? [1, SMOKE_PAIRS] : [ROUNDS, PAIRS]
  const answers: IdleAnswer[][] = IDLE_CONTENDERS.map(() => [])
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, contender] of IDLE_CONTENDERS.entries()) answers[index]?.push(await ask({ contender, pairs }))
  }
  const bare = (answers[0] ?? []).filter((answer) => answer.kind === 'measured')
  return {
    pairs,
    rounds,
    contenders: IDLE_CONTENDERS.map((name, index) => {
      const own = answers[index] ?? []
      const absent = own.find((answer) => answer.kind === 'absent')
      if (absent !== undefined) return { name, ...absent }
      const samples = own.filter((answer) => answer.kind === 'measured')
      const shareOf = (what: keyof IdleSample): Spread =>
        spreadOf(samples.map((sample, round) => sample[what] / (bare[round]?.[what] ?? Number.NaN)))
      return {
        name,
        kind: 'measured',
        rss: spreadOf(samples.map(({ rss }) => rss)),
        heap: spreadOf(samples.map(({ heap }) => heap)),
        rssShare: shareOf('rss'),
        heapShare: shareOf('heap'),
      }
    }),
  }
}

async function ask(order: IdleOrder): Promise<IdleAnswer> {
  const child = fork(new URL('./idle-memory.child.js', import.meta.url), {
    execArgv: ['--expose-gc'],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    timeout: DEADLINE_MS,
  })
  const ended = once(child, 'exit').then(() => {
    throw new Error(`kx, idle memory: the process of ${order.contender} ended without an answer`)
  })
  ended.catch(() => {})
  child.send(order)
  const [answer] = (await Promise.race([once(child, 'message'), ended])) as [IdleAnswer]
  child.kill()
  return answer
}
