import { createHash } from 'node:crypto'
import {
  decodeKeptSession,
  encodeKeptSession,
  MAX_KEPT_CERTIFICATES,
} from '../../../src/security/resumption/client-session.codec.ts'
import { concatBytes } from '../../../src/shared/bytes.ts'
import type { FuzzTarget } from '../fuzz-target.ts'
import { promise } from '../promises.ts'

/** First piece: odd, the digest is made right before it is read. The others are put together: what a store gives back. */
export const keptSessionTarget: FuzzTarget = {
  name: 'kept-session',
  share: 80,
  prepare: () => {
    const one = encodeKeptSession({ chain: [new Uint8Array(9), Uint8Array.of(1)], data: new Uint8Array(7) })
    return {
      seeds: [
        [Uint8Array.of(0), one],
        [Uint8Array.of(1), one],
        [Uint8Array.of(1), encodeKeptSession({ chain: [], data: new Uint8Array() })],
        [
          Uint8Array.of(1),
          encodeKeptSession({ chain: Array.from({ length: 17 }, () => Uint8Array.of(5)), data: Uint8Array.of(2) }),
        ],
      ],
      run: ([mode, ...rest]) => {
        const bytes = new Uint8Array(concatBytes(rest))
        if (((mode?.[0] ?? 0) & 1) === 1 && bytes.length >= 32)
          bytes.set(createHash('sha256').update(bytes.subarray(32)).digest())
        const kept = decodeKeptSession(bytes)
        if (kept === undefined) return ['none']
        promise(kept.chain.length <= MAX_KEPT_CERTIFICATES, 'more certificates than allowed')
        promise(Buffer.compare(encodeKeptSession(kept), bytes) === 0, 'a kept session encodes to other bytes')
        return [`chain ${kept.chain.length}`]
      },
    }
  },
}
