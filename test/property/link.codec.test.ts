import './seed.ts'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { SzmqError } from '../../src/shared/errors.ts'
import { decodeLinkMessage, encodeLinkMessage, LINK_VERSION, type LinkMessage } from '../../src/transport/link.codec.ts'
import { createMessageCodec } from '../../src/transport/message.codec.ts'

const sequence = fc.oneof(fc.nat(), fc.constantFrom(0, 2 ** 32 - 1, 2 ** 32, 2 ** 48 - 1))
const thread = fc.nat(255)
const bytes = fc.uint8Array({ maxLength: 300 })
const name = fc.stringMatching(/^[\x21-\x7e]{1,64}$/)
const message: fc.Arbitrary<LinkMessage> = fc.oneof(
  fc.record({ kind: fc.constant('hello' as const), name, incarnation: name, link: name, receivedUpTo: sequence }),
  fc.record({
    kind: fc.constant('batch' as const),
    sequence,
    acknowledged: sequence,
    to: thread,
    from: thread,
    body: bytes.map((body) => Buffer.from(body)),
  }),
  fc.record({ kind: fc.constant('ack' as const), acknowledged: sequence }),
  fc.constant({ kind: 'ping' as const }),
)

/** A value, or an error of ours that blames the peer: nothing else may come out. */
function decodeOrBlame(input: Uint8Array): LinkMessage | undefined {
  try {
    return decodeLinkMessage(input)
  } catch (error) {
    expect(error).toBeInstanceOf(SzmqError)
    expect((error as SzmqError).blame).toBe('peer')
    expect((error as SzmqError).message.length).toBeLessThan(300)
    return undefined
  }
}

it('reads back what it wrote', () => {
  fc.assert(
    fc.property(message, (value) => {
      expect(decodeLinkMessage(encodeLinkMessage(value))).toEqual(value)
    }),
  )
})

it('reads any bytes as a message or as the peer’s fault', () => {
  const kind = fc.constantFrom(0, 1, 2, 3, 4, 5, 255)
  fc.assert(
    fc.property(fc.tuple(kind, bytes), ([first, rest]) => {
      const decoded = decodeOrBlame(Uint8Array.of(first, ...rest))
      if (decoded !== undefined && decoded.kind !== 'hello') {
        expect([...encodeLinkMessage(decoded)]).toEqual([first, ...rest])
      }
    }),
    { numRuns: 1_000 },
  )
})

it('reads what was cut or flipped as another message or as the peer’s fault', () => {
  fc.assert(
    fc.property(message, fc.nat(), fc.nat(7), (value, place, bit) => {
      const whole = encodeLinkMessage(value)
      const at = place % whole.length
      decodeOrBlame(whole.subarray(0, at))
      const flipped = Uint8Array.from(whole)
      flipped[at] = (flipped[at] ?? 0) ^ (1 << bit)
      decodeOrBlame(flipped)
    }),
    { numRuns: 1_000 },
  )
})

it('takes any list for a hello, or for the peer’s fault', () => {
  const codec = createMessageCodec()
  const anything = fc.anything({ withDate: true, withMap: true, withSet: true, withBigInt: false })
  const field = fc.oneof(
    anything,
    name,
    sequence,
    fc.constantFrom(LINK_VERSION, 0, -1, 0.5, 2 ** 48, 'x'.repeat(65), '', 'ä', 'a b'),
  )
  fc.assert(
    fc.property(fc.boolean(), fc.array(field, { maxLength: 6 }), (isOurVersion, fields) => {
      const list = isOurVersion ? [LINK_VERSION, ...fields] : fields
      let encoded: Uint8Array
      try {
        encoded = codec.encode(list)
      } catch {
        return
      }
      const decoded = decodeOrBlame(Buffer.concat([Uint8Array.of(1), encoded]))
      if (decoded?.kind !== 'hello') return
      for (const text of [decoded.name, decoded.incarnation, decoded.link]) expect(text).toMatch(/^[\x21-\x7e]{1,64}$/)
      expect(decoded.receivedUpTo).toBeGreaterThanOrEqual(0)
    }),
    { numRuns: 1_000 },
  )
})
