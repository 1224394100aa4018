import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import './seed.ts'
import { SzmqError } from '../../src/shared/errors.ts'
import { createMessageCodec } from '../../src/transport/message.codec.ts'

const value: fc.Arbitrary<unknown> = fc.anything({
  withMap: true,
  withSet: true,
  withDate: true,
  withBigInt: true,
  withTypedArray: false,
  withObjectString: false,
  withNullPrototype: false,
  withSparseArray: false,
})

describe('message codec', () => {
  it('gives back what was encoded', () => {
    const codec = createMessageCodec()
    fc.assert(
      fc.property(fc.array(value.filter(isRoundTrippable)), (values) => {
        expect(codec.decode(codec.encode(values))).toEqual(values)
      }),
    )
  })

  it('gives a value or a SzmqError for any bytes', () => {
    const codec = createMessageCodec()
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          expect(Array.isArray(codec.decode(bytes))).toBe(true)
        } catch (error) {
          expect(error).toBeInstanceOf(SzmqError)
        }
      }),
    )
  })

  it('survives any damaged byte of a real batch', () => {
    const codec = createMessageCodec()
    const batch = codec.encode([
      7,
      17,
      { path: 'a', words: 3 },
      8,
      17,
      { path: 'b', words: 4 },
      9,
      16,
      new Map([['k', [1, 2]]]),
    ])
    fc.assert(
      fc.property(fc.nat(batch.length - 1), fc.integer({ min: 0, max: 255 }), fc.nat(batch.length), (at, byte, cut) => {
        const damaged = batch.slice(0, cut)
        damaged[at] = byte
        try {
          expect(Array.isArray(codec.decode(damaged))).toBe(true)
        } catch (error) {
          expect(error).toBeInstanceOf(SzmqError)
        }
      }),
    )
  })

  it('refuses lengths that nothing stands behind before it allocates them', () => {
    const codec = createMessageCodec()
    const nested = Buffer.alloc(5 * 2_000)
    for (let at = 0; at < nested.length; at += 5) {
      nested[at] = 0xdd
      nested.writeUInt32BE(0x01ff_ffff, at + 1)
    }
    expect(() => codec.decode(nested)).toThrowError(expect.objectContaining({ code: 'ERR_SZMQ_MALFORMED_MESSAGE' }))
  })

  it('refuses functions, symbols and circles by name', () => {
    const codec = createMessageCodec()
    const circle: Record<string, unknown> = {}
    circle['self'] = circle
    for (const bad of [() => 1, Symbol('s'), circle, { deep: [{ fn: () => 1 }] }]) {
      expect(() => codec.encode([bad])).toThrowError(expect.objectContaining({ code: 'ERR_SZMQ_NOT_SERIALIZABLE' }))
      expect(codec.decode(codec.encode([1, 'after']))).toEqual([1, 'after'])
    }
  })
})

/** MessagePack has no -0 among its integers and no invalid dates; msgpackr renames `__proto__` and calls `toJSON`. */
function isRoundTrippable(candidate: unknown): boolean {
  return !/__proto__|toJSON|Date\(NaN\)|(^|[^.\d])-0($|[^.\d])/.test(fc.stringify(candidate))
}
