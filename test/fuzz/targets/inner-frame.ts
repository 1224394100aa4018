import { encodeInnerFrame, InnerFrameDecoder } from '../../../src/security/inner-frame.codec.ts'
import { concatBytes } from '../../../src/shared/bytes.ts'
import { SzmqError } from '../../../src/shared/errors.ts'
import type { FuzzInput, FuzzTarget } from '../fuzz-target.ts'
import { kindOf, promise, promiseSame } from '../promises.ts'
import { slicingsOf } from './slicings.ts'

const MAX_MESSAGE_BYTES = 100_000

/** Pieces: slices of the plaintext inside TLS. */
export const innerFrameTarget: FuzzTarget = {
  name: 'inner-frame',
  share: 120,
  prepare: () => ({
    seeds: [
      [...encodeInnerFrame({ kind: 'accept' }), ...encodeInnerFrame({ kind: 'message', bytes: new Uint8Array(20) })],
      [...encodeInnerFrame({ kind: 'message', bytes: new Uint8Array(700) }), ...encodeInnerFrame({ kind: 'end' })],
      [Uint8Array.of(0, 1, 0x86, 0xa0, 2), new Uint8Array(70_000)],
    ],
    words: [
      Uint8Array.of(0, 0, 0, 0, 1),
      Uint8Array.of(0, 0, 0, 0, 3),
      Uint8Array.of(0, 1, 0x86, 0xa1, 2),
      Uint8Array.of(0xff, 0xff, 0xff, 0xff, 2),
    ],
    run: (input) => {
      const [first, ...others] = slicingsOf(input).map(decodeAll)
      if (first === undefined) return []
      for (const other of others) promiseSame(other, first, 'another slicing gives other frames')
      const written = Buffer.from(concatBytes(input)).toString('hex')
      promise(written.startsWith(first.encoded), 'decoded frames encode to other bytes')
      return first.kinds.slice(0, 4)
    },
  }),
}

function decodeAll(slices: FuzzInput): { readonly encoded: string; readonly kinds: readonly string[] } {
  const decoder = new InnerFrameDecoder(MAX_MESSAGE_BYTES)
  let encoded = ''
  const kinds: string[] = []
  for (const slice of slices) {
    for (const frame of decoder.push(slice)) {
      if (frame instanceof SzmqError) {
        // Once broken, every further slice says so again.
        if (kinds.at(-1) !== kindOf(frame)) kinds.push(kindOf(frame))
        continue
      }
      promise(!kinds.some((kind) => kind.startsWith('ERR')), 'a broken stream goes on')
      encoded += Buffer.from(concatBytes(encodeInnerFrame(frame))).toString('hex')
      kinds.push(frame.kind)
    }
  }
  return { encoded, kinds }
}
