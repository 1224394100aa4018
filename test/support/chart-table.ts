import { createActor, type AnyStateMachine } from 'xstate'
import { FakeClock } from '../../src/testing/fake-clock.ts'

/** An event, or milliseconds that pass. */
export type Step = { readonly type: string } | number

/**
 * Where `machine` stands after `steps`: state names with dots, the regions of a parallel state with a blank between. Clock and jitter
 * are simulated.
 */
export function walk(machine: AnyStateMachine, input: unknown, steps: readonly Step[]) {
  const clock = new FakeClock()
  const actor = createActor(machine, { input, clock } as never)
  actor.start()
  for (const step of steps) {
    if (typeof step === 'number') clock.advance(step)
    else if (actor.getSnapshot().status === 'active') actor.send(step as never)
  }
  const snapshot = actor.getSnapshot()
  actor.stop()
  return { state: stateName(snapshot.value), output: snapshot.output as unknown, context: snapshot.context as unknown, clock }
}

/**
 * Each event in each state. `table` names what moves; a pair that is not in it has to stay where it is.
 * @param paths the steps that lead to each state
 */
export function tabulate<State extends string>(
  machine: AnyStateMachine,
  input: unknown,
  paths: Readonly<Record<State, readonly Step[]>>,
  events: readonly { readonly type: string }[],
): Record<string, Record<string, string>> {
  const table: Record<string, Record<string, string>> = {}
  for (const [state, path] of Object.entries<readonly Step[]>(paths)) {
    const moves: Record<string, string> = {}
    for (const event of events) {
      const { state: target } = walk(machine, input, [...path, event])
      if (target !== state) moves[event.type] = target
    }
    table[state] = moves
  }
  return table
}

/** `{ running: { exchange: 'negotiating', refusal: 'unheard' } }` → `running.exchange.negotiating running.refusal.unheard` */
export function stateName(value: unknown): string {
  if (typeof value !== 'object' || value === null) return String(value)
  return Object.entries(value)
    .flatMap(([name, inner]) =>
      stateName(inner)
        .split(' ')
        .map((tail) => `${name}.${tail}`),
    )
    .join(' ')
}
