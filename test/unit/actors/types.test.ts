import { describe, expectTypeOf, it } from 'vitest'
import { z } from 'zod'
import {
  ask,
  defineActor,
  refTo,
  tell,
  type ActorRef,
  type ActorSystem,
  type AuthorizePeer,
  type PeerIdentity,
} from '../../../src/index.ts'

/**
 * What must not compile. `tsc -p .` checks these lines: an `@ts-expect-error` above a line that does compile is an error of its own.
 * The functions are never called; vitest only sees that the types are what they say.
 */
const Shop = defineActor(import.meta, {
  name: 'shop',
  protocol: {
    order: tell(z.object({ item: z.string(), pieces: z.number() })),
    closeUp: tell(z.void()),
    price: ask(z.string(), z.number()),
    total: ask(z.void(), z.number()),
    note: ask(z.string().optional(), z.boolean()),
    parsed: ask(z.string().transform(Number), z.number().transform(String)),
  },
  state: () => ({ total: 0 }),
  on: {
    order: (state, { pieces }) => {
      state.total += pieces
    },
    closeUp: () => {},
    price: (_state, item) => item.length,
    total: async (state) => state.total,
    note: (_state, text) => text === undefined,
    parsed: (_state, value) => value,
  },
})
type ShopRef = ActorRef<(typeof Shop)['protocol']>

describe('a ref, to the compiler', () => {
  it('tells what the protocol tells, with the payload it names', () => {
    expectTypeOf<(shop: ShopRef) => void>((shop) => {
      shop.tell.order({ item: 'tea', pieces: 2 })
      shop.tell.closeUp()
      // @ts-expect-error a wrong payload
      shop.tell.order({ item: 'tea', pieces: '2' })
      // @ts-expect-error a field is missing
      shop.tell.order({ item: 'tea' })
      // @ts-expect-error a field too many
      shop.tell.order({ item: 'tea', pieces: 2, colour: 'green' })
      // @ts-expect-error no payload at all
      shop.tell.order()
      // @ts-expect-error a payload for a message that has none
      shop.tell.closeUp(1)
      // @ts-expect-error options: a tell has none
      shop.tell.order({ item: 'tea', pieces: 2 }, { timeoutMs: 5 })
      // @ts-expect-error an unknown message
      shop.tell.orders({ item: 'tea', pieces: 2 })
      // @ts-expect-error a tell of an ask
      shop.tell.price('tea')
    }).toBeFunction()
  })

  it('asks what the protocol asks, and knows the answer', () => {
    expectTypeOf<(shop: ShopRef) => void>((shop) => {
      expectTypeOf(shop.ask.price('tea')).toEqualTypeOf<Promise<number>>()
      expectTypeOf(shop.ask.price('tea', { timeoutMs: 5 })).toEqualTypeOf<Promise<number>>()
      expectTypeOf(shop.ask.total()).toEqualTypeOf<Promise<number>>()
      expectTypeOf(shop.ask.total({ timeoutMs: 5, signal: AbortSignal.timeout(1) })).toEqualTypeOf<Promise<number>>()
      expectTypeOf(shop.ask.note()).toEqualTypeOf<Promise<boolean>>()
      expectTypeOf(shop.ask.note('x', { timeoutMs: 5 })).toEqualTypeOf<Promise<boolean>>()
      expectTypeOf(shop.ask.note(undefined, { timeoutMs: 5 })).toEqualTypeOf<Promise<boolean>>()
      // The sender gives the schema's input, the asker gets its output.
      expectTypeOf(shop.ask.parsed('5')).toEqualTypeOf<Promise<string>>()
      // @ts-expect-error a wrong payload
      void shop.ask.price(5)
      // @ts-expect-error no payload
      void shop.ask.price()
      // @ts-expect-error options in place of the payload
      void shop.ask.price({ timeoutMs: 5 })
      // @ts-expect-error a payload for a question that has none
      void shop.ask.total(5)
      // @ts-expect-error an unknown option
      void shop.ask.total({ timeout: 5 })
      // @ts-expect-error a unit that is not a number
      void shop.ask.total({ timeoutMs: '5s' })
      // @ts-expect-error an ask of a tell
      void shop.ask.order({ item: 'tea', pieces: 2 })
      // @ts-expect-error an unknown question
      void shop.ask.prices('tea')
      // @ts-expect-error the answer is a number
      const price: Promise<string> = shop.ask.price('tea')
      void price
    }).toBeFunction()
  })

  it('is a ref to one protocol and not to another', () => {
    expectTypeOf<(system: ActorSystem) => void>((system) => {
      expectTypeOf(system.spawn(Shop, 's')).toEqualTypeOf<ShopRef>()
      expectTypeOf(system.resolve(Shop, 'szmq://h:1/s/n')).toEqualTypeOf<Promise<ShopRef>>()
      const other = defineActor(import.meta, {
        name: 'holder',
        protocol: { hold: tell(refTo(() => Shop)) },
        state: () => ({}),
        on: { hold: (_state, shop) => shop.tell.closeUp() },
      })
      const holder = system.spawn(other, 'h')
      holder.tell.hold(system.spawn(Shop, 's'))
      // @ts-expect-error a ref to something else
      holder.tell.hold(holder)
      // @ts-expect-error a thread by a name that is none
      system.spawn(Shop, 's', { thread: 'there' })
    }).toBeFunction()
  })
})

