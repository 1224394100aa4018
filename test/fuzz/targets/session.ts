import { encodeInnerFrame } from '../../../src/security/inner-frame.codec.ts'
import { Session } from '../../../src/security/session.ts'
import type { SessionEvent } from '../../../src/security/session-status.ts'
import { insecureCleartextEngine } from '../../../src/testing/cleartext-engine.ts'
import { encodeCleartextRecord } from '../../../src/testing/cleartext-record.codec.ts'
import { FakeClock } from '../../../src/testing/fake-clock.ts'
import { SeededRandom } from '../../../src/testing/seeded-random.ts'
import { concatBytes } from '../../../src/shared/bytes.ts'
import type { FuzzInput, FuzzTarget } from '../fuzz-target.ts'
import { promise, promiseSame, valueOrSzmqError } from '../promises.ts'
import { pickDelay, StepReader, text } from './script.ts'

const MAX_MESSAGE_BYTES = 5_000
const TYPES = ['alert', 'handshake', 'application'] as const
const ACCEPT = concatBytes(encodeInnerFrame({ kind: 'accept' }))
const honest = (role: number): FuzzInput => {
  const handshake = role === 0 ? ['ServerHello peer'] : ['ClientHello peer', 'Finished peer']
  return [...handshake.map((each) => Uint8Array.of(2, 1, ...text(each))), Uint8Array.of(2, 2, ...ACCEPT)]
}

/**
 * First piece: role (bit 0), answers in later turns (bit 1). The others are steps: bytes of the peer, raw or in records whose checksum is
 * right, time, what the transport hears, what the owner does.
 */
export const sessionTarget: FuzzTarget = {
  name: 'session',
  share: 10,
  prepare: () => ({
    seeds: [0, 1, 2, 3].map((mode) => [
      Uint8Array.of(mode),
      ...honest(mode & 1),
      Uint8Array.of(5, 2, 1, 2, 3),
      Uint8Array.of(10, 7),
      Uint8Array.of(5, 3),
      Uint8Array.of(11),
      Uint8Array.of(2, 0, ...text('close_notify')),
    ]),
    words: ['ClientHello peer', 'ServerHello peer', 'Finished peer', 'close_notify', 'ERR_SZMQ_UNKNOWN_CA'].map(text),
    run: (input) => {
      const mode = input[0]?.[0] ?? 0
      const seen = play(input, (bytes) => [bytes])
      // Events of later turns come between other steps when the bytes come in other turns.
      if ((mode & 2) === 0) {
        const sliced = play(input, (bytes) => [bytes.subarray(0, 1), bytes.subarray(1, 4), bytes.subarray(4)])
        promiseSame(sliced, seen, 'another slicing of the ciphertext gives another life')
      }
      return [...new Set(seen)]
    },
  }),
}

/** One life of a session. @returns its events by name */
function play([mode, ...steps]: FuzzInput, slice: (bytes: Uint8Array) => FuzzInput): readonly string[] {
  const clock = new FakeClock()
  const role = ((mode?.[0] ?? 0) & 1) === 0 ? 'client' : 'server'
  const later = ((mode?.[0] ?? 0) & 2) === 2 ? { laterBy: clock } : {}
  const names: string[] = []
  let sequence = 0
  let bytesIn = 0
  let messageBytes = 0
  let isOver = false
  const session = new Session(
    { role, engine: insecureCleartextEngine({ role, name: role, ...later }), limits: { maxMessageBytes: MAX_MESSAGE_BYTES } },
    { clock, random: new SeededRandom(1) },
    (event: SessionEvent) => {
      promise(!isOver || event.kind === 'transition', `the event ${event.kind} comes after the last one`)
      if (event.kind === 'epoch.started') sequence = 0
      if (event.kind === 'closed' || event.kind === 'failed') isOver = true
      if (event.kind === 'message') {
        promise(event.bytes.length <= MAX_MESSAGE_BYTES, 'a message is longer than allowed')
        messageBytes += event.bytes.length
      }
      if (event.kind === 'ciphertext' || event.kind === 'handshake.message') return
      names.push(event.kind === 'transition' ? `${event.chart} ${event.to}` : event.kind)
    },
  )
  const receive = (bytes: Uint8Array): void => {
    bytesIn += bytes.length
    for (const piece of slice(bytes)) session.receive(piece)
  }
  const receiveRecord = (type: number, payload: Uint8Array): void => {
    receive(encodeCleartextRecord({ type: TYPES[type % 3] ?? 'alert', payload: payload.subarray(0, 16_384) }, sequence))
    sequence += 1
  }
  const epoch = (): number => {
    const { status } = session
    return 'epoch' in status ? status.epoch : 1
  }
  session.open()
  for (const step of steps) {
    const reader = new StepReader(step)
    switch (reader.u8() % 16) {
      case 0:
      case 1:
        receive(reader.rest())
        break
      case 2:
      case 3:
      case 4:
        receiveRecord(reader.u8(), reader.rest())
        break
      case 5: {
        const type = reader.u8() % 5
        const header = new Uint8Array(5)
        new DataView(header.buffer).setUint32(0, reader.rest().length)
        header[4] = type
        receiveRecord(2, concatBytes([header, reader.rest()]))
        break
      }
      case 6:
        clock.advance(pickDelay(reader.u8()))
        break
      case 7:
        session.peerReset()
        break
      case 8:
        session.peerRestarted(Math.max(0, epoch() + (reader.u8() % 4) - 1))
        break
      case 9:
        session.streamBroken('as scripted')
        break
      case 10:
        valueOrSzmqError(() => session.send(reader.rest()))
        break
      case 11:
        session.close()
        break
      case 12:
        for (const piece of honest(role === 'client' ? 0 : 1)) receiveRecord(piece[1] ?? 0, piece.subarray(2))
        break
      case 13:
        valueOrSzmqError(() => {
          session.rekey()
        })
        break
      case 14:
        valueOrSzmqError(() => session.exportKeyingMaterial('label', reader.u8() * 40, reader.rest()))
        break
      case 15:
        clock.advance(0)
        break
    }
    const { kind } = session.status
    promise(
      isOver === (kind === 'closed' || kind === 'failed'),
      `the status is ${kind}, and the last event has ${isOver ? '' : 'not '}come`,
    )
  }
  promise(messageBytes <= bytesIn, 'more message bytes than bytes')
  session.destroy()
  clock.advance(0)
  promise(isOver, 'a destroyed session does not say so')
  promise(session.engine === undefined, 'the end of the session is not the end of its engine')
  promise(clock.pendingTimers === 0, `${clock.pendingTimers} timers are left behind`)
  return names
}
