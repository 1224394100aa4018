import { decodeOrigin, encodeOrigin } from '../../../src/actors/origin.codec.ts'
import { concatBytes } from '../../../src/shared/bytes.ts'
import { SzmqError } from '../../../src/shared/errors.ts'
import { originOf } from '../../support/origins.ts'
import type { FuzzTarget } from '../fuzz-target.ts'
import { kindOf, promiseSame, valueOrSzmqError } from '../promises.ts'

/** Pieces are put together: what the host says of the far end of a link. */
export const originTarget: FuzzTarget = {
  name: 'origin',
  share: 30,
  prepare: () => ({
    seeds: [
      [Buffer.from(encodeOrigin(originOf('there')))],
      [Buffer.from(encodeOrigin(originOf('there', [{ path: 'shop/*', messages: ['add'] }, { path: 'shop/**' }])))],
    ],
    words: [Uint8Array.of(0xc0), Uint8Array.of(0x90), Uint8Array.of(0x91, 0xc0), Uint8Array.of(0x40)],
    run: (input) => {
      const bytes = Buffer.from(concatBytes(input))
      const origin = valueOrSzmqError(() => decodeOrigin(bytes))
      if (origin instanceof SzmqError) return [kindOf(origin)]
      const reach = valueOrSzmqError(() => origin.reachOf({ node: 'here', thread: 0, id: 3, path: '/cart' }))
      promiseSame(decodeOrigin(encodeOrigin(origin)).facts, origin.facts, 'an origin does not come back')
      return [`reach ${typeof reach === 'string' ? reach : reach === undefined ? 'nothing' : 'some'}`]
    },
  }),
}
