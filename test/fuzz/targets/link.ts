import { FakeClock } from '../../../src/testing/fake-clock.ts'
import { SeededRandom } from '../../../src/testing/seeded-random.ts'
import { encodeLinkMessage } from '../../../src/transport/link.codec.ts'
import { Link } from '../../../src/transport/link.ts'
import { ScriptedChannel } from '../../support/scripted-channel.ts'
import type { FuzzInput, FuzzTarget } from '../fuzz-target.ts'
import { promise } from '../promises.ts'
import { pickDelay, StepReader } from './script.ts'

const LIMITS = { maxUnackedBatches: 6, maxUnackedBytes: 3_000, maxBatchBytes: 2_000, ackEveryBatches: 3 }
const HELLO = encodeLinkMessage({ kind: 'hello', name: 'peer', incarnation: 'peer-1', link: '00', receivedUpTo: 0 })

/** Pieces are steps: session messages of the peer, any or with the numbers that are expected; resets, time, what the owner does. */
export const linkTarget: FuzzTarget = {
  name: 'link',
  share: 20,
  prepare: () => ({
    seeds: [
      [
        Uint8Array.of(4),
        Uint8Array.of(0, ...HELLO),
        Uint8Array.of(1, 0, 1, 2, 3),
        Uint8Array.of(8),
        Uint8Array.of(7, 3),
        Uint8Array.of(9),
      ],
      [
        Uint8Array.of(4),
        Uint8Array.of(3),
        Uint8Array.of(6, 9, 9),
        Uint8Array.of(6),
        Uint8Array.of(5),
        Uint8Array.of(4),
        Uint8Array.of(3, 1),
        Uint8Array.of(2, 2),
      ],
      [Uint8Array.of(4), Uint8Array.of(3), Uint8Array.of(11), Uint8Array.of(6, 1), Uint8Array.of(10), Uint8Array.of(7, 4)],
    ],
    words: [HELLO, Uint8Array.of(2, 0, 0, 0, 0, 0, 1), Uint8Array.of(3, 0, 0, 0, 0, 0, 1), Uint8Array.of(4)],
    run: play,
  }),
}

function play(steps: FuzzInput): readonly string[] {
  const clock = new FakeClock()
  const seen: string[] = []
  const undelivered: { readonly sequence: number; readonly bytes: number }[] = []
  let received = 0
  let sent = 0
  let downs = 0
  const link = new Link(
    { local: { name: 'here', incarnation: 'here-1' }, limits: LIMITS },
    { clock, random: new SeededRandom(1) },
    (event) => {
      promise(downs === 0, `${event.kind} comes after down`)
      seen.push(event.kind === 'down' ? `down ${event.error?.code}` : event.kind)
      if (event.kind === 'down') {
        downs += 1
        // One more: the channel may break while it takes a batch.
        promise(event.unacknowledged.length <= sent + 1, 'more is given back than was sent')
      }
      if (event.kind !== 'batch') return
      promise(event.sequence === received + 1, `batch ${event.sequence} comes after ${received}`)
      received = event.sequence
      undelivered.push({ sequence: event.sequence, bytes: event.body.length })
    },
  )
  const channel = new ScriptedChannel((event) => {
    link.onChannelEvent(event)
  })
  link.attach(channel)
  const isAlive = (): boolean => channel.status.kind !== 'closed' && channel.status.kind !== 'failed'
  const say = (bytes: Uint8Array): void => {
    if (channel.status.kind === 'open') channel.say(bytes)
  }
  for (const step of steps) {
    const reader = new StepReader(step)
    switch (reader.u8() % 14) {
      case 0:
        say(reader.rest())
        break
      case 1: {
        const off = (reader.u8() % 4) - 1
        const body = reader.rest()
        say(
          encodeLinkMessage({
            kind: 'batch',
            sequence: Math.max(0, received + (off === -1 ? 0 : off === 2 ? 2 : 1)),
            acknowledged: 0,
            to: 1,
            from: 2,
            body,
          }),
        )
        break
      }
      case 2:
        say(encodeLinkMessage({ kind: 'ack', acknowledged: reader.u8() % (sent + 2) }))
        break
      case 3:
        say(
          encodeLinkMessage({
            kind: 'hello',
            name: 'peer',
            incarnation: 'peer-1',
            link: '00',
            receivedUpTo: reader.u8() % (sent + 2),
          }),
        )
        break
      case 4:
        if (channel.status.kind === 'handshaking' || channel.status.kind === 'resetting') channel.open()
        break
      case 5:
        if (channel.status.kind === 'open') channel.reset()
        break
      case 6:
        if (link.send(1, 2, reader.rest().subarray(0, LIMITS.maxBatchBytes))) sent += 1
        break
      case 7:
        clock.advance(pickDelay(reader.u8()))
        break
      case 8: {
        const next = undelivered.shift()
        if (next !== undefined) link.delivered(next.sequence)
        break
      }
      case 9:
        if (isAlive()) link.close()
        if (isAlive() && reader.u8() === 0) channel.finish()
        break
      case 10:
        if (channel.status.kind === 'open') channel.drain()
        break
      case 11:
        channel.isFull = true
        break
      case 12:
        channel.breaksOnSend = reader.u8() === 1
        break
      case 13:
        channel.take()
        break
    }
    const held = undelivered.reduce((sum, { bytes }) => sum + bytes, 0)
    promise(undelivered.length <= LIMITS.maxUnackedBatches, 'more batches are handed on than the window allows')
    promise(held <= Math.max(LIMITS.maxUnackedBytes, LIMITS.maxBatchBytes), 'more bytes are handed on than the window allows')
    promise((downs === 1) === !isAlive(), 'the link is down, and its channel is not, or the other way round')
  }
  channel.destroy()
  promise(downs === 1, `down came ${downs} times`)
  promise(clock.pendingTimers === 0, `${clock.pendingTimers} timers are left behind`)
  return [...new Set(seen)]
}
