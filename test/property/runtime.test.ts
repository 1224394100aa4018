import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import './seed.ts'
import { z } from 'zod'
import { ask, defineActor, SzmqError, tell, type ActorRef } from '../../src/index.ts'
import { MemoryCluster, MEMBERS, type Loss, type Member } from '../support/memory-cluster.ts'
import { microtasks } from '../support/memory-runtime.ts'

const Numbered = z.object({ from: z.number(), n: z.number(), extra: z.unknown().optional() })
type Numbered = z.infer<typeof Numbered>

const gates: (() => void)[] = []

/** Writes down what it gets, answers with the number it got. */
const Recorder = defineActor(import.meta, {
  name: 'recorder',
  protocol: {
    note: tell(Numbered),
    put: ask(Numbered, z.number()),
    later: ask(Numbered, z.number()),
    boom: ask(Numbered, z.number()),
    all: ask(z.void(), z.array(Numbered)),
  },
  state: () => [] as Numbered[],
  supervise: { on: 'resume' },
  mailbox: { capacity: 12, policy: 'drop-new' },
  on: {
    note: (all, message) => {
      all.push(message)
    },
    put: (all, message) => {
      all.push(message)
      return message.n
    },
    later: async (all, message) => {
      all.push(message)
      await new Promise<void>((resolve) => {
        gates.push(resolve)
      })
      return message.n
    },
    boom: (all, message) => {
      all.push(message)
      throw new Error('boom')
    },
    all: (all) => all,
  },
})
type RecorderRef = ActorRef<(typeof Recorder)['protocol']>

const member = fc.constantFrom(...MEMBERS)
const other = fc.tuple(member, member).filter(([from, to]) => from !== to)

type Step =
  | {
      readonly kind: 'tell'
      readonly from: Member
      readonly to: Member
      readonly count: number
      readonly isUnpackable: boolean
    }
  | {
      readonly kind: 'ask'
      readonly from: Member
      readonly to: Member
      readonly message: 'put' | 'later' | 'boom'
      readonly timeoutMs: number
    }
  | { readonly kind: 'turn'; readonly at: Member }
  | { readonly kind: 'lose'; readonly what: Loss }
  | { readonly kind: 'arrive' | 'block' | 'open'; readonly way: readonly [Member, Member] }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'release' | 'microtasks' }

const ordinaryStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('tell' as const),
      from: member,
      to: member,
      count: fc.oneof({ weight: 9, arbitrary: fc.integer({ min: 1, max: 10 }) }, { weight: 1, arbitrary: fc.constant(600) }),
      isUnpackable: fc.integer({ min: 0, max: 9 }).map((die) => die === 0),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('ask' as const),
      from: member,
      to: member,
      message: fc.constantFrom('put' as const, 'later' as const, 'boom' as const),
      timeoutMs: fc.integer({ min: 1, max: 100 }),
    }),
  },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('turn' as const), at: member }) },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('arrive' as const), way: other }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('block' as const, 'open' as const), way: other }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 40 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('release' as const, 'microtasks' as const) }) },
)
const loss: fc.Arbitrary<Step> = fc.record({
  kind: fc.constant('lose' as const),
  what: fc.constantFrom('thread' as const, 'a' as const, 'b' as const),
})

/** A cluster with one recorder on each member, and what was sent to them. */
class Run {
  readonly cluster: MemoryCluster
  readonly #recorders: readonly RecorderRef[]
  readonly #refs: readonly (readonly RecorderRef[])[]
  readonly settlements: { n: number; value?: unknown; error?: unknown }[] = []
  asked = 0
  #n = 0

