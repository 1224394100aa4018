import { concatBytes } from '../../../src/shared/bytes.ts'
import { SzmqError } from '../../../src/shared/errors.ts'
import { decodeLinkMessage, encodeLinkMessage } from '../../../src/transport/link.codec.ts'
import type { FuzzTarget } from '../fuzz-target.ts'
import { kindOf, promise, promiseSame, valueOrSzmqError } from '../promises.ts'

/** Pieces are put together: one message of a session. */
export const linkMessageTarget: FuzzTarget = {
  name: 'link-message',
  share: 100,
  prepare: () => ({
    seeds: [
      [encodeLinkMessage({ kind: 'hello', name: 'a', incarnation: 'b-1', link: '0011223344556677', receivedUpTo: 0 })],
      [encodeLinkMessage({ kind: 'hello', name: 'a', incarnation: 'b', link: 'c', receivedUpTo: 2 ** 48 - 1 })],
      [encodeLinkMessage({ kind: 'batch', sequence: 1, acknowledged: 2, to: 3, from: 4, body: Uint8Array.of(0x91, 1) })],
      [encodeLinkMessage({ kind: 'ack', acknowledged: 2 ** 48 - 1 })],
      [encodeLinkMessage({ kind: 'ping' })],
    ],
    words: [Uint8Array.of(1, 0x95, 1), Uint8Array.of(0xcf, 0, 1, 0, 0, 0, 0, 0, 0), Uint8Array.of(0xa1, 0x61)],
    run: (input) => {
      const bytes = concatBytes(input)
      const message = valueOrSzmqError(() => decodeLinkMessage(bytes))
      if (message instanceof SzmqError) {
        promise(message.blame === 'peer', `${message.code} does not blame the peer`)
        return [kindOf(message)]
      }
      const encoded = encodeLinkMessage(message)
      if (message.kind === 'hello') promiseSame(decodeLinkMessage(encoded), message, 'a hello does not come back')
      else promise(Buffer.compare(encoded, bytes) === 0, 'a decoded message encodes to other bytes')
      return [message.kind]
    },
  }),
}
