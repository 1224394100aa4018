import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import '../../property/seed.ts'
import { ask, defineActor, refTo, SzmqError, tell, type ActorRef } from '../../../src/index.ts'
import { FIRST_SELECTOR } from '../../../src/actors/protocol.ts'
import { createRefCodec } from '../../../src/actors/ref.codec.ts'
import { RUNTIME_ID, Signal } from '../../../src/actors/signal.ts'
import { createMessageCodec } from '../../../src/transport/message.codec.ts'
import { createMemoryRuntime, settlementOf } from '../../support/memory-runtime.ts'
import { originOf } from '../../support/origins.ts'

const EVE = { node: 'eve', thread: 0, origin: originOf('eve') }
const BOB = { node: 'bob', thread: 0, origin: originOf('bob') }
const codec = createMessageCodec()

const Target = defineActor(import.meta, {
  name: 'target',
  protocol: {
    add: tell(z.number()),
    total: ask(z.void(), z.number()),
    greet: tell(z.unknown()),
  },
  state: () => ({ n: 0 }),
  on: {
    add: (state, by) => {
      if (typeof by !== 'number') throw new Error('a handler saw what its schema forbids')
      state.n += by
    },
    total: ({ n }) => n,
    greet: () => {},
  },
})

/** Answers to whatever ref it is given, as actors do. */
const Obliging = defineActor(import.meta, {
  name: 'obliging',
  protocol: { replyTo: tell(refTo(() => Target)) },
  state: () => ({}),
  on: {
    replyTo: (_state, to) => {
      to.tell.add(1)
      void to.ask.total().catch(() => {})
    },
  },
})

function deliver(memory: ReturnType<typeof createMemoryRuntime>, batch: Uint8Array, from = EVE): void {
  try {
    memory.runtime.deliver(batch, from)
  } catch (error) {
    expect(error).toBeInstanceOf(SzmqError)
    expect(error).toMatchObject({ blame: 'peer' })
  }
}

const anything = fc.anything({ withMap: true, withSet: true, withDate: true, withBigInt: true, withTypedArray: true })

/** What stands in a batch, and everything that should not. */
const place = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(0, 1, 2, 3, 5, 64, 128, 32, 33, 34, 35, 36, 37) },
  fc.integer(),
  fc.maxSafeInteger(),
  fc.double(),
  fc.bigInt(),
  anything,
)

const forgedRef = (parts: unknown): Uint8Array => {
  const bytes = Buffer.from(JSON.stringify(parts))
  const head = Buffer.alloc(6)
  head[0] = 0xc9
  head.writeUInt32BE(bytes.length, 1)
  head[5] = 0x53
  return Buffer.concat([head, bytes])
}

/** A batch with one message `replyTo(<ref>)` for actor `id`. */
function batchWithRef(id: number, ref: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from([0x93, 0xcd, id >> 8, id & 255, FIRST_SELECTOR * 2]), ref])
}

