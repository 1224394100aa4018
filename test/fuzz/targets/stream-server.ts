import { encodeInnerFrame } from '../../../src/security/inner-frame.codec.ts'
import { concatBytes, toHex } from '../../../src/shared/bytes.ts'
import { insecureCleartextEngine } from '../../../src/testing/cleartext-engine.ts'
import { encodeCleartextRecord } from '../../../src/testing/cleartext-record.codec.ts'
import { FakeClock } from '../../../src/testing/fake-clock.ts'
import { SeededRandom } from '../../../src/testing/seeded-random.ts'
import {
  COOKIE_BYTES,
  decodeFrame,
  encodeFrame,
  FRAME_HEADER_BYTES,
  sessionIdOf,
  type SessionId,
} from '../../../src/transport/frame.codec.ts'
import type { SecureChannel } from '../../../src/transport/secure-channel.ts'
import type { FrameOutput } from '../../../src/transport/stream-session.ts'
import { StreamClient, StreamServer } from '../../../src/transport/stream.ts'
import { byteLength, type FuzzInput, type FuzzTarget } from '../fuzz-target.ts'
import { promise, valueOrSzmqError } from '../promises.ts'
import { pickDelay, StepReader, text } from './script.ts'

const LIMITS = {
  maxSessions: 6,
  maxSessionsPerPath: 4,
  maxHalfOpenSessions: 4,
  maxHalfOpenPerPath: 3,
  maxHandshakesPerSecond: 20,
  maxHandshakesPerSecondOfPath: 6,
  cookieFromHalfOpenSessions: 3,
  cookieFromHandshakesPerSecond: 5,
  maxHandshakeBytes: 3_000,
  maxClosedIds: 4,
  maxResetsPerSecond: 20,
  maxCookiesPerSecondOfPath: 5,
  floodFromPerSecond: 8,
}
const IDS = Array.from({ length: 8 }, (_, at) => sessionIdOf(new Uint8Array(16).fill(at + 1)))
const TYPES = ['alert', 'handshake', 'application'] as const
const ACCEPT = concatBytes(encodeInnerFrame({ kind: 'accept' }))
/** What of an answer is more than the hello that asked for it: the engine's ServerHello, and what follows an open session. */
const MAX_ANSWER_BYTES = 4 * (FRAME_HEADER_BYTES + 64)

const handshakeOf = (id: number, path: number): FuzzInput => [
  Uint8Array.of((path << 4) | 7, id, 1, ...text('ClientHello a')),
  Uint8Array.of((path << 4) | 7, id, 1, ...text('Finished a')),
  Uint8Array.of((path << 4) | 7, id, 2, ...ACCEPT),
]

/**
 * Pieces are steps; first byte: the path it comes by (high half) and what comes (low half): any parts, frames with any numbers, hellos with
 * cookies, frames that a client would send next, time, and what the owner of the sessions does.
 */
export const streamServerTarget: FuzzTarget = {
  name: 'stream-server',
  share: 6,
  prepare: () => ({
    seeds: [
      handshakeOf(0, 0),
      [...handshakeOf(1, 1), ...handshakeOf(2, 2), Uint8Array.of(0x1b, 1), Uint8Array.of(0x0d, 3), Uint8Array.of(0x2e, 1)],
      [...handshakeOf(3, 0), Uint8Array.of(0x0e, 1, 0), Uint8Array.of(7, 3, 0, ...text('close_notify')), ...handshakeOf(3, 0)],
      [
        ...[0, 1, 2, 3, 4, 5, 6].map((id) => Uint8Array.of((id << 4) | 7, id, 1, ...text('ClientHello a'))),
        Uint8Array.of(0x65, 6, 0),
      ],
      [0, 1, 2, 3, 4, 5].map((id) => Uint8Array.of((id << 4) | 3, id, 1, 0, 22)),
    ],
    words: [...['ClientHello a', 'Finished a', 'close_notify'].map(text), ACCEPT, Uint8Array.of(0x53, 0x5a, 1, 1)],
    run: play,
  }),
}

/** What a client that follows the rules would say next in a session. */
interface NextOut {
  epoch: number
  sequence: number
  records: number
}

