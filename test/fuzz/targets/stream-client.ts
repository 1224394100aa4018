import { encodeInnerFrame } from '../../../src/security/inner-frame.codec.ts'
import { concatBytes } from '../../../src/shared/bytes.ts'
import { insecureCleartextEngine } from '../../../src/testing/cleartext-engine.ts'
import { encodeCleartextRecord } from '../../../src/testing/cleartext-record.codec.ts'
import { FakeClock } from '../../../src/testing/fake-clock.ts'
import { SeededRandom } from '../../../src/testing/seeded-random.ts'
import {
  COOKIE_BYTES,
  encodeFrame,
  FRAME_HEADER_BYTES,
  sessionIdOf,
  type SessionId,
} from '../../../src/transport/frame.codec.ts'
import { StreamClient } from '../../../src/transport/stream.ts'
import type { FuzzInput, FuzzTarget } from '../fuzz-target.ts'
import { promise, valueOrSzmqError } from '../promises.ts'
import { pickDelay, StepReader, text } from './script.ts'

const TYPES = ['alert', 'handshake', 'application'] as const
const ACCEPT = concatBytes(encodeInnerFrame({ kind: 'accept' }))
const HANDSHAKE: FuzzInput = [Uint8Array.of(3, 1, ...text('ServerHello s')), Uint8Array.of(3, 2, ...ACCEPT)]

/** Pieces are steps: any parts, frames with any numbers, frames that the server would send next, resets, time, what the owner does. */
export const streamClientTarget: FuzzTarget = {
  name: 'stream-client',
  share: 6,
  prepare: () => ({
    seeds: [
      HANDSHAKE,
      [...HANDSHAKE, Uint8Array.of(5, 0), Uint8Array.of(6, 2), ...HANDSHAKE, Uint8Array.of(7, 1)],
      [...HANDSHAKE, Uint8Array.of(7, 0), Uint8Array.of(3, 0, ...text('close_notify'))],
      [Uint8Array.of(9, 1, 1), ...HANDSHAKE, Uint8Array.of(9, 1, 1)],
      [Uint8Array.of(5, 0), Uint8Array.of(6, 3), Uint8Array.of(2, 1, 0, 1, 22)],
    ],
    words: [...['ServerHello s', 'close_notify'].map(text), ACCEPT, Uint8Array.of(0x53, 0x5a, 1, 0x81)],
    run: play,
  }),
}

function play(steps: FuzzInput): readonly string[] {
  const clock = new FakeClock()
  const features = new Set<string>()
  let [epoch, sequence, records] = [1, 0, 0]
  let ends = 0
  const client = new StreamClient(
    { engine: insecureCleartextEngine({ role: 'client', name: 'c' }) },
    { clock, random: new SeededRandom(3) },
    ({ envelope, parts: [header] }) => {
      promise(envelope.length === 0, 'a client uses an envelope')
      const seen = new DataView(header.buffer).getUint32(20)
      if (seen !== epoch) [epoch, sequence, records] = [seen, 0, 0]
    },
    ({ kind }) => {
      promise(ends === 0, `${kind} comes after the last event`)
      if (kind === 'closed' || kind === 'failed') ends += 1
      features.add(kind)
    },
  )
  const id = client.channel.id as SessionId
  client.open()
  for (const step of steps) {
    const reader = new StepReader(step)
    switch (reader.u8() % 10) {
      case 0: {
        const rest = reader.rest()
        client.receive([rest.subarray(0, FRAME_HEADER_BYTES), rest.subarray(FRAME_HEADER_BYTES)])
        break
      }
      case 1:
        client.receive(Array.from({ length: reader.u8() % 5 }, () => reader.rest()))
        break
      case 2: {
        const [off, frameSequence] = [(reader.u8() % 4) - 1, reader.u8()]
        const sessionId = reader.u8() === 0 ? sessionIdOf(new Uint8Array(16)) : id
        const bytes = reader.rest()
        client.receive(
          encodeFrame({
            kind: 'tls',
            from: 'server',
            sessionId,
            epoch: Math.max(1, epoch + off),
            sequence: frameSequence,
            bytes,
          }),
        )
        break
      }
      case 3:
      case 4: {
        const type = TYPES[reader.u8() % 3] ?? 'alert'
        const bytes = encodeCleartextRecord({ type, payload: reader.rest().subarray(0, 16_384) }, records)
        const frame = encodeFrame({ kind: 'tls', from: 'server', sessionId: id, epoch, sequence, bytes })
        ;[sequence, records] = [sequence + 1, records + 1]
        client.receive(frame)
        break
      }
      case 5:
        client.receive(
          encodeFrame({ kind: 'reset', from: 'server', sessionId: id, epoch: Math.max(1, epoch + (reader.u8() % 3) - 1) }),
        )
        break
      case 6:
        clock.advance(pickDelay(reader.u8()))
        break
      case 7:
        if (reader.u8() === 0) client.channel.close()
        else valueOrSzmqError(() => client.channel.send(reader.rest()))
        break
      case 9: {
        const cookie = new Uint8Array(COOKIE_BYTES).fill(reader.u8())
        const cookieEpoch = Math.max(1, epoch + (reader.u8() % 3) - 1)
        client.receive(encodeFrame({ kind: 'cookie', from: 'server', sessionId: id, epoch: cookieEpoch, cookie }))
        break
      }
      case 8:
        client.receive(encodeFrame({ kind: 'reset', from: 'client', sessionId: id, epoch }))
        break
    }
  }
  client.channel.destroy()
  promise(ends === 1, `the end came ${ends} times`)
  promise(clock.pendingTimers === 0, `${clock.pendingTimers} timers are left behind`)
  for (const [name, count] of Object.entries(client.counters)) if (count > 0) features.add(name)
  return [...features]
}
