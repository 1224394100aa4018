import { ClientHelloReader } from '../../../src/security/gnutls/client-hello-reader.ts'
import { HandshakeWatch, type SeenMessage } from '../../../src/security/records/handshake-watch.ts'
import { concatBytes } from '../../../src/shared/bytes.ts'
import type { FuzzInput, FuzzTarget } from '../fuzz-target.ts'
import { promiseSame } from '../promises.ts'

const inRecord = (type: number, ...fragment: number[]): number[] => [
  type,
  3,
  3,
  fragment.length >> 8,
  fragment.length & 255,
  ...fragment,
]
const CLIENT_HELLO = inRecord(22, 1, 0, 0, 41, 3, 3, ...Array.from({ length: 32 }, () => 7), 2, 8, 9, 0, 2, 19, 1)
const SERVER_HELLO = inRecord(22, 2, 0, 0, 38, 3, 3, ...Array.from({ length: 32 }, () => 7), 0, 192, 43, 0)

/** Pieces: what passes by, one after the other; odd first byte: received, even: sent. What is received is also read as a ClientHello. */
export const handshakeWatchTarget: FuzzTarget = {
  name: 'handshake-watch',
  share: 60,
  prepare: () => ({
    seeds: [
      [
        Uint8Array.of(0, ...CLIENT_HELLO),
        Uint8Array.of(1, ...SERVER_HELLO),
        Uint8Array.of(1, ...inRecord(20, 1), ...inRecord(22, 20)),
      ],
      [
        Uint8Array.of(1, ...CLIENT_HELLO),
        Uint8Array.of(0, ...SERVER_HELLO),
        Uint8Array.of(0, ...inRecord(22, 12, 0, 0, 4, 3, 0, 29, 0)),
      ],
      [Uint8Array.of(1, ...inRecord(21, 2, 40))],
    ],
    words: [Uint8Array.from(CLIENT_HELLO), Uint8Array.from(SERVER_HELLO), Uint8Array.of(20, 3, 3, 0, 1, 1)],
    run: (input) => {
      const seen = watch(input)
      promiseSame(watch(input.flatMap(cutInTwo)), seen, 'another slicing shows other messages')
      const received = input.filter((piece) => ((piece[0] ?? 0) & 1) === 1).map((piece) => piece.subarray(1))
      const id = readHello(received)
      promiseSame(readHello([concatBytes(received)]), id, 'another slicing of a ClientHello gives another session id')
      return [
        ...seen.messages.slice(0, 4).map((message) => message.split(' ')[0] ?? ''),
        `id ${id !== undefined}`,
        `psk ${seen.isPskAccepted}`,
        `group ${seen.group !== undefined}`,
      ]
    },
  }),
}

function watch(input: FuzzInput) {
  const watcher = new HandshakeWatch()
  const seen: SeenMessage[] = []
  for (const piece of input) {
    seen.push(...watcher.see(((piece[0] ?? 0) & 1) === 1 ? 'received' : 'sent', piece.subarray(1)))
  }
  const { isPskAccepted, hasSentChangeCipherSpec } = watcher
  const messages = seen.map(({ message, bytes }) => `${message} ${bytes}`)
  return { messages, isPskAccepted, hasSentChangeCipherSpec, group: watcher.groupFor('ECDHE-RSA-AES128-GCM-SHA256') }
}

function cutInTwo(piece: Uint8Array): FuzzInput {
  const middle = piece.length >> 1
  if (middle < 2) return [piece]
  return [piece.subarray(0, middle), concatBytes([piece.subarray(0, 1), piece.subarray(middle)])]
}

function readHello(slices: FuzzInput): string | undefined {
  const reader = new ClientHelloReader()
  let id: Uint8Array | undefined
  for (const slice of slices) id ??= reader.read(slice)
  return id === undefined ? undefined : Buffer.from(id).toString('hex')
}
