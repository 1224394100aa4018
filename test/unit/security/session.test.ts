import { describe, expect, it } from 'vitest'
import { Session } from '../../../src/security/session.ts'
import type { TlsListener } from '../../../src/security/tls-engine.ts'
import { SzmqError } from '../../../src/shared/errors.ts'
import { insecureCleartextEngine } from '../../../src/testing/cleartext-engine.ts'
import { FakeClock } from '../../../src/testing/fake-clock.ts'
import { SeededRandom } from '../../../src/testing/seeded-random.ts'
import { cleartextSetup, opensslSetup, type EngineSetup } from '../../support/engines.ts'
import { Recorder, StreamNetwork } from '../../support/memory-network.ts'

const text = (value: string) => new TextEncoder().encode(value)
const ENGINES: readonly (readonly [string, () => EngineSetup | Promise<EngineSetup>])[] = [
  ['cleartext at once', () => cleartextSetup('at once')],
  ['cleartext later', () => cleartextSetup('later')],
  ['openssl', opensslSetup],
]
const DEADLINE_MS = 5_000

describe.each(ENGINES)('a session over %s', (_name, makeSetup) => {
  async function start(pick: 'client' | 'refusedClient' | 'choosyClient' = 'client', limits = {}) {
    const setup = await makeSetup()
    const network = new StreamNetwork({ clock: setup.clock, serverEngine: setup.server, sessionLimits: limits })
    const client = network.connect('client', setup[pick])
    /** Lets everything happen that can happen now; only a back-off takes time. */
    const until = async (isDone: () => boolean, passMs = 0) => {
      const deadline = performance.now() + DEADLINE_MS
      while (!isDone() && performance.now() < deadline) {
        network.run()
        setup.fakeClock?.advance(passMs)
        await new Promise((resolve) => setImmediate(resolve))
      }
      expect(isDone()).toBe(true)
    }
    const server = () => network.channels.at(-1) ?? new Recorder()
    const bothOpen = () => client.channel?.status.kind === 'open' && server().channel?.status.kind === 'open'
    return { setup, network, client, server, until, bothOpen }
  }

  it('is open on both sides once each has verified the other', async () => {
    const { client, server, until, bothOpen } = await start()
    await until(bothOpen)
    expect(client.events[0]).toMatchObject({ kind: 'open', epoch: 1, facts: { peer: { names: ['DNS:server'] } } })
    expect(server().events[0]).toMatchObject({ kind: 'open', epoch: 1, facts: { peer: { names: ['DNS:client'] } } })
  })

  it('carries messages of any size, both ways, in order', async () => {
    const { client, server, until, bothOpen } = await start()
    await until(bothOpen)
    const sizes = [0, 1, 507, 512, 513, 16_384, 70_000, 1_000_000, 3]
    for (const size of sizes) {
      client.channel?.send(new Uint8Array(size).fill(size & 0xff))
      server().channel?.send(new Uint8Array(size).fill(size & 0xff))
    }
    const sizesOf = (recorder: Recorder) =>
      recorder.events.flatMap((event) => (event.kind === 'message' ? [event.bytes.length] : []))
    await until(() => client.count('message') === sizes.length && server().count('message') === sizes.length)
    expect(sizesOf(client)).toEqual(sizes)
    expect(sizesOf(server())).toEqual(sizes)
  })

  it('says bye: what was sent before arrives before', async () => {
    const { client, server, network, until, bothOpen } = await start('client', { flushTimeoutMs: 50 })
    await until(bothOpen)
    client.channel?.send(text('last words'))
    server().channel?.send(text('answered'))
    client.channel?.close()
    await until(() => client.channel?.status.kind === 'closed' && server().channel?.status.kind === 'closed', 1)
    expect(server().kinds).toEqual(['open', 'message', 'closed'])
    expect(client.kinds).toEqual(['open', 'message', 'closed'])
    expect([...network.server.channels]).toEqual([])
  })

  it('has keying material, equal at both ends, while it is open', async () => {
    const { client, server, until, bothOpen } = await start()
    expect(() => client.channel?.exportKeyingMaterial('EXPORTER-szmq', 32)).toThrow(
      expect.objectContaining({ code: 'ERR_SZMQ_INVALID_STATE' }),
    )
    await until(bothOpen)
    const [ours, theirs] = [client, server()].map(({ channel }) => channel?.exportKeyingMaterial('EXPORTER-szmq', 32))
    expect(ours).toEqual(theirs)
  })

  it.each(['client', 'server'] as const)('gets new keys by a new epoch when the %s asks, and goes on', async (side) => {
    const { client, server, until, bothOpen } = await start('client', { backOffMinMs: 1, backOffMaxMs: 1 })
    const session = () => (side === 'client' ? client : server()).channel
    expect(() => client.channel?.rekey()).toThrow(expect.objectContaining({ code: 'ERR_SZMQ_INVALID_STATE' }))
    await until(bothOpen)
    session()?.rekey()
    await until(() => client.count('open') === 2 && server().count('open') === 2 && bothOpen(), 1)
    client.channel?.send(text('under new keys'))
    await until(() => server().count('message') === 1)
    expect(client.kinds).toEqual(['open', 'resetting', 'open'])
  })

  it('closes when both sides say bye at once', async () => {
    const { client, server, until, bothOpen } = await start('client', { flushTimeoutMs: 50 })
    await until(bothOpen)
    client.channel?.close()
    server().channel?.close()
    await until(() => client.channel?.status.kind === 'closed' && server().channel?.status.kind === 'closed', 1)
  })

  it('fails on both sides when the server refuses the client, though the client had its keys already', async () => {
    const { client, server, until } = await start('refusedClient')
    await until(() => client.channel?.status.kind === 'failed' && server().channel?.status.kind === 'failed', 1)
    expect(server().error?.code).toBe('ERR_SZMQ_UNKNOWN_CA')
    expect(client.kinds).toEqual(['failed'])
    expect(client.error?.blame).toBe('peer')
  })

  it('fails on both sides when the client refuses the server', async () => {
    const { client, server, until } = await start('choosyClient')
    await until(() => client.channel?.status.kind === 'failed' && server().channel?.status.kind === 'failed', 1)
    expect(client.error?.code).toBe('ERR_SZMQ_WRONG_NAME')
    expect(server().error?.blame).toBe('peer')
  })

  it('starts again after a lost frame, on the same session', async () => {
    const { client, server, network, until, bothOpen } = await start()
    await until(bothOpen)
    let lost = 0
    network.fault = (message) => (message.to === 'server' && lost++ === 0 ? [] : [message])
    client.channel?.send(text('lost'))
    await until(() => lost > 0)
    client.channel?.send(text('beyond the gap'))
    await until(() => client.count('open') === 2 && bothOpen(), 1)
    expect(client.channel?.status).toMatchObject({ kind: 'open', epoch: 2 })
    client.channel?.send(text('again'))
    await until(() => server().count('message') === 1)
    expect(server().messages).toEqual(['again'])
    expect(network.channels).toHaveLength(1)
  })

  it('starts again when a record is damaged', async () => {
    const { client, server, network, until, bothOpen } = await start()
    await until(bothOpen)
    let damaged = 0
    network.fault = (message) => {
      if (message.to === 'client' || damaged++ > 0) return [message]
      const [header = new Uint8Array(), bytes = new Uint8Array()] = message.parts
      return [{ ...message, parts: [header, bytes.map((byte, at) => (at === bytes.length - 1 ? byte ^ 1 : byte))] }]
    }
    client.channel?.send(text('damaged'))
    await until(() => client.count('open') === 2 && bothOpen(), 1)
    expect(server().messages).toEqual([])
  })
})

