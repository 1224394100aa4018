import './seed.ts'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createActor, StateMachine, type AnyStateMachine, type AnyStateNode } from 'xstate'
import { byeMachine } from '../../src/security/bye.machine.ts'
import { ChartRun, type ChartHost } from '../../src/security/chart-run.ts'
import { compileChart } from '../../src/security/chart.ts'
import { handshakeMachine } from '../../src/security/handshake.machine.ts'
import { DEFAULT_SESSION_LIMITS } from '../../src/security/limits.ts'
import { resetMachine } from '../../src/security/reset.machine.ts'
import { sessionMachine } from '../../src/security/session.machine.ts'
import { FakeClock } from '../../src/testing/fake-clock.ts'
import { stateName } from '../support/chart-table.ts'

const limits = { ...DEFAULT_SESSION_LIMITS, maxResetAttempts: 3, maxResetMs: 30_000, peerHelloTimeoutMs: 3_000 }
const error = { code: 'ERR_SZMQ_BAD_RECORD', message: 'the tag of a record is wrong' } as const
const role = fc.constantFrom('client' as const, 'server' as const)
const epoch = fc.nat({ max: 6 })

/** Every event of any of the four charts. */
const event = fc.oneof(
  fc.record({
    type: fc.constantFrom(
      ...['open', 'rekey', 'hello.sent', 'hello.received', 'engine.secure', 'engine.drain', 'engine.closeNotifySent'],
      ...['peer.accepted', 'peer.closeNotify', 'peer.reset'],
    ),
  }),
  fc.record({ type: fc.constantFrom('close', 'peer.end'), isDrained: fc.boolean() }),
  fc.record({ type: fc.constantFrom('engine.failed', 'stream.broken', 'peer.violated', 'destroy'), error: fc.constant(error) }),
  fc.record({ type: fc.constant('peer.restarted'), epoch }),
)
/** The way that a handshake goes, so that walks come far. */
const handshake = fc.constant(
  ['open', 'hello.sent', 'hello.received', 'engine.secure', 'peer.accepted'].map((type) => ({ type })),
)
const wait = fc.constantFrom(0, 1, 50, 100, 999, 1_000, 5_000, 10_000, 30_000)
const steps = fc
  .array(
    fc.oneof(
      { weight: 5, arbitrary: event.map((one) => [one]) },
      { weight: 2, arbitrary: wait.map((ms) => [ms]) },
      { weight: 2, arbitrary: handshake },
    ),
    { maxLength: 30 },
  )
  .map((parts) => parts.flat())

const CHARTS: readonly (readonly [string, AnyStateMachine, fc.Arbitrary<object>])[] = [
  ['session', sessionMachine, fc.record({ role, firstEpoch: fc.constantFrom(1, 4), limits: fc.constant(limits) })],
  ['handshake', handshakeMachine, fc.record({ role, limits: fc.constant(limits) })],
  ['bye', byeMachine, fc.record({ isAnswer: fc.boolean(), isDrained: fc.boolean(), limits: fc.constant(limits) })],
  [
    'reset',
    resetMachine,
    fc.record({
      role,
      epoch,
      provenEpoch: epoch,
      attempt: fc.nat({ max: 4 }),
      backOffStep: fc.nat({ max: 20 }),
      peerEpoch: fc.option(epoch, { nil: undefined }),
      error: fc.constant(error),
      limits: fc.constant(limits),
    }),
  ],
]

describe('a chart of ours', () => {
  it.each(CHARTS)('runs as xstate runs it, on any walk: %s', (_name, machine, inputs) => {
    const chart = compileChart(machine)
    const visited = new Set<string>()
    fc.assert(
      fc.property(inputs, steps, (input, walk) => {
        const ours = runOurs(chart, input)
        const theirs = runTheirs(machine, input)
        expect(ours.look()).toEqual(theirs.look())
        for (const step of walk) {
          ours.take(step)
          theirs.take(step)
          expect(ours.look()).toEqual(theirs.look())
          for (const state of ours.look().state.split(' ')) visited.add(state)
        }
      }),
      { numRuns: 400 },
    )
    // Walks that stay at home show nothing.
    expect([...visited]).toEqual(expect.arrayContaining([...restingStates(machine.root)]))
  })
})

type Step = number | { readonly type: string }

function runOurs(chart: ReturnType<typeof compileChart>, input: object) {
  const clock = new FakeClock()
  const actions: string[] = []
  const moves: Record<string, string[]> = {}
  let output: unknown
  const host: ChartHost = {
    clock,
    perform: (action) => actions.push(action),
    moved: (id, from, to) => (moves[id] ??= []).push(from === '' ? `began in ${to}` : to),
    delayMs: () => undefined,
  }
  const run = new ChartRun(chart, input, host, (value) => {
    output = value
  })
  run.start()
  return {
    take(step: Step): void {
      if (typeof step === 'number') clock.advance(step)
      else run.send(step)
    },
    look() {
      const { state, context, isOver } = run
      return { state, context, isOver, output, actions, moves, timers: clock.pendingTimers, next: clock.nextDeadline }
    },
  }
}

function runTheirs(machine: AnyStateMachine, input: object) {
  const clock = new FakeClock()
  const actions: string[] = []
  const moves: Record<string, string[]> = {}
  const last = new Map<string, { readonly actor: object; readonly state: string }>()
  const actor = createActor(withLog(machine, actions), {
    input,
    clock,
    inspect({ type, actorRef }) {
      if (type !== '@xstate.snapshot') return
      const chart = actorRef === actor || !('id' in actorRef) ? machine.id : String(actorRef.id)
      const before = last.get(chart)
      const state = stateName(actorRef.getSnapshot().value)
      if (before?.actor === actorRef && before.state === state) return
      last.set(chart, { actor: actorRef, state })
      ;(moves[chart] ??= []).push(before?.actor === actorRef ? state : `began in ${state}`)
    },
  })
  actor.start()
  return {
    take(step: Step): void {
      if (typeof step === 'number') clock.advance(step)
      else if (actor.getSnapshot().status === 'active') actor.send(step)
    },
    look() {
      const { value, context, status, output } = actor.getSnapshot()
      const isOver = status !== 'active'
      const timers = clock.pendingTimers
      return { state: stateName(value), context, isOver, output, actions, moves, timers, next: clock.nextDeadline }
    },
  }
}

/** Where a walk can be seen to stand: states that are not left at once. */
function restingStates(node: AnyStateNode): readonly string[] {
  const inner = Object.values(node.states)
  if (inner.length > 0) return inner.flatMap(restingStates)
  return node.always === undefined ? [node.path.join('.')] : []
}

/** The machine and those that it invokes, with their effects written down. */
function withLog(machine: AnyStateMachine, log: string[]): AnyStateMachine {
  const own = Object.entries(machine.implementations.actions).filter(([, action]) => !('resolve' in Object(action)))
  const invoked = Object.entries(machine.implementations.actors)
  return machine.provide({
    actions: Object.fromEntries(own.map(([name]) => [name, () => log.push(name)])),
    actors: Object.fromEntries(
      invoked.map(([name, inner]) => [name, inner instanceof StateMachine ? withLog(inner, log) : inner]),
    ),
  })
}
