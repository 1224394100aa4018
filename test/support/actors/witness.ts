import { z } from 'zod'
import { ask, defineActor, refTo, tell, type ActorRef } from '../../../src/index.ts'
import { Counter } from './counter.ts'

/** Says who sent it what. A message of its own node is from `nobody`. */
export const Witness = defineActor(import.meta, {
  name: 'witness',
  protocol: {
    note: tell(z.string()),
    who: ask(z.void(), z.string()),
    /** Says it after so many milliseconds. */
    whoLater: ask(z.number(), z.string()),
    /** Says it now, and notes it again when everything that was sent behind it may have been handled. */
    whoAfterwards: ask(z.void(), z.string()),
    notes: ask(z.void(), z.array(z.string())),
    boom: tell(z.void()),
    use: tell(refTo(() => Counter)),
    used: ask(z.void(), z.number()),
  },
  state: () => ({ notes: [] as string[], counter: undefined as ActorRef<(typeof Counter)['protocol']> | undefined }),
  on: {
    note: ({ notes }, text, { peer }) => {
      notes.push(`${text} by ${peer?.subject ?? 'nobody'}`)
    },
    who: (_state, _nothing, { peer }) => peer?.subject ?? 'nobody',
    whoLater: async (_state, ms, context) => {
      await new Promise((resolve) => setTimeout(resolve, ms))
      return context.peer?.subject ?? 'nobody'
    },
    whoAfterwards: ({ notes }, _nothing, context) => {
      setTimeout(() => notes.push(`afterwards ${context.peer?.subject ?? 'nobody'}`), 20)
      return context.peer?.subject ?? 'nobody'
    },
    notes: ({ notes }) => notes,
    boom: () => {
      throw new Error('ouch')
    },
    use: (state, counter) => {
      state.counter = counter
    },
    used: async ({ counter }) => (await counter?.ask.total()) ?? -1,
  },
})
