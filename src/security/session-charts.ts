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
  transition(chart: ChartName, from: string, to: string): void
}

export type ChartName = 'session' | 'handshake' | 'reset' | 'bye'
export type SessionActor = Actor<typeof sessionMachine>

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
  const handshake = handshakeMachine.provide({
    actions: {
      beginHandshake: () => {
        defer(() => {
          effects.beginHandshake()
        })
      },
      sendAccept: () => {
        defer(() => {
          effects.sendAccept()
        })
      },
    },
  })
  const reset = resetMachine.provide({
    actions: {
      discard: () => {
        defer(() => {
          effects.discard()
        })
      },
      requestReset: ({ context }) => {
        defer(() => {
          effects.requestReset(context.epoch)
        })
      },
    },
    delays: { backOff: ({ context }) => backOffMs(context.backOffStep, context.limits, random.fraction()) },
  })
  const bye = byeMachine.provide({
    actions: {
      sendEnd: () => {
        defer(() => {
          effects.sendEnd()
        })
      },
    },
  })
  const session = sessionMachine.provide({
    actors: { handshake, reset, bye },
    actions: {
      startEpoch: ({ context }) => {
        defer(() => {
          effects.startEpoch(context.epoch)
        })
      },
      reportOpen: () => {
        defer(() => {
          effects.reportOpen()
        })
      },
      reportResetting: ({ context }) => {
        defer(() => {
          effects.reportResetting(context.error)
        })
      },
      notifyRefusal: ({ context }) => {
        if (context.role === 'server')
          defer(() => {
            effects.requestReset(context.epoch)
          })
      },
      disconnect: () => {
        defer(() => {
          effects.disconnect()
        })
      },
      release: () => {
        defer(() => {
          effects.release()
        })
      },
      reportClosed: () => {
        defer(() => {
          effects.reportClosed()
        })
      },
      reportFailed: ({ context }) => {
        defer(() => {
          effects.reportFailed(context.error)
        })
      },
    },
  })
  const states = new Map<string, string>()
  return createActor(session, {
    id: 'session',
    input,
    clock,
    inspect: (inspected) => {
      if (inspected.type !== '@xstate.snapshot' || !('value' in inspected.snapshot)) return
      const id = 'id' in inspected.actorRef ? inspected.actorRef.id : undefined
      if (!isChartName(id)) return
      const to = stateName(inspected.snapshot.value)
      const from = states.get(id) ?? ''
      const isRestart = inspected.event.type === 'xstate.init'
      if (from === to && !isRestart) return
      states.set(id, to)
      defer(() => {
        effects.transition(id, isRestart ? '' : from, to)
      })
    },
  })
}

function isChartName(id: unknown): id is ChartName {
  return id === 'session' || id === 'handshake' || id === 'reset' || id === 'bye'
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
