import { readOfferedVersions } from '../../../src/security/gnutls/client-hello.ts'
import {
  HandshakeReader,
  MAX_HANDSHAKE_BODY_BYTES,
  readEcdheGroup,
  readServerHello,
} from '../../../src/security/records/handshake.codec.ts'
import { concatBytes } from '../../../src/shared/bytes.ts'
import type { FuzzInput, FuzzTarget } from '../fuzz-target.ts'
import { promise, promiseSame } from '../promises.ts'
import { slicingsOf } from './slicings.ts'

const RETRY_RANDOM = 'cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c'
/** Version, random, session id, suite, compression; supported_versions, key_share, pre_shared_key. */
const SERVER_HELLO = `0303${RETRY_RANDOM}0113${'1301'}00${'0014'}002b00020304${'003300020017'}${'002900020000'}`

/** Pieces: slices of a stream of handshake messages. All of it is also read as the body of a hello. */
export const handshakeTarget: FuzzTarget = {
  name: 'handshake',
  share: 100,
  prepare: () => {
    const body = Buffer.from(SERVER_HELLO, 'hex')
    return {
      seeds: [
        [Uint8Array.of(1, 0, 0, 2, 3, 3, 20, 0, 0, 0)],
        [Uint8Array.of(2, 0, 0, body.length), body],
        [body],
        [Uint8Array.of(12, 0, 0, 4, 3, 0, 0x1d, 0)],
        [Uint8Array.of(11, 0, 0x20, 1), new Uint8Array(MAX_HANDSHAKE_BODY_BYTES)],
      ],
      words: [body, Uint8Array.of(0, 43, 0, 2, 3, 4), Uint8Array.of(0, 51, 0xff, 0xff), Uint8Array.of(1, 0xff, 0xff, 0xff)],
      run: (input) => {
        const [first, ...others] = slicingsOf(input).map(readAll)
        for (const other of others) promiseSame(other, first, 'another slicing gives other messages')
        const whole = concatBytes(input)
        const hello = readServerHello(whole)
        const group = readEcdheGroup(whole)
        const versions = readOfferedVersions(whole)
        promise((versions?.size ?? 0) <= 127, 'more versions than a length byte can announce')
        return [
          ...(first ?? []).slice(0, 4).map(({ name }) => name),
          hello === undefined ? 'no hello' : `hello ${hello.isRetry} ${hello.isPskAccepted} ${hello.group !== undefined}`,
          `group ${group !== undefined}`,
          `versions ${versions?.size}`,
        ]
      },
    }
  },
}

function readAll(slices: FuzzInput): readonly { readonly name: string; readonly length: number; readonly body?: string }[] {
  const reader = new HandshakeReader()
  return slices.flatMap((slice) => {
    // What is held is a copy, also of a Buffer, which slices without one.
    const lent = Buffer.from(slice)
    const messages = reader.read(lent).map(({ name, length, body }) => {
      promise((body?.length ?? 0) <= MAX_HANDSHAKE_BODY_BYTES, 'a body longer than the limit was held')
      return { name, length, ...(body === undefined ? {} : { body: Buffer.from(body).toString('hex') }) }
    })
    lent.fill(0xee)
    return messages
  })
}