describe('what another node sends', () => {
  it('is delivered or a SzmqError, whatever it is, and spawns nothing', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(place, { maxLength: 12 }), { maxLength: 6 }), async (batches) => {
        const memory = createMemoryRuntime()
        const target = memory.spawn(Target)
        const own = memory.runtime.askRuntime(BOB, Signal.resolve, {}, 'x', { timeoutMs: 100 })
        for (const values of batches) {
          let batch: Uint8Array
          try {
            batch = codec.encode(values)
          } catch {
            continue
          }
          deliver(memory, batch)
        }
        memory.turns.settle()
        expect(memory.runtime.stats.actors).toBe(1)
        expect(memory.imports).toEqual([])
        expect(memory.failures).toEqual([])
        expect(await settlementOf(own)).toBe('pending')
        const total = target.ask.total()
        memory.turns.settle()
        expect(await total).toBeTypeOf('number')
        memory.runtime.close()
      }),
    )
  })

  it('is delivered or a SzmqError for any bytes', () => {
    const memory = createMemoryRuntime()
    memory.spawn(Target)
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        deliver(memory, bytes)
        memory.turns.settle()
        expect(memory.failures).toEqual([])
      }),
    )
  })

  it.each([[10n], [{ valueOf: 1, toString: 1 }], [new Map()], ['32'], [null], [-2], [1.5], [2 ** 40 + 32], [NaN]])(
    'is refused when its operation is %s',
    (operation) => {
      const memory = createMemoryRuntime()
      const target = memory.spawn(Target)
      expect(() => {
        memory.runtime.deliver(codec.encode([target.address.id, operation, 1]), EVE)
      }).toThrowError(expect.objectContaining({ code: 'ERR_SZMQ_MALFORMED_MESSAGE' }))
    },
  )

  it('is delivered up to the fault', () => {
    const memory = createMemoryRuntime()
    const { id } = memory.spawn(Target).address
    deliver(memory, codec.encode([id, FIRST_SELECTOR * 2, 1, id, FIRST_SELECTOR * 2, 2, 'fault']))
    expect(memory.runtime.stats.waiting).toBe(2)
  })

  it.each(Object.entries(Signal).filter(([name]) => name !== 'answer' && name !== 'failure'))(
    'may not be the signal %s: it is refused, to the runtime and to an actor',
    (_name, signal) => {
      const memory = createMemoryRuntime()
      const target = memory.spawn(Target)
      const payload = {
        id: 640,
        path: '/evil',
        moduleUrl: Target.moduleUrl,
        name: Target.name,
        node: BOB.node,
        reason: 'because',
      }
      for (const to of [RUNTIME_ID, target.address.id]) {
        deliver(memory, codec.encode([to, signal * 2, payload, to, signal * 2 + 1, payload, 5]))
        memory.turns.settle()
      }
      expect(memory.runtime.stats.actors).toBe(1)
      expect(memory.imports).toEqual([])
      const answers = memory.carried.flatMap(({ batch }) => codec.decode(batch))
      expect(answers.filter((_, at) => at % 4 === 2)).toMatchObject([
        { code: 'ERR_SZMQ_UNKNOWN_MESSAGE' },
        { code: 'ERR_SZMQ_UNKNOWN_MESSAGE' },
      ])
    },
  )

  it('settles no ask of someone else, and none that is no longer asked', async () => {
    const memory = createMemoryRuntime()
    const toBob = memory.runtime.askRuntime(BOB, Signal.resolve, {}, 'bob', {})
    const toEve = memory.runtime.askRuntime(EVE, Signal.resolve, {}, 'eve', { timeoutMs: 10 })
    const gone = expect(toEve).rejects.toMatchObject({ code: 'ERR_SZMQ_ASK_TIMEOUT' })
    memory.clock.advance(10)
    const forged: unknown[] = []
    for (let askId = 0; askId < 50; askId += 1) {
      forged.push(RUNTIME_ID, Signal.answer * 2 + 1, 'forged', askId, RUNTIME_ID, Signal.failure * 2 + 1, {}, askId)
    }
    deliver(memory, codec.encode(forged))
    await gone
    expect(await settlementOf(toBob)).toBe('pending')
    deliver(memory, codec.encode([RUNTIME_ID, Signal.answer * 2 + 1, 'real', 1]), BOB)
    expect(await toBob).toBe('real')
  })

  it('to an actor that does not exist is a dead letter, and an ask of it fails', () => {
    const memory = createMemoryRuntime()
    deliver(memory, codec.encode([999, 32, 1, 999, 33, 1, 7]))
    memory.turns.settle()
    expect(memory.deadLetters.map(({ reason }) => reason)).toEqual(['no-such-actor', 'no-such-actor'])
    expect(memory.carried.flatMap(({ batch }) => codec.decode(batch))).toMatchObject([
      RUNTIME_ID,
      Signal.failure * 2 + 1,
      { code: 'ERR_SZMQ_NO_SUCH_ACTOR' },
      7,
    ])
  })

  it('reaches a handler only when it fits the schema', () => {
    const memory = createMemoryRuntime()
    const { id } = memory.spawn(Target).address
    fc.assert(
      fc.property(
        anything.filter((value) => typeof value !== 'number'),
        (payload) => {
          let batch: Uint8Array
          try {
            batch = codec.encode([id, FIRST_SELECTOR * 2, payload])
          } catch {
            return
          }
          deliver(memory, batch)
          memory.turns.settle()
          expect(memory.failures).toEqual([])
        },
      ),
    )
    expect(memory.runtime.stats.handled).toBe(0)
  })
})

