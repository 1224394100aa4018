import type { ActorFailure } from '../../src/actors/cell.ts'
import type { DeadLetter } from '../../src/actors/dead-letters.ts'
import type { ActorDefinition, AnyDefinition } from '../../src/actors/define-actor.ts'
import type { Protocol } from '../../src/actors/protocol.ts'
import type { ActorRef } from '../../src/actors/ref.ts'
import { createRefCodec } from '../../src/actors/ref.codec.ts'
import { Runtime, type Peer, type RuntimeDependencies } from '../../src/actors/runtime.ts'
import { FakeClock } from '../../src/testing/fake-clock.ts'
import { ManualTurns } from './manual-turns.ts'

/** A runtime whose time, turns and ways to others are in the hands of the test. */
export interface MemoryRuntime {
  readonly runtime: Runtime
  readonly clock: FakeClock
  readonly turns: ManualTurns
  readonly deadLetters: DeadLetter[]
  readonly failures: ActorFailure[]
  /** What was carried, in order. */
  readonly carried: { readonly peer: Peer; readonly batch: Uint8Array }[]
  /** Imports that were asked for; each settles when the test says so. */
  readonly imports: { readonly url: string; readonly resolve: () => void; readonly reject: (error: Error) => void }[]
  readonly spawn: <P extends Protocol, State>(definition: ActorDefinition<P, State>, path?: string) => ActorRef<P>
}

export function createMemoryRuntime(
  { node = 'here', thread = 0, clock = new FakeClock() }: { node?: string; thread?: number; clock?: FakeClock } = {},
  overrides: Partial<RuntimeDependencies> = {},
): MemoryRuntime {
  const turns = new ManualTurns()
  const deadLetters: DeadLetter[] = []
  const failures: ActorFailure[] = []
  const carried: MemoryRuntime['carried'] = []
  const imports: MemoryRuntime['imports'] = []
  const runtime = new Runtime(
    { node, thread },
    {
      clock,
      turns,
      createCodec: createRefCodec,
      carry: (peer, batch) => {
        carried.push({ peer, batch: batch.slice() })
        return true
      },
      importModule: (url) =>
        new Promise((resolve, reject) => {
          imports.push({ url, resolve, reject })
        }),
      onCaughtUp: () => {},
      onFailure: (failure) => failures.push(failure),
      onDeadLetter: (letter) => deadLetters.push(letter),
      ...overrides,
    },
  )
  return {
    runtime,
    clock,
    turns,
    deadLetters,
    failures,
    carried,
    imports,
    spawn: <P extends Protocol, State>(definition: ActorDefinition<P, State>, path = `/${definition.name}`) =>
      runtime.spawnHere(definition as unknown as AnyDefinition, path) as unknown as ActorRef<P>,
  }
}

export type Settlement = { readonly value: unknown } | { readonly code: unknown } | 'pending'

/** How a promise stands once every microtask has run. */
export async function settlementOf(promise: Promise<unknown>): Promise<Settlement> {
  let settlement: Settlement = 'pending'
  promise.then(
    (value) => {
      settlement = { value }
    },
    (error: unknown) => {
      settlement = { code: (error as { code?: unknown }).code }
    },
  )
  await microtasks()
  return settlement
}

/** Resolves when every microtask that is due has run. */
export function microtasks(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}
