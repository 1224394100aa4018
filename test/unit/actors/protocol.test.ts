import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import type { StandardSchemaV1 } from '@standard-schema/spec'
import { ask, tell } from '../../../src/index.ts'
import { FIRST_SELECTOR, messageTypesOf, needsNoPayload, parsePayload } from '../../../src/actors/protocol.ts'
import { Signal } from '../../../src/actors/signal.ts'
import { microtasks } from '../../support/memory-runtime.ts'

const schemaOf = (validate: StandardSchemaV1['~standard']['validate']): StandardSchemaV1 => ({
  '~standard': { version: 1, vendor: 'test', validate },
})
const throwing = schemaOf(() => {
  throw new Error('broken schema')
})
const rejecting = schemaOf(() => Promise.reject(new Error('broken schema')))

describe('a protocol', () => {
  it('numbers its messages in the order it names them, above every signal', () => {
    const types = messageTypesOf({ b: tell(z.void()), a: ask(z.void(), z.void()) })
    expect(types.map(({ name, selector }) => [name, selector])).toEqual([
      ['b', FIRST_SELECTOR],
      ['a', FIRST_SELECTOR + 1],
    ])
    expect(Math.max(...Object.values(Signal))).toBeLessThan(FIRST_SELECTOR)
  })

  it('knows which messages are complete without a payload, and asks no schema twice to find out', async () => {
    expect([z.void(), z.undefined(), z.unknown(), z.string().optional()].every(needsNoPayload)).toBe(true)
    expect([z.string(), z.null(), throwing, rejecting, z.string().refine(async () => true)].some(needsNoPayload)).toBe(false)
    // A rejection that nobody handles would end the process.
    await microtasks()
  })
})

describe('a payload from another process', () => {
  it('is what its schema makes of it', () => {
    expect(parsePayload(z.string().transform(Number), '5', 'x')).toBe(5)
  })

  it('is refused with every issue and its place', () => {
    expect(() =>
      parsePayload(z.object({ a: z.object({ b: z.number() }), c: z.string() }), { a: {} }, 'message x'),
    ).toThrowError(
      expect.objectContaining({
        code: 'ERR_SZMQ_BAD_MESSAGE',
        message: expect.stringMatching(/^message x does not fit its schema: a\.b: .*; c: /),
      }),
    )
  })

  it.each([
    ['throws', throwing],
    ['rejects', rejecting],
    ['is asynchronous', z.string().refine(async () => true)],
  ])('is refused by a schema that %s', async (_what, schema) => {
    expect(() => parsePayload(schema, 'x', 'message x')).toThrowError(expect.objectContaining({ code: 'ERR_SZMQ_BAD_MESSAGE' }))
    await microtasks()
  })
})
