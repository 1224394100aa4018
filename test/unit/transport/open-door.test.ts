import { describe, expect, it } from 'vitest'
import type { SessionLimits } from '../../../src/security/limits.ts'
import { insecureCleartextEngine } from '../../../src/testing/cleartext-engine.ts'
import { encodeCleartextRecord } from '../../../src/testing/cleartext-record.codec.ts'
import { FakeClock } from '../../../src/testing/fake-clock.ts'
import { SeededRandom } from '../../../src/testing/seeded-random.ts'
import type { FloodEvent } from '../../../src/transport/flood-watch.ts'
import { decodeFrame, encodeFrame, sessionIdOf, type Frame, type SessionId } from '../../../src/transport/frame.codec.ts'
import { MAX_COOKIE_ANSWERS } from '../../../src/transport/hello-memory.ts'
import type { StreamCounters } from '../../../src/transport/stream-counters.ts'
import type { StreamLimits } from '../../../src/transport/stream-limits.ts'
import { StreamServer } from '../../../src/transport/stream-server.ts'
import { StreamNetwork, type InFlight } from '../../support/memory-network.ts'

const text = (value: string) => new TextEncoder().encode(value)
const idOf = (number: number) => sessionIdOf(Uint8Array.from({ length: 16 }, (_, at) => (number >>> (8 * (at % 4))) & 0xff))
const HELLO = encodeCleartextRecord({ type: 'handshake', payload: text('ClientHello mallory') }, 0)
const hello = (number: number, epoch = 1) =>
  encodeFrame({ kind: 'tls', from: 'client', sessionId: idOf(number), epoch, sequence: 0, bytes: HELLO })

function start(limits: Partial<StreamLimits> = {}, sessionLimits: Partial<SessionLimits> = {}) {
  const clock = new FakeClock()
  const network = new StreamNetwork({ clock, limits, sessionLimits })
  const { counters } = network.server
  const inject = (client: string, parts: readonly Uint8Array[]) => {
    network.inject({ to: 'server', client, parts })
  }
  /** Answers that go to `client` from now on; he hears them, too. */
  const tap = (client: string) => {
    const answers: InFlight[] = []
    const before = network.fault
    network.fault = (message) => {
      if (message.to === 'client' && message.client === client) answers.push(message)
      return before(message)
    }
    return answers
  }
  const bytesIn = (messages: readonly InFlight[]) =>
    messages.reduce((sum, { parts }) => sum + parts.reduce((size, part) => size + part.length, 0), 0)
  /** An honest peer gets in, says something and is heard, whatever goes on. */
  const expectOpen = (name = 'honest') => {
    const client = network.connect(name)
    network.run()
    expect(client.channel?.status.kind).toBe('open')
    client.channel?.send(text('hello'))
    network.run()
    expect(network.channels.at(-1)?.messages).toEqual(['hello'])
    return client
  }
  return { clock, network, counters, inject, tap, bytesIn, expectOpen }
}

