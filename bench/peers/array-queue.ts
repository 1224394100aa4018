import type { Contender, Delivery, Session, Work } from '../contender.ts'
import { Counter, payloadPool, type Message } from '../payload.ts'
import { LOCAL_BURST } from './local-burst.ts'

/** No actor at all: what the rest of the row is measured against. */
export const arrayQueue: Contender = {
  name: 'array queue',
  about: 'push onto an array, call the handler for each: no isolation, no supervision, the bare limit',
  setup: () => Promise.resolve(session),
}

const session: Session = {
  async run({ count, sizeBytes }: Work): Promise<Delivery> {
    const pool = payloadPool(sizeBytes)
    const counter = new Counter()
    const startedMs = performance.now()
    for (let n = 0; n < count;) {
      const queue: Message[] = []
      for (const end = Math.min(count, n + LOCAL_BURST); n < end; n += 1)
        queue.push({ payload: pool[n % pool.length] as Uint8Array })
      await Promise.resolve()
      for (const message of queue) counter.handle(message)
    }
    return { tally: counter.tally, ms: performance.now() - startedMs }
  },
  teardown: () => Promise.resolve(),
}
