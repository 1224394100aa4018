import { ask, defineActor, startSystem, tell } from 'szmq'
import { z } from 'zod'

export const Counter = defineActor(import.meta, {
  name: 'counter',
  protocol: { add: tell(z.number()), total: ask(z.void(), z.number()) },
  state: () => ({ n: 0 }),
  on: {
    add: (state, by) => {
      state.n += by
    },
    total: (state) => state.n,
  },
})

export async function main(): Promise<number> {
  await using system = await startSystem({ name: 'shop', threads: 2 })
  const here = system.spawn(Counter, 'c1') // on this thread
  const there = system.spawn(Counter, 'c2', { thread: 'any' }) // on a worker thread: the same line
  for (const counter of [here, there]) counter.tell.add(2)
  return (await here.ask.total()) + (await there.ask.total({ timeoutMs: 5_000 }))
}