describe('first bytes at the door', () => {
  const [header, bytes] = hello(1)
  const otherVersion = header.slice()
  otherVersion[2] = 2
  const greeting = (mechanism: string) => {
    const whole = new Uint8Array(64)
    whole.set([0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f, 3, 1, ...text(mechanism)])
    return whole
  }
  const cases: readonly (readonly [string, readonly Uint8Array[], keyof StreamCounters])[] = [
    ['garbage', [Uint8Array.from({ length: 500 }, (_, at) => (at * 151) & 0xff)], 'malformed'],
    ['garbage as long as a header', [Uint8Array.from({ length: 32 }, (_, at) => (at * 151) & 0xff), bytes], 'malformed'],
    ['HTTP', [text('GET / HTTP/1.1\r\nHost: szmq\r\n\r\n')], 'malformed'],
    ['a TLS ClientHello without our frame', [Uint8Array.of(22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3)], 'malformed'],
    ["a plain zeromq REQ's message", [new Uint8Array(), text('ping')], 'malformed'],
    ['the greeting of a CURVE client', [greeting('CURVE')], 'malformed'],
    ['a CURVE hello command', [text('\u0005HELLO'), new Uint8Array(194)], 'malformed'],
    ['another protocol version', [otherVersion, bytes], 'unknownVersion'],
    ['no part', [], 'malformed'],
    ['an empty message', [new Uint8Array()], 'malformed'],
    ['a thousand parts', Array.from({ length: 1_000 }, () => text('x')), 'malformed'],
    [
      'a thousand parts with a frame behind them',
      [...Array.from({ length: 1_000 }, () => text('x')), header, bytes],
      'oversizedEnvelope',
    ],
    ['a header cut short', [header.subarray(0, 31), bytes], 'malformed'],
    ['a header without TLS bytes', [header, new Uint8Array()], 'malformed'],
    ['a frame longer than maxFrameBytes', [header, new Uint8Array(1024 * 1024 + 1)], 'oversizedFrame'],
    ['a frame of the server', encodeFrame({ kind: 'reset', from: 'server', sessionId: idOf(1), epoch: 1 }), 'reflected'],
  ]
  it.each(cases)('%s: dropped, counted, not answered, and an honest peer gets in', (_what, parts, reason) => {
    const { inject, network, counters, tap, expectOpen } = start()
    const answers = tap('mallory')
    inject('mallory', parts)
    network.run()
    expect(counters[reason]).toBe(1)
    expect(answers).toEqual([])
    expect(network.channels).toEqual([])
    expectOpen()
  })

  it('a giant declared length inside TLS fails the session before a byte of it is kept', () => {
    const { network, clock, expectOpen } = start({}, { maxMessageBytes: 1_000 })
    const client = network.connect('mallory')
    network.run()
    // Mallory is let in, and only then announces 4 GiB.
    const session = network.channels[0]
    client.channel?.engine?.send(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 2, 1))
    network.run()
    expect(session?.error?.code).toBe('ERR_SZMQ_LIMIT_EXCEEDED')
    expectOpen()
    client.channel?.destroy()
    clock.advance(20_000)
  })
})

describe('slowness', () => {
  it('one byte a second: the handshake has its deadline all the same, and frees everything', () => {
    const { network, clock, inject, expectOpen } = start()
    for (let second = 0; second < 30; second += 1) {
      inject(
        'mallory',
        encodeFrame({ kind: 'tls', from: 'client', sessionId: idOf(7), epoch: 1, sequence: second, bytes: Uint8Array.of(22) }),
      )
      network.run()
      expect(network.server.halfOpenSessions).toBe(second < 10 ? 1 : 0)
      clock.advance(1_000)
    }
    expect(clock.pendingTimers).toBe(0)
    expectOpen()
  })

  it('a handshake that never ends is broken at maxHandshakeBytes, and counted', () => {
    const { network, clock, inject, counters } = start({ maxHandshakeBytes: 10_000 })
    // Records that the engine takes without ever being content.
    for (let sequence = 0; sequence < 200; sequence += 1) {
      const bytes = new Uint8Array(100)
      if (sequence === 0) bytes.set([22, 0x40, 0])
      inject('mallory', encodeFrame({ kind: 'tls', from: 'client', sessionId: idOf(7), epoch: 1, sequence, bytes }))
    }
    network.run()
    expect(counters).toMatchObject({ oversizedHandshake: 1, staleEpoch: 0, unknownSession: 99 })
    expect(network.channels[0]?.error?.code).toBe('ERR_SZMQ_STREAM_BROKEN')
    expect(network.server.halfOpenSessions).toBe(0)
    network.server.destroy()
    expect(clock.pendingTimers).toBe(0)
  })

  it('ten thousand half-open handshakes of one path take no more than its share, and nobody else notices', () => {
    const { network, counters, inject, expectOpen } = start()
    for (let number = 0; number < 10_000; number += 1) inject('mallory', hello(number))
    network.run(20_000)
    expect(network.server.halfOpenSessions).toBe(50)
    expect(counters.refusedRateOfPath).toBe(9_950)
    expectOpen()
  })

  it('one path with many session ids, as slowly as its rate allows, stops at maxHalfOpenPerPath', () => {
    const { network, clock, counters, inject, expectOpen } = start({}, { handshakeTimeoutMs: 1_000_000 })
    for (let number = 0; number < 300; number += 1) {
      inject('mallory', hello(number))
      network.run()
      clock.advance(20)
    }
    expect(network.server.halfOpenSessions).toBe(100)
    expect(counters.refusedHalfOpenOfPath).toBe(200)
    expectOpen()
  })

  it('many paths with one id: one session, of the path that was first, and no other path is believed', () => {
    const { network, counters, inject, expectOpen } = start()
    for (let path = 0; path < 1_000; path += 1) inject(`mallory-${path}`, hello(7))
    network.run()
    expect(network.channels).toHaveLength(1)
    expect(counters.foreignPath + counters.duplicate + counters.staleEpoch).toBe(999)
    expectOpen()
  })

  it('ten thousand half-open handshakes by as many paths: bounded, none without a cookie past the threshold, and honest peers get in', () => {
    const { network, clock, counters, inject, expectOpen } = start()
    for (let path = 0; path < 10_000; path += 1) inject(`mallory-${path}`, hello(path))
    network.run(30_000)
    expect(network.server.halfOpenSessions).toBe(100)
    expect(counters.cookiesSent).toBe(2_000)
    expect(counters.cookiesWithheld).toBe(7_900)
    clock.advance(1_000)
    expectOpen()
  })

  it('ten thousand that answer their cookies, too, push out only each other', () => {
    const { network, clock, expectOpen } = start({ maxHalfOpenSessions: 100 })
    network.fault = (message) => {
      const frame = decodeFrame(message.parts[0], message.parts[1])
      // They hear cookies, and are silent after that.
      const isHeard =
        message.to === 'server' || !message.client.startsWith('mallory') || ('kind' in frame && frame.kind === 'cookie')
      return isHeard ? [message] : []
    }
    for (let round = 0; round < 4; round += 1) {
      for (let path = 0; path < 500; path += 1) network.connect(`mallory-${path}`)
      network.run(20_000)
      clock.advance(1_000)
      expectOpen(`honest-${round}`)
      expect(network.server.halfOpenSessions).toBeLessThanOrEqual(100)
    }
  })
})