  constructor(grants: Grants) {
    this.cluster = new MemoryCluster(grants)
    gates.length = 0
    this.#recorders = MEMBERS.map((at) => this.cluster.member(at).spawn(Recorder, `/recorder-${at}`))
    this.#refs = MEMBERS.map((from) =>
      MEMBERS.map((to) => {
        const ref = this.#recorders[to] as RecorderRef
        return from === to ? ref : this.cluster.refFrom(from, ref)
      }),
    )
  }

  async step(step: Step): Promise<void> {
    const { cluster } = this
    switch (step.kind) {
      case 'tell':
        for (let sent = 0; sent < step.count; sent += 1) this.#tell(step.from, step.to, step.isUnpackable)
        return
      case 'ask':
        this.#ask(step.from, step.to, step.message, step.timeoutMs)
        return
      case 'turn':
        if (!cluster.lost.has(step.at)) cluster.member(step.at).turns.turn()
        return
      case 'lose':
        cluster.lose(step.what)
        return
      case 'arrive':
      case 'block':
      case 'open':
        cluster[step.kind](...step.way)
        return
      case 'wait':
        cluster.clock.advance(step.ms)
        return
      case 'release':
        gates.shift()?.()
        await microtasks()
        return
      case 'microtasks':
        await microtasks()
    }
  }

  /** Everything opens, arrives and is handled; then time passes until nobody can still wait. */
  async settle(): Promise<void> {
    const { cluster } = this
    for (const from of MEMBERS) for (const to of MEMBERS) if (from !== to) cluster.open(from, to)
    for (let isBusy = true; isBusy;) {
      isBusy = false
      for (const gate of gates.splice(0)) gate()
      await microtasks()
      for (const at of MEMBERS) {
        const { turns } = cluster.member(at)
        if (!cluster.lost.has(at) && !turns.isIdle) {
          isBusy = true
          turns.settle()
        }
        for (const to of MEMBERS) {
          if (at === to || cluster.way(at, to).batches.length === 0) continue
          isBusy = true
          cluster.arrive(at, to)
        }
      }
      isBusy ||= gates.length > 0
    }
    cluster.clock.advance(1_000)
    await microtasks()
  }

  async recorded(at: Member): Promise<readonly Numbered[]> {
    const all = (this.#recorders[at] as RecorderRef).ask.all()
    this.cluster.member(at).turns.settle()
    return all
  }

  #tell(from: Member, to: Member, isUnpackable: boolean): void {
    if (this.cluster.lost.has(from)) return
    this.#ref(from, to).tell.note({ ...this.#next(from, to), ...(isUnpackable ? { extra: () => 1 } : {}) })
  }

  #ask(from: Member, to: Member, message: 'put' | 'later' | 'boom', timeoutMs: number): void {
    if (this.cluster.lost.has(from)) return
    const numbered = this.#next(from, to)
    this.asked += 1
    this.#ref(from, to)
      .ask[message](numbered, { timeoutMs })
      .then(
        (value) => this.settlements.push({ n: numbered.n, value }),
        (error: unknown) => this.settlements.push({ n: numbered.n, error }),
      )
  }

  #ref(from: Member, to: Member): RecorderRef {
    return this.#refs[from]?.[to] as RecorderRef
  }

  #next(from: Member, to: Member): Numbered {
    this.#n += 1
    if (from !== to) this.cluster.way(from, to).told += 1
    return { from, n: this.#n }
  }
}

const CODES = ['ERR_SZMQ_ASK_TIMEOUT', 'ERR_SZMQ_HANDLER_FAILED', 'ERR_SZMQ_MAILBOX_FULL']
const CODES_OF_LOSS = [
  ...CODES,
  'ERR_SZMQ_THREAD_LOST',
  'ERR_SZMQ_NODE_LOST',
  'ERR_SZMQ_INVALID_STATE',
  'ERR_SZMQ_ACTOR_STOPPED',
]

type Grants = ConstructorParameters<typeof MemoryCluster>[0]

async function check(steps: readonly Step[], codes: readonly string[], grants?: Grants): Promise<void> {
  const run = new Run(grants)
  for (const step of steps) {
    await run.step(step)
    expect(run.cluster.imbalance).toBe(0)
  }
  await run.settle()
  expect(run.cluster.imbalance).toBe(0)
  expect(run.settlements).toHaveLength(run.asked)
  for (const { n, value, error } of run.settlements) {
    if (error === undefined) expect(value).toBe(n)
    else expect(error instanceof SzmqError ? codes : []).toContain((error as SzmqError).code)
  }
  for (const at of MEMBERS) {
    if (run.cluster.lost.has(at)) continue
    const all = await run.recorded(at)
    for (const from of MEMBERS) {
      const numbers = all.filter((message) => message.from === from).map(({ n }) => n)
      expect(numbers).toEqual([...new Set(numbers)].toSorted((a, b) => a - b))
    }
    expect(run.cluster.member(at).runtime.stats.waiting).toBe(0)
  }
}

describe('three runtimes, whatever happens between them in whatever order', () => {
  it('keep the order of each pair, count every message and settle every ask', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(ordinaryStep, { maxLength: 80, size: 'max' }), async (steps) => {
        await check(steps, CODES)
      }),
    )
  })

  it('do so when a thread or a node is lost in the middle', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(ordinaryStep, { maxLength: 50, size: 'max' }),
        loss,
        fc.array(ordinaryStep, { maxLength: 30, size: 'max' }),
        async (before, lost, after) => {
          await check([...before, lost, ...after], CODES_OF_LOSS)
        },
      ),
    )
  })

  it('do so when each node lets the other one reach only some of it', async () => {
    const messages = ['note', 'later']
    const grants = {
      a: [{ path: 'shop/recorder-0', messages }, { path: 'shop/recorder-2' }],
      b: [{ path: 'shop/*', messages }],
    }
    await fc.assert(
      fc.asyncProperty(fc.array(ordinaryStep, { maxLength: 60, size: 'max' }), async (steps) => {
        await check(steps, [...CODES, 'ERR_SZMQ_NOT_AUTHORIZED'], grants)
      }),
    )
  })
})
