import { decodePipeHead, encodePipeHead } from '../../../src/actors/pipe-head.codec.ts'
import { concatBytes } from '../../../src/shared/bytes.ts'
import { SzmqError } from '../../../src/shared/errors.ts'
import type { FuzzTarget } from '../fuzz-target.ts'
import { kindOf, promise, promiseSame, valueOrSzmqError } from '../promises.ts'

/** Pieces are put together: one batch of a pipe. */
export const pipeHeadTarget: FuzzTarget = {
  name: 'pipe-head',
  share: 60,
  prepare: () => ({
    seeds: [
      [encodePipeHead({ kind: 'local' }), Uint8Array.of(0x90)],
      [encodePipeHead({ kind: 'toNode', node: 'there', thread: 255 }), Uint8Array.of(0x90)],
      [encodePipeHead({ kind: 'fromLink', link: 2 ** 48 - 1, thread: 1 })],
      [encodePipeHead({ kind: 'origin', link: 5 }), Uint8Array.of(0x90)],
      [encodePipeHead({ kind: 'originGone', link: 5 })],
    ],
    run: (input) => {
      const bytes = concatBytes(input)
      const decoded = valueOrSzmqError(() => decodePipeHead(bytes))
      if (decoded instanceof SzmqError) return [kindOf(decoded)]
      const { head, batch } = decoded
      promise(bytes.length === 0 || batch.length < bytes.length, 'a head takes no bytes')
      promiseSame(decodePipeHead(concatBytes([encodePipeHead(head), batch])).head, head, 'a head does not come back')
      return [head.kind]
    },
  }),
}