describe('a ref from another node', () => {
  const shape = ['+add', '?total', '+greet']
  const receive = (parts: unknown, memory = createMemoryRuntime()): ReturnType<typeof createMemoryRuntime> => {
    const { id } = memory.spawn(Obliging).address
    deliver(memory, batchWithRef(id, forgedRef(parts)))
    memory.turns.settle()
    return memory
  }

  it('leads where it says, when it has the expected form', () => {
    const memory = receive(['bob', 3, 64, '/t', shape])
    expect(memory.carried.map(({ peer }) => peer)).toEqual([{ node: 'bob', thread: 3 }])
    expect(memory.failures).toEqual([])
  })

  it.each([
    ['no node', ['', 1, 64, '/t', shape]],
    ['a node with a name too long for a batch', ['x'.repeat(65), 1, 64, '/t', shape]],
    ['a node whose name is no ASCII', ['n\u20acde', 1, 64, '/t', shape]],
    ['a node whose name is a text of many lines', ['a\nb', 1, 64, '/t', shape]],
    ['a thread below 0', ['bob', -1, 64, '/t', shape]],
    ['a thread above 255', ['bob', 256, 64, '/t', shape]],
    ['a thread that is none', ['bob', '1', 64, '/t', shape]],
    ['an id that is none', ['bob', 1, 1.5, '/t', shape]],
    ['the id of a runtime', ['bob', 1, RUNTIME_ID, '/t', shape]],
    ['a path that is none', ['bob', 1, 64, 5, shape]],
    ['a path of a megabyte', ['bob', 1, 64, `/${'x'.repeat(1_000_000)}`, shape]],
    ['no shape', ['bob', 1, 64, '/t', null]],
    ['a shape of numbers', ['bob', 1, 64, '/t', [1]]],
    ['messages without a kind', ['bob', 1, 64, '/t', ['add']]],
    ['too many messages', ['bob', 1, 64, '/t', Array.from({ length: 1_025 }, (_, n) => `+${n}`)]],
    ['a message twice', ['bob', 1, 64, '/t', ['+add', '+add', '?total', '+greet']]],
    ['too few parts', ['bob', 1, 64, '/t']],
    ['an object', { node: 'bob' }],
    ['nothing', null],
  ])('with %s costs its batch, and nothing else', (_what, parts) => {
    const memory = receive(parts)
    expect(memory.carried).toEqual([])
    expect(memory.failures).toEqual([])
    expect(memory.runtime.stats.handled).toBe(0)
  })

  it('that names messages after parts of every object is a ref like any other', () => {
    const names = ['constructor', 'toString', '__proto__', 'hasOwnProperty', 'then', '', 'address']
    const memory = receive(['bob', 1, 64, '/t', ['+add', '?total', '+greet', ...names.map((name) => `+${name}`)]])
    expect(memory.failures).toEqual([])
    expect(memory.carried).toHaveLength(1)
    expect({}.constructor).toBe(Object)
  })

  it('cannot lead our own messages astray: threads of this node stay threads of this node', () => {
    const memory = createMemoryRuntime({ node: 'us' })
    for (const node of ['', '/', 'us/', 'undefined']) receive([node, 1, 64, '/t', shape], memory)
    memory.carried.length = 0
    const ours = memory.runtime.createRef({ node: 'us', thread: 1, id: 64, path: '/ours' }, [
      { name: 'add', kind: 'tell', selector: FIRST_SELECTOR, needsNoPayload: false },
    ]) as unknown as ActorRef<(typeof Target)['protocol']>
    ours.tell.add(1)
    memory.turns.settle()
    expect(memory.carried.map(({ peer }) => peer)).toEqual([{ node: undefined, thread: 1 }])
  })

  it('leads to dead letters once its node is lost, but a new one leads there again when the node is', async () => {
    const memory = createMemoryRuntime()
    const toBob = (): ActorRef<(typeof Target)['protocol']> =>
      memory.runtime.createRef({ node: 'bob', thread: 0, id: 64, path: '/t' }, [
        { name: 'add', kind: 'tell', selector: FIRST_SELECTOR, needsNoPayload: false },
        { name: 'total', kind: 'ask', selector: FIRST_SELECTOR + 1, needsNoPayload: true },
      ]) as unknown as ActorRef<(typeof Target)['protocol']>
    const old = toBob()
    const asked = old.ask.total()
    memory.runtime.loseNode('bob', 'bob said bye')
    await expect(asked).rejects.toMatchObject({ code: 'ERR_SZMQ_NODE_LOST' })
    old.tell.add(1)
    await expect(old.ask.total()).rejects.toMatchObject({ code: 'ERR_SZMQ_NODE_LOST' })
    memory.turns.settle()
    expect(memory.deadLetters.map(({ reason }) => reason)).toEqual(['node-lost', 'node-lost', 'node-lost'])
    expect(memory.carried).toEqual([])
    toBob().tell.add(2)
    memory.turns.settle()
    expect(memory.carried).toHaveLength(1)
  })
})

describe('a batch that leads nowhere', () => {
  it('is counted, whatever stands in it', () => {
    const memory = createMemoryRuntime()
    const ours = createRefCodec(memory.runtime)
    memory.runtime.bury(ours.encode([64, 32, 1, 64, 33, 2, 7, 0, 3, 'answer', 7]), 'node-lost', 'node x')
    expect(memory.runtime.stats.deadLetters).toBe(2)
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 50 }), fc.array(place).map(encodeIfPossible)), (batch) => {
        memory.runtime.bury(batch, 'node-lost', 'node x')
      }),
    )
  })
})

function encodeIfPossible(values: unknown[]): Uint8Array {
  try {
    return codec.encode(values)
  } catch {
    return new Uint8Array()
  }
}
