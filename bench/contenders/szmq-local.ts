import { startSystem } from 'szmq'
import type { Contender, Delivery, Session, Work } from '../contender.ts'
import { payloadPool } from '../payload.ts'
import { LOCAL_BURST } from '../peers/local-burst.ts'
import { LocalCounter } from './szmq-actors.ts'

export const szmqLocal: Contender = {
  name: 'szmq',
  about: 'ref.tell.message(message) to an actor on the same thread that counts',
  setup: openSession,
}

async function openSession(): Promise<Session> {
  const system = await startSystem({ name: 'bench' })
  const actor = system.spawn(LocalCounter, 'counter')
  return {
    async run({ count, sizeBytes }: Work): Promise<Delivery> {
      const pool = payloadPool(sizeBytes)
      await actor.ask.reset()
      const startedMs = performance.now()
      for (let n = 0; n < count;) {
        const end = Math.min(count, n + LOCAL_BURST)
        for (; n < end; n += 1) actor.tell.message({ payload: pool[n % pool.length] as Uint8Array })
        // Behind the burst in the same mailbox: answered when all of it was handled.
        await actor.ask.reached()
      }
      const ms = performance.now() - startedMs
      return { tally: await actor.ask.tally(), ms }
    },
    teardown: () => system.stop(),
  }
}