describe('session ids', () => {
  it('guessed ones begin nothing but resets, which are no longer than the guess, and few', () => {
    const { network, counters, inject, tap, bytesIn, expectOpen } = start()
    const answers = tap('mallory')
    const random = new SeededRandom(4)
    const guesses = 5_000
    for (let guess = 0; guess < guesses; guess += 1) {
      const sessionId = sessionIdOf(random.bytes(16))
      inject('mallory', encodeFrame({ kind: 'tls', from: 'client', sessionId, epoch: 1, sequence: 1, bytes: text('x') }))
    }
    network.run(20_000)
    expect(counters.unknownSession).toBe(guesses)
    expect(answers).toHaveLength(10)
    expect(bytesIn(answers)).toBe(10 * 32)
    expect(network.channels).toEqual([])
    expectOpen()
  })

  it('one that is in use: the newcomer gets nothing, and its owner loses nothing', () => {
    const { network, counters, inject, expectOpen } = start()
    const alice = expectOpen('alice')
    const sessionId = alice.stream.channel.id as SessionId
    for (let sequence = 0; sequence < 3; sequence += 1) {
      inject('mallory', encodeFrame({ kind: 'tls', from: 'client', sessionId, epoch: 1, sequence, bytes: HELLO }))
    }
    network.run()
    alice.channel?.send(text('mine'))
    network.run()
    expect(network.channels[0]?.messages).toEqual(['hello', 'mine'])
    expect(counters.foreignPath).toBe(3)
    expect(alice.kinds).toEqual(['open'])
  })

  it('frames reflected to who made them are known as such, on both sides', () => {
    const { network, counters, expectOpen } = start()
    const alice = expectOpen('alice')
    const seen: InFlight[] = []
    network.fault = (message) => {
      seen.push(message)
      return [message]
    }
    alice.channel?.send(text('a'))
    network.channels[0]?.channel?.send(text('b'))
    network.run()
    network.fault = (message) => [message]
    for (const { to, client, parts } of seen) network.inject({ to: to === 'client' ? 'server' : 'client', client, parts })
    network.run()
    expect(counters.reflected).toBe(1)
    expect(alice.stream.counters.reflected).toBe(1)
    expect(alice.kinds).toEqual(['open', 'message'])
  })

  it('a path holds no more than maxSessionsPerPath, others still get in', () => {
    const { network, counters, expectOpen } = start({ maxSessionsPerPath: 3 })
    const greedy = Array.from({ length: 5 }, () => {
      const client = network.connect('proxy')
      network.run()
      return client
    })
    expect(greedy.map(({ channel }) => channel?.status.kind)).toEqual(['open', 'open', 'open', 'handshaking', 'handshaking'])
    expect(counters.refusedSessionsOfPath).toBe(2)
    expectOpen()
    greedy[4]?.channel?.destroy()
    greedy[2]?.channel?.close()
    network.run()
    expectOpen('proxy')
  })
})