function play(steps: FuzzInput): readonly string[] {
  const clock = new FakeClock()
  const random = new SeededRandom(1)
  const channels: SecureChannel[] = []
  const features = new Set<string>()
  const next = new Map<SessionId, NextOut>()
  const proven = new Set<string>()
  const cookies = new Map<SessionId, Uint8Array>()
  let comingBy = 0
  let answers: FrameOutput[] = []
  const server = new StreamServer(
    { engine: insecureCleartextEngine({ role: 'server', name: 's' }), limits: LIMITS },
    { clock, random },
    (frame) => answers.push(frame),
    (channel) => {
      channels.push(channel)
      return ({ kind }) => {
        features.add(kind)
        if (kind === 'open') proven.add(pathText(envelopeOf(comingBy)))
      }
    },
  )

  const receive = (path: number, parts: readonly Uint8Array[]): void => {
    const message = [...envelopeOf(path), ...parts]
    answers = []
    comingBy = path
    server.receive(message)
    checkAnswers(answers, message, proven)
    for (const { parts } of answers) {
      const frame = decodeFrame(...parts)
      if ('kind' in frame && frame.kind === 'cookie') cookies.set(frame.sessionId, frame.cookie)
    }
  }
  const say = (path: number, id: SessionId, payload: Uint8Array, type: number): void => {
    const state = next.get(id) ?? { epoch: 1, sequence: 0, records: 0 }
    next.set(id, state)
    const bytes = encodeCleartextRecord(
      { type: TYPES[type % 3] ?? 'alert', payload: payload.subarray(0, 16_384) },
      state.records,
    )
    receive(
      path,
      encodeFrame({ kind: 'tls', from: 'client', sessionId: id, epoch: state.epoch, sequence: state.sequence, bytes }),
    )
    state.sequence += 1
    state.records += 1
  }

  for (const step of steps) {
    const reader = new StepReader(step)
    const first = reader.u8()
    const path = first >> 4
    const idOf = (byte: number): SessionId => IDS[byte % IDS.length] ?? sessionIdOf(new Uint8Array(16))
    switch (first & 15) {
      case 0:
      case 1: {
        const rest = reader.rest()
        receive(path, [rest.subarray(0, FRAME_HEADER_BYTES), rest.subarray(FRAME_HEADER_BYTES)])
        break
      }
      case 2:
        receive(path, splitParts(reader.rest()))
        break
      case 5: {
        const [id, change] = [idOf(reader.u8()), reader.u8()]
        const cookie = (cookies.get(id) ?? new Uint8Array(COOKIE_BYTES)).map((byte) => byte ^ change)
        const bytes = encodeCleartextRecord({ type: 'handshake', payload: text('ClientHello a') }, 0)
        const epoch = next.get(id)?.epoch ?? 1
        receive(path, encodeFrame({ kind: 'hello', from: 'client', sessionId: id, epoch, cookie, bytes }))
        next.set(id, { epoch, sequence: 1, records: 1 })
        break
      }
      case 3:
      case 4: {
        const [id, epoch, sequence] = [idOf(reader.u8()), Math.max(1, reader.u8()), reader.u8()]
        receive(path, encodeFrame({ kind: 'tls', from: 'client', sessionId: id, epoch, sequence, bytes: reader.rest() }))
        break
      }
      case 6:
      case 7:
      case 8:
      case 9:
        say(path, idOf(reader.u8()), reader.rest().subarray(1), reader.u8())
        break
      case 10:
      case 11: {
        const id = idOf(reader.u8())
        next.set(id, { epoch: (next.get(id)?.epoch ?? 0) + 1, sequence: 0, records: 0 })
        say(path, id, text('ClientHello a'), 1)
        break
      }
      case 12:
        for (const piece of handshakeOf(0, 0)) say(path, idOf(piece[1] ?? 0), piece.subarray(3), piece[2] ?? 0)
        break
      case 13:
        clock.advance(pickDelay(reader.u8()))
        break
      case 14: {
        const channel = channels[reader.u8() % (channels.length + 1)]
        const deed = reader.u8() % 3
        if (deed === 0) channel?.close()
        else if (deed === 1) valueOrSzmqError(() => channel?.send(reader.rest()))
        else channel?.destroy()
        break
      }
      case 15:
        receive(
          path,
          encodeFrame({ kind: 'reset', from: reader.u8() === 0 ? 'server' : 'client', sessionId: idOf(reader.u8()), epoch: 1 }),
        )
        break
    }
    const sessions = [...server.channels].length
    promise(sessions <= LIMITS.maxSessions, `${sessions} sessions in a table of ${LIMITS.maxSessions}`)
    promise(server.halfOpenSessions <= LIMITS.maxHalfOpenSessions, `${server.halfOpenSessions} half-open sessions`)
  }
  if ([...server.channels].length < LIMITS.maxSessions)
    checkHonestClient(server, clock, (take) => {
      const taken = answers
      answers = []
      for (const frame of taken) take(frame)
    })
  server.destroy()
  promise([...server.channels].length === 0, 'a destroyed server keeps sessions')
  promise(server.halfOpenSessions === 0, 'a destroyed server keeps half-open sessions')
  promise(clock.pendingTimers === 0, `${clock.pendingTimers} timers are left behind`)
  for (const [name, count] of Object.entries(server.counters)) if (count > 0) features.add(name)
  return [...features]
}

