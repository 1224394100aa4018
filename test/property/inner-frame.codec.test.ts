import './seed.ts'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encodeInnerFrame, InnerFrameDecoder, type InnerFrame } from '../../src/security/inner-frame.codec.ts'
import { concatBytes } from '../../src/shared/bytes.ts'
import { SzmqError } from '../../src/shared/errors.ts'
import { slice } from '../support/slice.ts'

const MAX = 2_000
const frame: fc.Arbitrary<InnerFrame> = fc.oneof(
  fc.constant<InnerFrame>({ kind: 'accept' }),
  fc.constant<InnerFrame>({ kind: 'end' }),
  fc.uint8Array({ maxLength: MAX, size: 'max' }).map((bytes): InnerFrame => ({ kind: 'message', bytes })),
)
const cuts = fc.array(fc.nat({ max: 700 }), { maxLength: 30 })
const encode = (frames: readonly InnerFrame[]) => concatBytes(frames.flatMap((one) => [...encodeInnerFrame(one)]))
const plain = (frames: readonly (InnerFrame | SzmqError)[]) =>
  frames.map((one) => {
    if (one instanceof SzmqError) return one.code
    return one.kind === 'message' ? [...one.bytes] : one.kind
  })

describe('the inner frame', () => {
  it('comes back as it went, whatever the slicing', () => {
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 8 }), cuts, (frames, lengths) => {
        const decoder = new InnerFrameDecoder(MAX)
        const decoded = slice(encode(frames), lengths).flatMap((chunk) => [...decoder.push(chunk)])
        expect(plain(decoded)).toEqual(plain(frames))
      }),
    )
  })

  it('gives frames or one error for any bytes, the same for any slicing', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.tuple(fc.array(frame, { maxLength: 3 }), fc.uint8Array({ maxLength: 20 })).map(([frames, tail]) => {
        return concatBytes([encode(frames), tail])
      }),
    )
    fc.assert(
      fc.property(bytes, cuts, (anything, lengths) => {
        const whole = new InnerFrameDecoder(MAX).push(anything)
        const decoder = new InnerFrameDecoder(MAX)
        const parts: (InnerFrame | SzmqError)[] = []
        for (const chunk of slice(anything, lengths)) {
          parts.push(...decoder.push(chunk))
          if (parts.at(-1) instanceof SzmqError) break
        }
        expect(plain(parts)).toEqual(plain(whole))
      }),
    )
  })

  it('refuses an announced length before it holds a byte of it', () => {
    fc.assert(
      fc.property(fc.integer({ min: MAX + 1, max: 0xffff_ffff }), (length) => {
        const header = new Uint8Array(5)
        new DataView(header.buffer).setUint32(0, length)
        header[4] = 2
        const decoder = new InnerFrameDecoder(MAX)
        expect(plain(decoder.push(header))).toEqual(['ERR_SZMQ_LIMIT_EXCEEDED'])
        expect(plain(decoder.push(new Uint8Array([1])))).toEqual(['ERR_SZMQ_LIMIT_EXCEEDED'])
      }),
    )
  })

  it('copies nothing of a message that lies in one chunk', () => {
    const chunk = encode([{ kind: 'accept' }, { kind: 'message', bytes: new Uint8Array(100).fill(7) }])
    const [, message] = new InnerFrameDecoder(MAX).push(chunk)
    if (message instanceof SzmqError || message?.kind !== 'message') throw new Error('expected a message')
    expect(message.bytes.buffer).toBe(chunk.buffer)
  })

  it('stays linear when 16 MiB come in small pieces', () => {
    const bytes = new Uint8Array(16 * 1024 * 1024).fill(1)
    const stream = encode([{ kind: 'message', bytes }])
    const decoder = new InnerFrameDecoder(bytes.length)
    const decoded: (InnerFrame | SzmqError)[] = []
    for (let at = 0; at < stream.length; at += 64) decoded.push(...decoder.push(stream.subarray(at, at + 64)))
    expect(decoded).toHaveLength(1)
  })
})