describe('order', () => {
  it('an old epoch after a new one is dropped, frame by frame', () => {
    const { network, clock, counters, expectOpen } = start()
    const recorded: InFlight[] = []
    network.fault = (message) => {
      if (message.to === 'server') recorded.push(message)
      return [message]
    }
    const alice = expectOpen('alice')
    const old = recorded.slice()
    network.inject({
      to: 'client',
      client: 'alice',
      parts: encodeFrame({ kind: 'reset', from: 'server', sessionId: alice.stream.channel.id as SessionId, epoch: 1 }),
    })
    network.run()
    clock.advance(100)
    network.run()
    expect(alice.channel?.status).toMatchObject({ kind: 'open', epoch: 2 })
    for (const message of old) network.inject(message)
    network.run()
    expect(counters.staleEpoch).toBe(old.length)
    expect(alice.kinds).toEqual(['open', 'resetting', 'open'])
  })
})

describe('forged resets', () => {
  const reset = (sessionId: string, epoch: number): Frame => ({
    kind: 'reset',
    from: 'server',
    sessionId: sessionId as SessionId,
    epoch,
  })

  it('in the middle of a handshake: it succeeds all the same', () => {
    const { network } = start()
    const alice = network.connect('alice')
    network.inject({ to: 'client', client: 'alice', parts: encodeFrame(reset(alice.stream.channel.id, 1)) })
    network.run()
    expect(alice.kinds).toEqual(['open'])
  })

  it('while it resets and backs off: no attempt is used up, no wait made longer', () => {
    const { network, clock, expectOpen } = start()
    const alice = expectOpen('alice')
    for (let flood = 0; flood < 1_000; flood += 1) {
      network.inject({ to: 'client', client: 'alice', parts: encodeFrame(reset(alice.stream.channel.id, 1)) })
    }
    network.run()
    expect(alice.kinds).toEqual(['open', 'resetting'])
    clock.advance(50)
    network.run()
    expect(alice.channel?.status).toMatchObject({ kind: 'open', epoch: 2 })
  })

  it('while it says bye: it ends in closed', () => {
    const { network, expectOpen } = start()
    const alice = expectOpen('alice')
    alice.channel?.close()
    network.inject({ to: 'client', client: 'alice', parts: encodeFrame(reset(alice.stream.channel.id, 1)) })
    network.run()
    expect(alice.kinds.at(-1)).toBe('closed')
  })

  it('after the end: nothing', () => {
    const { network, clock, expectOpen } = start()
    const alice = expectOpen('alice')
    alice.channel?.close()
    network.run()
    network.inject({ to: 'client', client: 'alice', parts: encodeFrame(reset(alice.stream.channel.id, 1)) })
    network.run()
    expect(alice.kinds.at(-1)).toBe('closed')
    expect(clock.pendingTimers).toBe(0)
  })

  it('at the server, at each state: counted, and that is all', () => {
    const { network, clock, counters, inject, expectOpen } = start()
    const alice = network.connect('alice')
    const forge = () => {
      inject(
        'mallory',
        encodeFrame({ kind: 'reset', from: 'client', sessionId: alice.stream.channel.id as SessionId, epoch: 1 }),
      )
      network.run()
    }
    forge()
    network.run()
    forge()
    alice.channel?.close()
    forge()
    forge()
    expect(counters.resetsReceived).toBe(4)
    expect(alice.kinds).toEqual(['open', 'closed'])
    expectOpen()
    clock.advance(1)
  })

  it('answers are no oracle: a session of another path answers as an unknown one, and a closed one is silent', () => {
    const { network, inject, tap, expectOpen } = start()
    const alice = expectOpen('alice')
    const answers = tap('mallory')
    const ask = (sessionId: SessionId) => {
      inject('mallory', encodeFrame({ kind: 'tls', from: 'client', sessionId, epoch: 1, sequence: 1, bytes: HELLO }))
      network.run()
      return answers.splice(0).map(({ parts }) => parts.map((part) => part.length))
    }
    const living = alice.stream.channel.id as SessionId
    expect(ask(living)).toEqual(ask(idOf(99)))
    alice.channel?.close()
    network.run()
    expect(ask(living)).toEqual([])
  })

  it('a path cannot use up the resets that others need', () => {
    const { network, counters, inject, tap } = start()
    const stray = () => encodeFrame({ kind: 'tls', from: 'client', sessionId: idOf(5), epoch: 1, sequence: 3, bytes: HELLO })
    for (let flood = 0; flood < 1_000; flood += 1) inject('mallory', stray())
    network.run()
    const answers = tap('lost')
    inject('lost', stray())
    network.run()
    expect(answers).toHaveLength(1)
    expect(counters).toMatchObject({ resetsSent: 11, resetsWithheld: 990 })
  })
})

