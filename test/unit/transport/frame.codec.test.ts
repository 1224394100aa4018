import { describe, expect, it } from 'vitest'
import { decodeFrame, encodeFrame, FRAME_HEADER_BYTES, sessionIdOf, type Frame } from '../../../src/transport/frame.codec.ts'

const sessionId = sessionIdOf(Uint8Array.from({ length: 16 }, (_, at) => at))
const frame: Frame = { kind: 'tls', from: 'client', sessionId, epoch: 2, sequence: 0x1_0000_0003, bytes: new Uint8Array([22]) }
const reset: Frame = { kind: 'reset', from: 'server', sessionId, epoch: 2 }
const cookie = new Uint8Array(16).fill(7)
const asked: Frame = { kind: 'cookie', from: 'server', sessionId, epoch: 2, cookie }
const hello: Frame = { kind: 'hello', from: 'client', sessionId, epoch: 2, cookie, bytes: new Uint8Array([22]) }
const changed = (at: number, byte: number, of: Frame = frame) => {
  const [header, bytes] = encodeFrame(of)
  header[at] = byte
  return decodeFrame(header, bytes)
}
const code = (expected: string) => expect.objectContaining({ code: expected })

describe('the szmq frame', () => {
  it('is written byte by byte as docs/wire.md says', () => {
    const [header, bytes] = encodeFrame(frame)
    expect([...header]).toEqual([
      ...[0x53, 0x5a, 1, 1],
      ...[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
      ...[0, 0, 0, 2],
      ...[0, 0, 0, 1, 0, 0, 0, 3],
    ])
    expect([...bytes]).toEqual([22])
    expect([...encodeFrame(reset)[0].subarray(0, 4)]).toEqual([0x53, 0x5a, 1, 0x82])
    expect([...encodeFrame(asked)[0].subarray(0, 4)]).toEqual([0x53, 0x5a, 1, 0x83])
    expect([...encodeFrame(hello)[0].subarray(0, 4)]).toEqual([0x53, 0x5a, 1, 3])
    expect([...encodeFrame(hello)[1]]).toEqual([...cookie, 22])
  })

  it.each([frame, reset, asked, hello])('comes back as it went: $kind', (value) => {
    expect(decodeFrame(...encodeFrame(value))).toEqual(value)
  })

  it('tells another version from nonsense', () => {
    expect(changed(2, 2)).toEqual(code('ERR_SZMQ_PROTOCOL_MISMATCH'))
    expect(changed(0, 0x52)).toEqual(code('ERR_SZMQ_MALFORMED_FRAME'))
  })

  it.each([
    ['an unknown type', changed(3, 4)],
    ['epoch 0', changed(23, 0)],
    ['a sequence beyond 2^53', changed(24, 0xff)],
    ['a reset with a sequence', changed(31, 1, reset)],
    ['a cookie with a sequence', changed(31, 1, asked)],
    ['a cookie that is too short', decodeFrame(encodeFrame(asked)[0], cookie.subarray(1))],
    ['a cookie that is too long', decodeFrame(encodeFrame(asked)[0], new Uint8Array(17))],
    ['a hello that is nothing but a cookie', decodeFrame(encodeFrame(hello)[0], cookie)],
    ['a hello with a sequence', changed(31, 1, hello)],
    ['no bytes', decodeFrame(encodeFrame(frame)[0], new Uint8Array())],
    ['a reset with bytes', decodeFrame(encodeFrame(reset)[0], new Uint8Array([1]))],
    ['a header cut short', decodeFrame(encodeFrame(frame)[0].subarray(0, FRAME_HEADER_BYTES - 1), new Uint8Array([1]))],
    ['one part', decodeFrame(new Uint8Array([1]), undefined)],
    ['no part', decodeFrame(undefined, undefined)],
  ])('refuses %s', (_what, decoded) => {
    expect(decoded).toEqual(code('ERR_SZMQ_MALFORMED_FRAME'))
  })
})
