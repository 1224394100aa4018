import { createRequire } from 'node:module'
import type { Contender, Delivery, Session, Work } from '../contender.ts'
import { Counter, payloadPool, type Message } from '../payload.ts'
import { LOCAL_BURST } from './local-burst.ts'

/** The part of nact that is measured. */
interface Nact {
  start(): Reference
  stop(system: Reference): void
  spawn<State>(parent: Reference, handle: (state: State, message: Message) => State): Reference
  dispatch(actor: Reference, message: Message): void
}
type Reference = object

export const nactTell: Contender = {
  name: 'nact',
  about: 'dispatch(actor, message) to an actor that counts',
  setup: () => Promise.resolve(openSession()),
}

function openSession(): Session {
  // It is installed in bench/node_modules; this file is compiled to build/bench/peers.
  const nact = createRequire(new URL('../../../bench/package.json', import.meta.url))('nact') as Nact
  const system = nact.start()
  let counter = new Counter()
  let target = 0
  let reached: () => void = () => {}
  const actor = nact.spawn(system, (state: Counter | undefined, message: Message) => {
    counter.handle(message)
    if (counter.messages === target) reached()
    return state ?? counter
  })
  return {
    async run({ count, sizeBytes }: Work): Promise<Delivery> {
      const pool = payloadPool(sizeBytes)
      counter = new Counter()
      const startedMs = performance.now()
      for (let n = 0; n < count;) {
        const end = Math.min(count, n + LOCAL_BURST)
        const handled = new Promise<void>((resolve) => {
          target = end
          reached = resolve
        })
        for (; n < end; n += 1) nact.dispatch(actor, { payload: pool[n % pool.length] as Uint8Array })
        await handled
      }
      return { tally: counter.tally, ms: performance.now() - startedMs }
    },
    teardown() {
      nact.stop(system)
      return Promise.resolve()
    },
  }
}