describe('a cookie', () => {
  /** A server that asks everybody. */
  const loaded = () => {
    const rig = start({ cookieFromHandshakesPerSecond: 0.001 })
    rig.inject('first', hello(1))
    rig.network.run()
    return rig
  }

  it('is answered by the hello once more, and then the session opens', () => {
    const { network, counters, clock, expectOpen } = loaded()
    const alice = expectOpen('alice')
    expect(counters).toMatchObject({ cookiesSent: 1, cookiesRefused: 0 })
    expect(alice.stream.counters).toMatchObject({ cookiesAnswered: 1, cookiesIgnored: 0 })
    network.server.destroy()
    alice.channel?.destroy()
    expect(clock.pendingTimers).toBe(0)
  })

  it('is never longer than what came in, and leaves nothing behind', () => {
    const { network, inject, tap, bytesIn, counters } = loaded()
    const answers = tap('mallory')
    const before = network.channels.length
    for (let length = 1; length <= 40; length += 1) {
      const parts = encodeFrame({
        kind: 'tls',
        from: 'client',
        sessionId: idOf(100 + length),
        epoch: 1,
        sequence: 0,
        bytes: new Uint8Array(length),
      })
      inject('mallory', parts)
      network.run()
      expect(bytesIn(answers.splice(0))).toBeLessThanOrEqual(32 + length)
    }
    expect(counters).toMatchObject({ cookiesSent: 25, cookiesWithheld: 15 })
    expect(network.channels).toHaveLength(before)
  })

  it('opens nothing by another path, for another id, or in another epoch', () => {
    const { network, inject, counters } = loaded()
    let cookie: Uint8Array | undefined
    network.fault = (message) => {
      const frame = decodeFrame(message.parts[0], message.parts[1])
      if ('kind' in frame && frame.kind === 'cookie') cookie = frame.cookie
      return []
    }
    network.inject({ to: 'server', client: 'mallory', parts: hello(7) })
    network.fault = (message) => {
      const frame = decodeFrame(message.parts[0], message.parts[1])
      if (message.to === 'client' && 'kind' in frame && frame.kind === 'cookie') cookie ??= frame.cookie
      return [message]
    }
    network.run()
    const before = network.channels.length
    const say = (client: string, sessionId: SessionId, epoch: number) => {
      inject(
        client,
        encodeFrame({ kind: 'hello', from: 'client', sessionId, epoch, cookie: cookie ?? new Uint8Array(16), bytes: HELLO }),
      )
      network.run()
      return network.channels.length - before
    }
    expect(say('eve', idOf(7), 1)).toBe(0)
    expect(say('mallory', idOf(8), 1)).toBe(0)
    expect(say('mallory', idOf(7), 2)).toBe(0)
    expect(counters.cookiesRefused).toBe(3)
    expect(say('mallory', idOf(7), 1)).toBe(1)
  })

  it('opens nothing once it is old', () => {
    const { network, clock, counters } = loaded()
    const held: InFlight[] = []
    network.fault = (message) => {
      const frame = decodeFrame(message.parts[0], message.parts[1])
      if (!('kind' in frame) || frame.kind !== 'hello') return [message]
      held.push(message)
      return []
    }
    network.connect('alice')
    network.run()
    network.fault = (message) => [message]
    const before = network.channels.length
    clock.advance(20_000)
    for (const message of held) network.inject(message)
    network.run()
    expect(counters.cookiesRefused).toBe(1)
    expect(network.channels).toHaveLength(before)
  })

  it('that is forged makes a client repeat one hello, which harms nobody, and only a few times', () => {
    const { network, counters } = start()
    const alice = network.connect('alice')
    const sessionId = alice.stream.channel.id as SessionId
    for (let flood = 0; flood < 100; flood += 1) {
      const cookie = new Uint8Array(16).fill(flood)
      network.inject({
        to: 'client',
        client: 'alice',
        parts: encodeFrame({ kind: 'cookie', from: 'server', sessionId, epoch: 1, cookie }),
      })
    }
    network.run()
    expect(alice.kinds).toEqual(['open'])
    expect(alice.stream.counters.cookiesAnswered).toBeLessThanOrEqual(MAX_COOKIE_ANSWERS)
    expect(counters.duplicate).toBeLessThanOrEqual(MAX_COOKIE_ANSWERS)
    const sentBefore = alice.stream.counters.cookiesAnswered
    const cookie = new Uint8Array(16).fill(200)
    network.inject({
      to: 'client',
      client: 'alice',
      parts: encodeFrame({ kind: 'cookie', from: 'server', sessionId, epoch: 1, cookie }),
    })
    network.run()
    expect(alice.stream.counters.cookiesAnswered).toBe(sentBefore)
  })

  it('is not needed by a session that comes back: only who is unknown is asked', () => {
    const { network, clock, counters, expectOpen } = loaded()
    const alice = expectOpen('alice')
    const asked = counters.cookiesSent
    network.inject({
      to: 'client',
      client: 'alice',
      parts: encodeFrame({ kind: 'reset', from: 'server', sessionId: alice.stream.channel.id as SessionId, epoch: 1 }),
    })
    network.run()
    clock.advance(100)
    network.run()
    expect(alice.channel?.status).toMatchObject({ kind: 'open', epoch: 2 })
    expect(counters.cookiesSent).toBe(asked)
  })

  it('is no more asked for once the load is gone', () => {
    const { network, clock, counters, inject, expectOpen } = start()
    for (let path = 0; path < 500; path += 1) inject(`mallory-${path}`, hello(path))
    network.run()
    expect(counters.cookiesSent).toBe(400)
    clock.advance(10_000)
    expectOpen()
    expect(counters.cookiesSent).toBe(400)
  })
})