describe('a session', () => {
  function alone(role: 'client' | 'server' = 'client', limits = {}) {
    const clock = new FakeClock()
    const kinds: string[] = []
    const session = new Session(
      { role, engine: insecureCleartextEngine({ role, name: 'alone' }), limits },
      { clock, random: new SeededRandom(1) },
      ({ kind }) => kinds.push(kind),
    )
    return { clock, kinds, session }
  }

  it('tells nothing before it is opened', () => {
    const { kinds, session, clock } = alone()
    expect(session.status).toEqual({ kind: 'idle' })
    expect(kinds).toEqual([])
    expect(clock.pendingTimers).toBe(0)
  })

  it('refuses a message while it is not open', () => {
    const { session } = alone()
    expect(() => session.send(text('early'))).toThrowError(expect.objectContaining({ code: 'ERR_SZMQ_INVALID_STATE' }))
    session.open()
    expect(() => session.send(text('early'))).toThrowError(expect.objectContaining({ code: 'ERR_SZMQ_INVALID_STATE' }))
  })

  it('refuses limits that are no limits', () => {
    expect(() => alone('client', { maxMessageBytes: Number.NaN })).toThrowError(
      expect.objectContaining({ code: 'ERR_SZMQ_INVALID_ARGUMENT' }),
    )
  })

  it('gives a silent peer up after handshakeTimeoutMs', () => {
    for (const role of ['client', 'server'] as const) {
      const { session, clock } = alone(role)
      session.open()
      clock.advance(9_999)
      expect(session.status.kind).toBe('handshaking')
      clock.advance(1)
      expect(session.status).toMatchObject({ kind: 'failed', error: { code: 'ERR_SZMQ_HANDSHAKE_TIMEOUT' } })
      expect(clock.pendingTimers).toBe(0)
    }
  })

  it('ends at once when it is closed before it was open', () => {
    const { session, clock, kinds } = alone()
    session.open()
    session.close()
    expect(session.status).toEqual({ kind: 'closed' })
    expect(kinds.filter((kind) => kind === 'closed')).toHaveLength(1)
    expect(clock.pendingTimers).toBe(0)
  })

  it('is destroyed once, and is deaf and mute after it', () => {
    const { session, clock, kinds } = alone()
    session.open()
    session.destroy()
    const told = kinds.length
    session.destroy()
    session.close()
    session.open()
    session.receive(text('GET / HTTP/1.1'))
    session.peerReset()
    session.streamBroken('gap')
    clock.advance(100_000)
    expect(kinds).toHaveLength(told)
    expect(session.status).toMatchObject({ kind: 'failed', error: { code: 'ERR_SZMQ_ABORTED' } })
  })

  it('asks to hold back, tells when to go on, and drains before it says END', () => {
    const clock = new FakeClock()
    const random = new SeededRandom(1)
    const later = { laterBy: clock, highWaterMarkBytes: 1_000 }
    const kinds: string[] = []
    const got: number[] = []
    let server: Session
    const client: Session = new Session(
      { role: 'client', engine: insecureCleartextEngine({ role: 'client', name: 'client', ...later }) },
      { clock, random },
      (event) => {
        kinds.push(event.kind)
        if (event.kind === 'ciphertext') server.receive(event.bytes)
      },
    )
    server = new Session(
      { role: 'server', engine: insecureCleartextEngine({ role: 'server', name: 'server', ...later }) },
      { clock, random },
      (event) => {
        if (event.kind === 'ciphertext') client.receive(event.bytes)
        if (event.kind === 'message') got.push(event.bytes.length)
      },
    )
    server.open()
    client.open()
    clock.advance(0)
    expect(client.send(text('short'))).toBe(true)
    expect(client.send(new Uint8Array(2_000))).toBe(false)
    expect(kinds).not.toContain('drain')
    clock.advance(0)
    expect(kinds).toContain('drain')
    expect(client.send(new Uint8Array(3_000))).toBe(false)
    client.close()
    expect(client.status.kind).toBe('closing')
    clock.advance(0)
    expect(got).toEqual([5, 2_000, 3_000])
    expect([client.status.kind, server.status.kind]).toEqual(['closed', 'closed'])
    expect(clock.pendingTimers).toBe(0)
  })

  it('does not listen to the engine of an epoch that is over', () => {
    const clock = new FakeClock()
    const listeners: TlsListener[] = []
    const network = new StreamNetwork({ clock })
    const makeEngine = insecureCleartextEngine({ role: 'client', name: 'client' })
    const client = network.connect('client', (listener) => {
      listeners.push(listener)
      return makeEngine(listener)
    })
    network.run()
    client.stream.channel.send(text('lost'))
    network.fault = () => []
    network.run()
    network.fault = (message) => [message]
    client.stream.channel.send(text('beyond the gap'))
    network.run()
    clock.advance(100)
    network.run()
    expect(client.kinds).toEqual(['open', 'resetting', 'open'])
    const [late] = listeners
    late?.({ kind: 'failed', error: new SzmqError('ERR_SZMQ_BAD_RECORD', 'too late') })
    late?.({ kind: 'plaintext', bytes: new Uint8Array([0xff, 0xff, 0xff, 0xff, 2]) })
    late?.({ kind: 'ciphertext', bytes: text('too late') })
    expect(client.kinds).toEqual(['open', 'resetting', 'open'])
    expect(network.inFlight).toEqual([])
  })

  it('may be called back from within its own events', () => {
    const clock = new FakeClock()
    const random = new SeededRandom(1)
    const got: string[] = []
    let server: Session
    const client: Session = new Session(
      { role: 'client', engine: insecureCleartextEngine({ role: 'client', name: 'client' }) },
      { clock, random },
      (event) => {
        if (event.kind === 'ciphertext') server.receive(event.bytes)
        if (event.kind === 'open') for (let at = 0; at < 3; at += 1) client.send(text(`${at}`.repeat(600)))
        if (event.kind === 'message') client.close()
      },
    )
    server = new Session(
      { role: 'server', engine: insecureCleartextEngine({ role: 'server', name: 'server' }) },
      { clock, random },
      (event) => {
        if (event.kind === 'ciphertext') client.receive(event.bytes)
        if (event.kind !== 'message') return
        got.push(new TextDecoder().decode(event.bytes))
        if (got.length === 3) server.send(text('thanks'))
      },
    )
    server.open()
    client.open()
    expect(got).toEqual(['0', '1', '2'].map((digit) => digit.repeat(600)))
    expect(client.status).toEqual({ kind: 'closed' })
    expect(server.status).toEqual({ kind: 'closed' })
    expect(clock.pendingTimers).toBe(0)
  })
})
