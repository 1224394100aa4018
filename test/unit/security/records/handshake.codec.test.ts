import { describe, expect, it } from 'vitest'
import {
  HandshakeReader,
  MAX_HANDSHAKE_BODY_BYTES,
  nameGroup,
  nameHandshake,
  readEcdheGroup,
  readServerHello,
} from '../../../../src/security/records/handshake.codec.ts'
import { HandshakeWatch } from '../../../../src/security/records/handshake-watch.ts'

function message(type: number, body: readonly number[]): number[] {
  return [type, body.length >> 16, (body.length >> 8) & 0xff, body.length & 0xff, ...body]
}

/** RFC 8446 §4.1.3, with a session id of two bytes. */
function serverHello(options: { random?: readonly number[]; extensions?: readonly number[] } = {}): number[] {
  const { random = Array.from({ length: 32 }, () => 7), extensions = [] } = options
  return [3, 3, ...random, 2, 0xaa, 0xbb, 0x13, 0x02, 0, extensions.length >> 8, extensions.length & 0xff, ...extensions]
}

const TLS_1_3_VERSION = [0, 43, 0, 2, 3, 4]
const KEY_SHARE_X25519 = [0, 51, 0, 6, 0, 29, 0, 2, 1, 1]
const RETRY_RANDOM = [...Buffer.from('cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c', 'hex')]

describe('HandshakeReader', () => {
  it('names messages, also many in one fragment and one in many', () => {
    const reader = new HandshakeReader()
    const bytes = Uint8Array.from([...message(11, [1, 2, 3]), ...message(14, []), ...message(20, [9])])
    expect(reader.read(bytes).map(({ name }) => name)).toEqual(['Certificate', 'ServerHelloDone', 'Finished'])
    expect([...bytes].flatMap((byte) => reader.read(Uint8Array.of(byte)).map(({ name }) => name))).toEqual([
      'Certificate',
      'ServerHelloDone',
      'Finished',
    ])
  })

  it('names a message that is too long to be held, and skips it', () => {
    const reader = new HandshakeReader()
    const long = message(
      11,
      Array.from({ length: MAX_HANDSHAKE_BODY_BYTES + 1 }, () => 20),
    )
    expect(reader.read(Uint8Array.from(long.slice(0, 10)))).toEqual([
      { type: 11, name: 'Certificate', length: MAX_HANDSHAKE_BODY_BYTES + 5, body: undefined },
    ])
    expect(reader.read(Uint8Array.from(long.slice(10)))).toEqual([])
    expect(reader.read(Uint8Array.from(message(14, []))).map(({ name }) => name)).toEqual(['ServerHelloDone'])
  })

  it('knows a HelloRetryRequest from a ServerHello by its random', () => {
    const bytes = Uint8Array.from(message(2, serverHello({ random: RETRY_RANDOM })))
    expect(new HandshakeReader().read(bytes)[0]?.name).toBe('HelloRetryRequest')
  })
})

describe('readServerHello', () => {
  it('reads version, suite and group of TLS 1.3', () => {
    const body = Uint8Array.from(serverHello({ extensions: [...TLS_1_3_VERSION, ...KEY_SHARE_X25519] }))
    expect(readServerHello(body)).toEqual({
      isRetry: false,
      version: 0x0304,
      cipherSuite: 0x1302,
      group: 'X25519',
      isPskAccepted: false,
    })
  })

  it('finds no group in TLS 1.2', () => {
    expect(readServerHello(Uint8Array.from(serverHello()))).toMatchObject({ version: 0x0303, group: undefined })
  })

  it('gives up on a body cut anywhere before its extensions, and never throws', () => {
    const body = Uint8Array.from(serverHello({ extensions: KEY_SHARE_X25519 }))
    for (let length = 0; length < body.length; length++) {
      const read = readServerHello(body.subarray(0, length))
      if (length < 40) expect(read).toBeUndefined()
      else expect(read?.group).toBeUndefined()
    }
  })
})

describe('readEcdheGroup', () => {
  it('reads a named curve, and nothing else', () => {
    expect(readEcdheGroup(Uint8Array.of(3, 0, 23, 65))).toBe('prime256v1')
    expect(readEcdheGroup(Uint8Array.of(1, 0, 23, 65))).toBeUndefined()
    expect(readEcdheGroup(Uint8Array.of(3, 0))).toBeUndefined()
  })
})

describe('names', () => {
  it('exist for code points that nobody knows', () => {
    expect([nameHandshake(99), nameGroup(0xfafa), nameGroup(0x11ec)]).toEqual([
      'HandshakeType(99)',
      'group(0xfafa)',
      'X25519MLKEM768',
    ])
  })
})

describe('HandshakeWatch', () => {
  it('falls silent at bytes that are no TLS', () => {
    const watch = new HandshakeWatch()
    expect(watch.see('received', Buffer.from('GET / HTTP/1.1'))).toEqual([])
    expect(watch.see('received', Uint8Array.of(21, 3, 3, 0, 2, 2, 40))).toEqual([])
    expect(watch.see('sent', Uint8Array.of(21, 3, 3, 0, 2, 2, 40))).toEqual([{ message: 'Alert', bytes: 2 }])
  })
})
