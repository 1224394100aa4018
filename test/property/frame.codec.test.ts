import './seed.ts'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SzmqError } from '../../src/shared/errors.ts'
import {
  COOKIE_BYTES,
  decodeFrame,
  encodeFrame,
  FRAME_HEADER_BYTES,
  SESSION_ID_BYTES,
  sessionIdOf,
  type Frame,
} from '../../src/transport/frame.codec.ts'

const sender = {
  from: fc.constantFrom('client' as const, 'server' as const),
  sessionId: fc.uint8Array({ minLength: SESSION_ID_BYTES, maxLength: SESSION_ID_BYTES }).map(sessionIdOf),
  epoch: fc.integer({ min: 1, max: 0xffff_ffff }),
}
const cookie = fc.uint8Array({ minLength: COOKIE_BYTES, maxLength: COOKIE_BYTES })
const frame: fc.Arbitrary<Frame> = fc.oneof(
  fc.record({ kind: fc.constant('reset' as const), ...sender }),
  fc.record({
    kind: fc.constant('tls' as const),
    ...sender,
    sequence: fc.maxSafeNat(),
    bytes: fc.uint8Array({ minLength: 1, maxLength: 100 }),
  }),
  fc.record({ kind: fc.constant('cookie' as const), ...sender, from: fc.constant('server' as const), cookie }),
  fc.record({
    kind: fc.constant('hello' as const),
    ...sender,
    from: fc.constant('client' as const),
    cookie,
    bytes: fc.uint8Array({ minLength: 1, maxLength: 100 }),
  }),
)

describe('the szmq frame', () => {
  it('comes back as it went', () => {
    fc.assert(
      fc.property(frame, (value) => {
        expect(decodeFrame(...encodeFrame(value))).toEqual(value)
      }),
    )
  })

  it('has a header of fixed length, and the bytes as they are', () => {
    fc.assert(
      fc.property(frame, (value) => {
        const [header, bytes] = encodeFrame(value)
        expect(header).toHaveLength(FRAME_HEADER_BYTES)
        if (value.kind === 'tls') expect(bytes).toBe(value.bytes)
        else if (value.kind === 'hello') expect(bytes).toEqual(Uint8Array.of(...value.cookie, ...value.bytes))
        else expect(bytes).toHaveLength(value.kind === 'cookie' ? COOKIE_BYTES : 0)
      }),
    )
  })

  it('gives a frame or an SzmqError for any bytes, and what it gives encodes to those very bytes', () => {
    const mutated = fc.tuple(frame, fc.nat({ max: FRAME_HEADER_BYTES - 1 }), fc.nat({ max: 255 })).map(([value, at, byte]) => {
      const [header, bytes] = encodeFrame(value)
      header[at] = byte
      return [header, bytes] as const
    })
    const anything = fc.tuple(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ maxLength: 40 }))
    fc.assert(
      fc.property(fc.oneof(mutated, anything), ([header, bytes]) => {
        const decoded = decodeFrame(header, bytes)
        if (decoded instanceof SzmqError) {
          expect(['ERR_SZMQ_MALFORMED_FRAME', 'ERR_SZMQ_PROTOCOL_MISMATCH']).toContain(decoded.code)
        } else expect(encodeFrame(decoded)).toEqual([header, bytes])
      }),
      { numRuns: 1_000 },
    )
  })
})