/**
 * Resets that answer a message are never more than it, to whichever path they go. Only a peer that proved itself on a path may get two: one for
 * the epoch that was begun in its name, one for its own.
 */
function checkAnswers(answers: readonly FrameOutput[], message: readonly Uint8Array[], proven: ReadonlySet<string>): void {
  const resets = answers.filter(({ parts }) => !isTls(parts))
  const sizeIn = byteLength(message)
  const byPath = new Map<string, number>()
  for (const { envelope, parts } of resets) {
    const path = pathText(envelope)
    byPath.set(path, (byPath.get(path) ?? 0) + byteLength(envelope) + byteLength(parts))
  }
  for (const [path, bytes] of byPath) {
    const most = proven.has(path) ? Math.max(sizeIn, 2 * (path.length + FRAME_HEADER_BYTES)) : sizeIn
    promise(bytes <= most, `resets of ${bytes} bytes answer a message of ${sizeIn}`)
  }
  const tlsBytes = answers.reduce((sum, { parts }) => sum + (isTls(parts) ? byteLength(parts) : 0), 0)
  promise(tlsBytes <= sizeIn + MAX_ANSWER_BYTES, `${tlsBytes} bytes answer a message of ${sizeIn}`)
}

function pathText(envelope: readonly Uint8Array[]): string {
  return envelope.map(toHex).join('/')
}

function isTls([header, bytes]: FrameOutput['parts']): boolean {
  const frame = decodeFrame(header, bytes)
  promise('kind' in frame, 'the server sends something that is no frame')
  return 'kind' in frame && frame.kind === 'tls'
}

/** Whatever came before: who follows the rules gets in. */
function checkHonestClient(server: StreamServer, clock: FakeClock, drain: (take: (frame: FrameOutput) => void) => void): void {
  const path = text('honest')
  // Rates of all are full again by then.
  clock.advance(1_000)
  let isOpen = false
  const client = new StreamClient(
    { engine: insecureCleartextEngine({ role: 'client', name: 'h' }) },
    { clock, random: new SeededRandom(77) },
    ({ parts }) => {
      server.receive([path, ...parts])
    },
    ({ kind }) => {
      isOpen ||= kind === 'open'
    },
  )
  drain(() => {})
  client.open()
  for (let round = 0; round < 6; round += 1) {
    drain(({ parts }) => {
      client.receive(parts)
    })
  }
  promise(isOpen, 'a client that follows the rules does not get in')
  client.channel.destroy()
}

function envelopeOf(path: number): readonly Uint8Array[] {
  if (path < 10) return [Uint8Array.of(0, path, 1, 2, 3)]
  if (path === 10) return []
  if (path === 11) return [Uint8Array.of(1), Uint8Array.of(2)]
  if (path === 12) return Array.from({ length: 17 }, () => Uint8Array.of(1))
  if (path === 13) return [new Uint8Array(3_000)]
  return [new Uint8Array(path === 14 ? 0 : 2_048)]
}

/** Each part with its length, one byte, in front. */
function splitParts(bytes: Uint8Array): readonly Uint8Array[] {
  const parts: Uint8Array[] = []
  for (let at = 0; at < bytes.length; at += 1 + (bytes[at] ?? 0)) parts.push(bytes.subarray(at + 1, at + 1 + (bytes[at] ?? 0)))
  return parts
}
