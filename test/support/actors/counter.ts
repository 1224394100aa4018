import { z } from 'zod'
import { ask, defineActor, refTo, tell, type ActorRef } from '../../../src/index.ts'

export const Counter = defineActor(import.meta, {
  name: 'counter',
  protocol: {
    add: tell(z.number()),
    total: ask(z.void(), z.number()),
    echo: ask(z.unknown(), z.unknown()),
    note: tell(z.string()),
    notes: ask(z.void(), z.array(z.string())),
    slow: ask(z.number(), z.number()),
    boom: ask(z.string(), z.void()),
    throwOnThread: tell(z.string()),
    exitThread: tell(z.number()),
    loopForEver: tell(z.void()),
  },
  state: () => ({ n: 0, notes: [] as string[] }),
  on: {
    add: (state, by) => {
      state.n += by
    },
    total: (state) => state.n,
    echo: (_state, value) => value,
    note: (state, text) => {
      state.notes.push(text)
    },
    notes: (state) => state.notes,
    slow: async (state, ms) => {
      await new Promise((resolve) => setTimeout(resolve, ms))
      state.n += 1
      return state.n
    },
    boom: (_state, text) => {
      throw new Error(text)
    },
    throwOnThread: (_state, text) => {
      setImmediate(() => {
        throw new Error(text)
      })
    },
    exitThread: (_state, code) => {
      process.exit(code)
    },
    loopForEver: () => {
      for (;;);
    },
  },
})

/** Sends what it is told to another actor, wherever that lives. */
export const Forwarder = defineActor(import.meta, {
  name: 'forwarder',
  protocol: { to: tell(refTo(() => Counter)), burst: tell(z.number()), done: ask(z.void(), z.number()) },
  state: () => ({ to: undefined as CounterRef | undefined }),
  on: {
    to: (state, ref) => {
      state.to = ref
    },
    burst: async (state, count) => {
      for (let n = 0; n < count; n += 1) {
        state.to?.tell.note(`${n}`)
        if (n % 1_000 === 0) await state.to?.ready()
      }
    },
    done: async (state) => (await state.to?.ask.notes())?.length ?? -1,
  },
})

type CounterRef = ActorRef<(typeof Counter)['protocol']>
