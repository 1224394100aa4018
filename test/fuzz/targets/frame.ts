import { concatBytes } from '../../../src/shared/bytes.ts'
import { SzmqError } from '../../../src/shared/errors.ts'
import { COOKIE_BYTES, decodeFrame, encodeFrame, FRAME_HEADER_BYTES, sessionIdOf } from '../../../src/transport/frame.codec.ts'
import type { FuzzTarget } from '../fuzz-target.ts'
import { kindOf, promise } from '../promises.ts'

const cookie = new Uint8Array(COOKIE_BYTES).fill(9)
const sessionId = sessionIdOf(Uint8Array.from({ length: 16 }, (_, at) => at * 17))

/** Pieces: the header and the bytes of one frame. */
export const frameTarget: FuzzTarget = {
  name: 'frame',
  share: 180,
  prepare: () => ({
    seeds: [
      encodeFrame({ kind: 'tls', from: 'client', sessionId, epoch: 1, sequence: 0, bytes: Uint8Array.of(22, 3, 1) }),
      encodeFrame({
        kind: 'tls',
        from: 'server',
        sessionId,
        epoch: 0xffff_ffff,
        sequence: 2 ** 53 - 1,
        bytes: Uint8Array.of(1),
      }),
      encodeFrame({ kind: 'reset', from: 'server', sessionId, epoch: 7 }),
      encodeFrame({ kind: 'cookie', from: 'server', sessionId, epoch: 7, cookie }),
      encodeFrame({ kind: 'hello', from: 'client', sessionId, epoch: 7, cookie, bytes: Uint8Array.of(22, 3, 1) }),
      [],
    ],
    words: [Uint8Array.of(0x53, 0x5a, 1), Uint8Array.of(0x53, 0x5a, 2), new Uint8Array(FRAME_HEADER_BYTES)],
    run: (input) => {
      const [header, bytes] = input
      const frame = decodeFrame(header, bytes)
      if (frame instanceof SzmqError) return [kindOf(frame)]
      const whole = concatBytes([header ?? new Uint8Array(), bytes ?? new Uint8Array()])
      promise(Buffer.compare(concatBytes(encodeFrame(frame)), whole) === 0, 'a decoded frame encodes to other bytes')
      return [`${frame.kind} ${frame.from}`]
    },
  }),
}
