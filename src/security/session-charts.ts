import { createActor, type Actor } from 'xstate'
import type { Clock } from '../shared/clock.ts'
import type { Random } from '../shared/random.ts'
import { byeMachine } from './bye.machine.ts'
import type { ErrorReference } from './error-reference.ts'
import { handshakeMachine } from './handshake.machine.ts'
import { backOffMs } from './limits.ts'
import { resetMachine } from './reset.machine.ts'
import { sessionMachine, type SessionInput } from './session.machine.ts'

/** What the charts ask for. Each is called after the transition that asked for it is complete, in order. */
export interface SessionEffects {
  startEpoch(epoch: number): void
  beginHandshake(): void
  sendAccept(): void
  reportOpen(): void
  reportResetting(error: ErrorReference): void
  discard(): void
  requestReset(epoch: number): void
  sendEnd(): void
  disconnect(): void
  release(): void
  reportClosed(): void
  reportFailed(error: ErrorReference): void
}

export type ChartName = 'session' | 'handshake' | 'reset' | 'bye'
export type SessionActor = Actor<typeof sessionMachine>

/** What the charts of one session are wired to. */
interface Wiring {
  readonly effects: SessionEffects
  readonly defer: (effect: () => void) => void
  readonly random: Random
}

/** By the actor system, which a session's charts share: the charts themselves are built once, as that is slow. */
const WIRINGS = new WeakMap<object, Wiring>()

interface InSystem {
  readonly system: object
}

function wiringOf(system: object): Wiring {
  const wiring = WIRINGS.get(system)
  if (wiring === undefined) throw new TypeError('this chart belongs to no session')
  return wiring
}

function later(system: object, effect: (effects: SessionEffects) => void): void {
  const { defer, effects } = wiringOf(system)
  defer(() => {
    effect(effects)
  })
}

/** For effects that need nothing from the chart. */
function plain(name: PlainEffect): (args: InSystem) => void {
  return ({ system }) => {
    later(system, (effects) => {
      effects[name]()
    })
  }
}

type PlainEffect = {
  [Name in keyof SessionEffects]: SessionEffects[Name] extends () => void ? Name : never
}[keyof SessionEffects]

const wiredSessionMachine = sessionMachine.provide({
  actors: {
    handshake: handshakeMachine.provide({
      actions: { beginHandshake: plain('beginHandshake'), sendAccept: plain('sendAccept') },
    }),
    reset: resetMachine.provide({
      actions: {
        discard: plain('discard'),
        requestReset: ({ context, system }) => {
          later(system, (effects) => {
            effects.requestReset(context.epoch)
          })
        },
      },
      delays: {
        backOff: ({ context, system }) => backOffMs(context.backOffStep, context.limits, wiringOf(system).random.fraction()),
      },
    }),
    bye: byeMachine.provide({ actions: { sendEnd: plain('sendEnd') } }),
  },
  actions: {
    startEpoch: ({ context, system }) => {
      later(system, (effects) => {
        effects.startEpoch(context.epoch)
      })
    },
    reportOpen: plain('reportOpen'),
    reportResetting: ({ context, system }) => {
      later(system, (effects) => {
        effects.reportResetting(context.error)
      })
    },
    notifyRefusal: ({ context, system }) => {
      if (context.role === 'client') return
      later(system, (effects) => {
        effects.requestReset(context.epoch)
      })
    },
    disconnect: plain('disconnect'),
    release: plain('release'),
    reportClosed: plain('reportClosed'),
    reportFailed: ({ context, system }) => {
      later(system, (effects) => {
        effects.reportFailed(context.error)
      })
    },
  },
})

/**
 * The session chart with its effects wired to `effects`.
 * @param defer gets each effect in the middle of a transition, and runs it after
 */
export function createSessionActor(
  input: SessionInput,
  { clock, random }: { readonly clock: Clock; readonly random: Random },
  effects: SessionEffects,
  defer: (effect: () => void) => void,
): SessionActor {
  const actor = createActor(wiredSessionMachine, { id: 'session', input, clock })
  WIRINGS.set(actor.system, { effects, defer, random })
  return actor
}

const INNER_CHARTS = ['handshake', 'reset', 'bye'] as const

/**
 * Tells how the charts moved, by looking at them after each event: xstate's own inspection costs more than the transitions themselves. A chart
 * that began and ended between two looks is told as one step.
 */
export class ChartWatch {
  readonly #session: SessionActor
  readonly #report: (chart: ChartName, from: string, to: string) => void
  readonly #watched = new Map<ChartName, Watched>()

  constructor(session: SessionActor, report: (chart: ChartName, from: string, to: string) => void) {
    this.#session = session
    this.#report = report
    const { value } = session.getSnapshot()
    this.#watched.set('session', { actor: session, value, name: stateName(value) })
  }

  look(): void {
    const snapshot = this.#session.getSnapshot()
    // The inner ones first: what they ended with is why the outer one moved.
    for (const chart of INNER_CHARTS) {
      const actor = snapshot.children[chart] ?? this.#watched.get(chart)?.actor
      if (actor !== undefined) this.#lookAt(chart, actor)
    }
    this.#lookAt('session', this.#session)
  }

  #lookAt(chart: ChartName, actor: InnerActor): void {
    const { value } = actor.getSnapshot()
    const before = this.#watched.get(chart)
    if (before?.actor === actor && before.value === value) return
    const to = stateName(value)
    const from = before?.actor === actor ? before.name : ''
    this.#watched.set(chart, { actor, value, name: to })
    if (from !== to) this.#report(chart, from, to)
  }
}

interface InnerActor {
  getSnapshot(): { readonly value: unknown }
}

interface Watched {
  readonly actor: InnerActor
  readonly value: unknown
  readonly name: string
}

/** `{ running: { exchange: 'negotiating', refusal: 'unheard' } }` → `running.exchange.negotiating running.refusal.unheard` */
function stateName(value: unknown): string {
  if (typeof value !== 'object' || value === null) return String(value)
  return Object.entries(value)
    .flatMap(([name, inner]) =>
      stateName(inner)
        .split(' ')
        .map((tail) => `${name}.${tail}`),
    )
    .join(' ')
}
