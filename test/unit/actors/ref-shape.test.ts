import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import '../../property/seed.ts'
import { ask, refTo, SzmqError, tell } from '../../../src/index.ts'
import type { AskOptions } from '../../../src/actors/ask-table.ts'
import { FIRST_SELECTOR, messageTypesOf, type Protocol } from '../../../src/actors/protocol.ts'
import { ActorRef, assertUnderstands, type Route } from '../../../src/actors/ref.ts'
import { checkingAnswers, decodeShape, encodeShape, narrowShape, shapeOf } from '../../../src/actors/ref-shape.ts'

const protocol = {
  add: tell(z.number()),
  total: ask(z.void(), z.number()),
  find: ask(z.string(), z.number()),
  hasOwnProperty: tell(z.void()),
} satisfies Protocol

interface Sent {
  readonly selector: number
  readonly payload: unknown
  readonly options?: AskOptions | undefined
}

function createRef(shape = shapeOf(messageTypesOf(protocol)), answer: unknown = 1) {
  const sent: Sent[] = []
  const route: Route = {
    tell: (selector, payload) => sent.push({ selector, payload }),
    ask: async (selector, payload, _message, options) => {
      sent.push({ selector, payload, options })
      return answer
    },
    ready: async () => {},
  }
  const address = { node: 'n', thread: 0, id: 64, path: '/a' }
  return { sent, route, ref: new ActorRef<typeof protocol>(address, shape, route) }
}

describe('a shape', () => {
  it('comes out of its encoding as it went in', () => {
    const message = fc.record({
      name: fc.string({ maxLength: 255 }),
      kind: fc.constantFrom('tell', 'ask'),
      isBare: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.uniqueArray(message, { selector: ({ name }) => name, maxLength: 50 }), (messages) => {
        const shape = messages.map(({ name, kind, isBare }, at) => ({
          name,
          kind,
          selector: FIRST_SELECTOR + at,
          needsNoPayload: kind === 'ask' && isBare,
        }))
        expect(decodeShape(encodeShape(shape as never))).toEqual(shape)
      }),
    )
  })

  it('is a shape or a SzmqError, whatever was sent, and always makes a ref', () => {
    const text = fc.tuple(
      fc.constantFrom('+', '?', '~', ''),
      fc.oneof(fc.string(), fc.constantFrom('a', '__proto__', 'constructor')),
    )
    fc.assert(
      fc.property(fc.oneof(fc.anything(), fc.array(text.map((parts) => parts.join('')))), (encoded) => {
        try {
          createRef(decodeShape(encoded))
        } catch (error) {
          expect(error).toBeInstanceOf(SzmqError)
        }
      }),
    )
  })

  it.each([
    ['too many messages', Array.from({ length: 1_025 }, (_, n) => `+${n}`)],
    ['a name too long', [`+${'x'.repeat(256)}`]],
    ['a message twice', ['+a', '+a']],
    ['a message both told and asked', ['+a', '?a']],
  ])('with %s is refused', (_what, encoded) => {
    expect(() => decodeShape(encoded)).toThrowError(expect.objectContaining({ code: 'ERR_SZMQ_MALFORMED_MESSAGE' }))
  })

  it('narrowed to a protocol keeps the selectors of the other side', () => {
    const theirs = decodeShape(['+extra', '?find', '+add', '~total'])
    expect(narrowShape({ add: protocol.add }, theirs).map(({ name, selector }) => [name, selector])).toEqual([
      ['add', FIRST_SELECTOR + 2],
    ])
  })

  it('that lacks a message, or asks what should be told, does not do', () => {
    assertUnderstands(protocol, shapeOf(messageTypesOf(protocol)), '/a')
    for (const encoded of [['+add'], ['?add', '~total', '?find', '+hasOwnProperty'], []]) {
      expect(() => {
        assertUnderstands(protocol, decodeShape(encoded), '/a')
      }).toThrowError(
        expect.objectContaining({ code: 'ERR_SZMQ_PROTOCOL_MISMATCH', message: expect.stringContaining('tell add') }),
      )
    }
  })
})

describe('a ref', () => {
  it('sends by the number of the message, with payload and options in their places', async () => {
    const { ref, sent } = createRef()
    const signal = new AbortController().signal
    ref.tell.add(2)
    await ref.ask.total()
    await ref.ask.total({ timeoutMs: 5 })
    await ref.ask.find('x')
    await ref.ask.find('x', { signal })
    ref.tell.hasOwnProperty()
    expect(sent).toEqual([
      { selector: 16, payload: 2 },
      { selector: 17, payload: undefined, options: undefined },
      { selector: 17, payload: undefined, options: { timeoutMs: 5 } },
      { selector: 18, payload: 'x', options: undefined },
      { selector: 18, payload: 'x', options: { signal } },
      { selector: 19, payload: undefined },
    ])
  })

  it('takes an object for the payload, not for options, where a payload is needed', async () => {
    const { ref, sent } = createRef(shapeOf(messageTypesOf({ set: ask(z.object({ timeoutMs: z.number() }), z.void()) })))
    await (ref.ask as unknown as { set: (payload: object) => Promise<void> }).set({ timeoutMs: 5 })
    expect(sent).toEqual([{ selector: 16, payload: { timeoutMs: 5 }, options: undefined }])
  })

  it('gives out answers of another node only when they fit their schema', async () => {
    for (const answer of ['5', null, {}, NaN, 10n]) {
      const { ref, route } = createRef(undefined, answer)
      const checked = new ActorRef<typeof protocol>(ref.address, ref.shape, checkingAnswers(protocol, '/a', route))
      await expect(checked.ask.total()).rejects.toMatchObject({ code: 'ERR_SZMQ_BAD_MESSAGE' })
    }
    const { ref, route } = createRef(undefined, 5)
    const checked = new ActorRef<typeof protocol>(ref.address, ref.shape, checkingAnswers(protocol, '/a', route))
    expect(await checked.ask.total()).toBe(5)
  })

  it('fits a schema for refs when it understands every message, and names what it lacks', () => {
    const schema = refTo(() => ({ name: 'a', protocol }))['~standard']
    const { ref } = createRef()
    expect(schema.validate(ref)).toEqual({ value: ref })
    expect(schema.validate(createRef(decodeShape(['+add'])).ref)).toMatchObject({
      issues: [{ message: expect.stringContaining('ask total') }],
    })
    for (const value of [undefined, null, {}, { address: ref.address, shape: ref.shape }, 'ref']) {
      expect(schema.validate(value)).toHaveProperty('issues')
    }
  })
})