describe('a definition, to the compiler', () => {
  it('has a handler for every message, and none besides', () => {
    expectTypeOf(() => {
      const protocol = { add: tell(z.number()), total: ask(z.void(), z.number()) }
      const state = (): { n: number } => ({ n: 0 })
      defineActor(import.meta, {
        name: 'without-handler',
        protocol,
        state,
        // @ts-expect-error 'total' has no handler
        on: { add: () => {} },
      })
      defineActor(import.meta, {
        name: 'with-stranger',
        protocol,
        state,
        // @ts-expect-error 'sub' is no message
        on: { add: () => {}, total: () => 1, sub: () => {} },
      })
    }).toBeFunction()
  })

  it('answers with what the protocol promises, from the state it made', () => {
    expectTypeOf(() => {
      const protocol = { add: tell(z.number()), total: ask(z.void(), z.number()) }
      const state = (): { n: number } => ({ n: 0 })
      defineActor(import.meta, {
        name: 'wrong-answer',
        protocol,
        state,
        // @ts-expect-error a string where a number was promised
        on: { add: () => {}, total: ({ n }) => `${n}` },
      })
      defineActor(import.meta, {
        name: 'wrong-later-answer',
        protocol,
        state,
        // @ts-expect-error a promise of a string
        on: { add: () => {}, total: async ({ n }) => `${n}` },
      })
      defineActor(import.meta, {
        name: 'no-answer',
        protocol,
        state,
        // @ts-expect-error nothing where a number was promised
        on: { add: () => {}, total: () => {} },
      })
      defineActor(import.meta, {
        name: 'wrong-payload',
        protocol,
        state,
        // @ts-expect-error the payload is a number
        on: { add: (_state, by: string) => void by, total: () => 1 },
      })
      defineActor(import.meta, {
        name: 'wrong-state',
        protocol,
        state,
        // @ts-expect-error the state has no `m`
        on: { add: () => {}, total: (s) => s.m },
      })
      defineActor(import.meta, {
        name: 'wrong-policy',
        protocol,
        state,
        on: { add: () => {}, total: () => 1 },
        // @ts-expect-error no such policy
        mailbox: { policy: 'wait' },
      })
    }).toBeFunction()
  })

  it('gives handlers a context that knows the actor itself', () => {
    expectTypeOf(() => {
      defineActor(import.meta, {
        name: 'selfish',
        protocol: { go: tell(z.number()), done: ask(z.void(), z.boolean()) },
        state: () => ({}),
        on: {
          go: (_state, n, { self }) => {
            self.tell.go(n - 1)
            // @ts-expect-error not a message of its own
            self.tell.stop()
            // @ts-expect-error told, not asked
            self.tell.done()
          },
          done: () => true,
        },
      })
    }).toBeFunction()
  })

  it('gives handlers the peer, which may be nobody and cannot be changed', () => {
    expectTypeOf(() => {
      defineActor(import.meta, {
        name: 'careful',
        protocol: { go: tell(z.number()) },
        state: () => ({}),
        on: {
          go: (_state, _n, context) => {
            expectTypeOf(context.peer).toEqualTypeOf<PeerIdentity | undefined>()
            // @ts-expect-error it may be nobody
            void context.peer.names
            // @ts-expect-error it is who TLS says
            context.peer = undefined
          },
        },
      })
    }).toBeFunction()
  })
})

describe('authorize, to the compiler', () => {
  it('answers at once, with one of the answers there are', () => {
    expectTypeOf(() => {
      const admit: AuthorizePeer = (peer) => (peer.verifiedBy === 'x509' && peer.names.includes('DNS:a')) || 'not on the list'
      const limit: AuthorizePeer = () => ({ allow: [{ path: 'shop/*', messages: ['add'] }, { path: '**' }] })
      // @ts-expect-error later
      const late: AuthorizePeer = async () => true
      // @ts-expect-error messages that may be missing would allow them all
      const open: AuthorizePeer = () => ({ allow: [{ path: 'shop/*', messages: undefined }] })
      // @ts-expect-error no answer
      const silent: AuthorizePeer = () => {}
      return [admit, limit, late, open, silent]
    }).toBeFunction()
  })
})