describe('resources', () => {
  it('a reconnect storm of a thousand sessions at a server that lost them all: everybody is back within 30 s', () => {
    const { network, clock } = start()
    const clients = Array.from({ length: 1_000 }, (_, at) => network.connect(`node-${at}`))
    network.run(100_000)
    for (let second = 0; second < 3 && clients.some(({ channel }) => channel?.status.kind !== 'open'); second += 1)
      clock.advance(1_000)
    const open = () => clients.filter(({ channel }) => channel?.status.kind === 'open')
    const first = open()
    network.server.destroy()
    let seconds = 0
    const isBack = () =>
      first.every(({ channel }) => channel?.status.kind === 'open' && 'epoch' in channel.status && channel.status.epoch > 1)
    for (; seconds < 60 && !isBack(); seconds += 1) {
      for (const { channel } of first) if (channel?.status.kind === 'open') channel.send(text('beat'))
      for (let tick = 0; tick < 10; tick += 1) {
        network.run(100_000)
        clock.advance(100)
      }
    }
    expect(first.length).toBeGreaterThanOrEqual(500)
    expect(seconds).toBeLessThanOrEqual(30)
  })

  it('tells once when a flood begins and once when it ends, with the reasons', () => {
    const clock = new FakeClock()
    const events: FloodEvent[] = []
    const server = new StreamServer(
      { engine: insecureCleartextEngine({ role: 'server', name: 'server' }), onFlood: (event) => events.push(event) },
      { clock, random: new SeededRandom(1) },
      () => {},
      () => () => {},
    )
    const flood = (messages: number, parts: readonly Uint8Array[]) => {
      for (let at = 0; at < messages; at += 1) server.receive([text('mallory'), ...parts])
    }
    flood(99, [text('x')])
    expect(events).toEqual([])
    clock.advance(1_000)
    for (let second = 0; second < 60; second += 1) {
      flood(500, [text('x')])
      clock.advance(1_000)
    }
    expect(events).toEqual([{ kind: 'begins', refused: { malformed: 100 } }])
    clock.advance(20_000)
    expect(events.slice(1)).toEqual([{ kind: 'ends', durationMs: 59_000, refused: { malformed: 30_000 } }])
    expect(clock.pendingTimers).toBe(0)
    flood(100, hello(1))
    server.destroy()
    expect(clock.pendingTimers).toBe(0)
  })
})
