import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { curveKeyPair, Dealer, Publisher, Request } from 'zeromq'
import { ensureDevelopmentCredentials, startSystem, type ActorSystem, type SystemEvent } from '../../src/index.ts'
import { systemClock } from '../../src/shared/system-clock.driver.ts'
import { systemRandom } from '../../src/shared/system-random.driver.ts'
import { decodeFrame, encodeFrame, sessionIdOf, type Frame, type SessionId } from '../../src/transport/frame.codec.ts'
import { createNodeEngines, readNodeCredentials } from '../../src/transport/index.ts'
import { StreamClient } from '../../src/transport/stream.ts'
import { bindRouter, type LinkSocket } from '../../src/transport/zmq.driver.ts'
import { Counter } from '../support/actors/counter.ts'
import { StreamNetwork } from '../support/memory-network.ts'
import { openRaw, zmtpGreeting, zmtpPart, zmtpReady } from '../support/raw-zmtp.ts'

let folder: string
let files: Awaited<ReturnType<typeof ensureDevelopmentCredentials<'honest' | 'victim'>>>
/** What a real client says first. */
let hello: Uint8Array = new Uint8Array()

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'szmq-door-'))
  files = await ensureDevelopmentCredentials({ folder, names: ['honest', 'victim'] })
  const engines = createNodeEngines(await readNodeCredentials(files.honest))
  hello = await new Promise((resolve) => {
    const client = new StreamClient(
      { engine: engines.client('127.0.0.1') },
      { clock: systemClock, random: systemRandom },
      ({ parts }) => {
        resolve(parts[1])
        queueMicrotask(() => client.channel.destroy())
      },
      () => {},
    )
    client.open()
  })
})
afterAll(() => rm(folder, { recursive: true }))

const zmq = (frame: Frame): Uint8Array[] => [...encodeFrame(frame)]
const helloFrame = () =>
  zmq({ kind: 'tls', from: 'client', sessionId: sessionIdOf(systemRandom.bytes(16)), epoch: 1, sequence: 0, bytes: hello })

interface Scene extends AsyncDisposable {
  readonly victim: ActorSystem
  readonly endpoint: string
  readonly port: number
  readonly events: readonly SystemEvent[]
  /** What was told before, during and after is all there, once; and a newcomer gets in. */
  expectUnharmed(): Promise<void>
}

async function openScene(gate: boolean): Promise<Scene> {
  const events: SystemEvent[] = []
  const victim = await startSystem({
    name: 'shop',
    onEvent: (event) => events.push(event),
    node: { name: 'victim', listen: 'tcp://127.0.0.1:*', tls: files.victim, gate },
  })
  victim.spawn(Counter, 'c')
  const honest = await startSystem({ name: 'shop', node: { name: 'honest', tls: files.honest } })
  const far = await honest.resolve(Counter, `${victim.address}/c`)
  let told = 0
  const tell = () => {
    told += 1
    far.tell.add(1)
  }
  const beat = setInterval(tell, 2)
  const port = Number(new URL(victim.address ?? '').port)
  return {
    victim,
    port,
    endpoint: `tcp://127.0.0.1:${port}`,
    events,
    async expectUnharmed() {
      await using newcomer = await startSystem({ name: 'shop', node: { name: 'newcomer', tls: files.honest } })
      await newcomer.resolve(Counter, `${victim.address}/c`)
      clearInterval(beat)
      tell()
      expect(await far.ask.total()).toBe(told)
      expect(events.filter(({ kind }) => kind === 'link.suspended' || kind === 'link.resumed')).toEqual([])
    },
    async [Symbol.asyncDispose]() {
      clearInterval(beat)
      await honest.stop()
      await victim.stop()
    },
  }
}

const refusedMessages = ({ victim }: Scene) =>
  Object.values(victim.door()?.messages ?? {}).reduce((sum, count) => sum + count, 0)
describe.each([false, true])('an open door (with a gate: %s)', (gate) => {
  it('is of no use to plain zeromq clients, CURVE clients and HTTP', async () => {
    await using scene = await openScene(gate)
    const { endpoint, port } = scene
    const options = { linger: 0, sendTimeout: 500 } as const
    const { publicKey, secretKey } = curveKeyPair()
    const server = curveKeyPair()
    using dealer = closing(new Dealer(options))
    using request = closing(new Request(options))
    using publisher = closing(new Publisher(options))
    using curve = closing(
      new Dealer({ ...options, curvePublicKey: publicKey, curveSecretKey: secretKey, curveServerKey: server.publicKey }),
    )
    for (const { socket } of [dealer, request, publisher, curve]) socket.connect(endpoint)
    for (let at = 0; at < 100; at += 1) await dealer.socket.send(['ping', String(at)])
    await request.socket.send('ping')
    await publisher.socket.send('news')
    await curve.socket.send('secret').catch(() => {})
    const http = await openRaw(port)
    http.socket.write('GET / HTTP/1.1\r\nHost: szmq\r\n\r\n')
    if (gate) await http.closed
    await vi.waitUntil(() => (scene.victim.door()?.messages.malformed ?? 0) >= 101, { timeout: 5_000 })
    expect(dealer.socket.readable).toBe(false)
    if (gate) await vi.waitUntil(() => (scene.victim.door()?.connections?.greeting ?? 0) >= 2)
    http.socket.destroy()
    await scene.expectUnharmed()
  }, 20_000)

  it('answers guesses of session ids by few resets, and none of them is believed', async () => {
    await using scene = await openScene(gate)
    using guesser = closing(new Dealer({ linger: 0, receiveTimeout: 500 }))
    guesser.socket.connect(scene.endpoint)
    for (let guess = 0; guess < 2_000; guess += 1) {
      const sessionId = sessionIdOf(systemRandom.bytes(16))
      const sender = { from: 'client', sessionId, epoch: 1 } as const
      await guesser.socket.send(zmq({ kind: 'tls', ...sender, sequence: 1, bytes: hello }))
      if (guess % 10 === 0) await guesser.socket.send(zmq({ kind: 'reset', ...sender }))
    }
    await vi.waitUntil(() => (scene.victim.door()?.messages.unknownSession ?? 0) === 2_000, { timeout: 5_000 })
    const { resetsSent = 0, resetsReceived } = scene.victim.door()?.messages ?? {}
    expect(resetsSent).toBeLessThan(60)
    expect(resetsReceived).toBe(200)
    await scene.expectUnharmed()
  }, 20_000)

  it('survives ten thousand half-open handshakes from eight sockets in bounded memory, asks for cookies, and tells of it once', async () => {
    await using scene = await openScene(gate)
    const before = process.memoryUsage().rss
    const flooders = Array.from({ length: 8 }, () => new Dealer({ linger: 0 }))
    for (const flooder of flooders) flooder.connect(scene.endpoint)
    await Promise.all(
      flooders.map(async (flooder) => {
        for (let at = 0; at < 1_250; at += 1) await flooder.send(helloFrame())
      }),
    )
    await vi.waitUntil(() => refusedMessages(scene) >= 9_000, { timeout: 10_000 })
    const grownMiB = (process.memoryUsage().rss - before) / 2 ** 20
    for (const flooder of flooders) flooder.close()
    await scene.expectUnharmed()
    expect(scene.victim.door()?.messages.cookiesSent).toBeGreaterThan(100)
    expect(scene.events.filter(({ kind }) => kind === 'door.flooded')).toHaveLength(1)
    expect(grownMiB).toBeLessThan(250)
  }, 30_000)

  it('cuts 4 GiB at their announcement', async () => {
    await using scene = await openScene(gate)
    const { socket, closed } = await openRaw(scene.port)
    socket.write(Buffer.concat([zmtpGreeting(), zmtpReady('DEALER'), zmtpPart(Buffer.alloc(1_000), false, 2 ** 32)]))
    await closed
    await scene.expectUnharmed()
  }, 20_000)

  it('gives no routing id away: who claims that of another is not heard, and its owner goes on', async () => {
    await using scene = await openScene(gate)
    // What libzmq gives to the first connections of a process, when nobody seeded the C library's random numbers.
    const ids = Array.from({ length: 4 }, (_, at) => Buffer.of(0, 0x6b, 0x8b, 0x45, 0x67 + at))
    const claims = await Promise.all((gate ? ids : [Buffer.from('alice')]).map((id) => claim(scene.port, id)))
    if (gate) {
      await Promise.all(claims.map(({ closed }) => closed))
      expect(scene.victim.door()?.connections?.identity).toBe(ids.length)
    }
    await scene.expectUnharmed()
    for (const { socket } of claims) socket.destroy()
  }, 20_000)
})

describe('a gate', () => {
  it('cuts a message without end, which ZeroMQ alone would keep in memory', async () => {
    await using scene = await openScene(true)
    const { socket, closed } = await openRaw(scene.port)
    socket.write(Buffer.concat([zmtpGreeting(), zmtpReady('DEALER')]))
    for (let part = 0; part < 19; part += 1) socket.write(zmtpPart(Buffer.alloc(10), true))
    await closed
    expect(scene.victim.door()?.connections?.oversized).toBe(1)
    await scene.expectUnharmed()
  }, 20_000)

  it('keeps room for other addresses: one has no more connections than its share', async () => {
    const events: SystemEvent[] = []
    await using victim = await startSystem({
      name: 'shop',
      onEvent: (event) => events.push(event),
      node: { listen: 'tcp://127.0.0.1:*', tls: files.victim, gate: { maxConnectionsPerAddress: 3 } },
    })
    const port = Number(new URL(victim.address ?? '').port)
    const all = []
    for (let at = 0; at < 5; at += 1) all.push(await openRaw(port))
    await Promise.race(all.slice(3).map(({ closed }) => closed))
    await vi.waitUntil(() => victim.door()?.connections?.connectionsOfAddress === 2)
    for (const { socket } of all) socket.destroy()
  }, 20_000)

  it('stands where others can reach the door, and only there, unless it is told otherwise', async () => {
    for (const [listen, isGated] of [
      ['tcp://127.0.0.1:*', false],
      ['tcp://localhost:*', false],
      ['tcp://0.0.0.0:*', true],
      ['tcp://*:*', true],
    ] as const) {
      await using system = await startSystem({ name: 'a', node: { listen, tls: files.victim } })
      expect(system.door()?.connections !== undefined).toBe(isGated)
    }
    await using open = await startSystem({ name: 'a', node: { listen: 'tcp://0.0.0.0:*', tls: files.victim, gate: false } })
    expect(open.door()).toMatchObject({ connections: undefined })
  }, 20_000)

  it('names an endpoint that is taken or none', async () => {
    await using first = await startSystem({ name: 'a', node: { listen: 'tcp://127.0.0.1:*', tls: files.victim, gate: true } })
    const taken = `tcp://127.0.0.1:${new URL(first.address ?? '').port}`
    for (const [listen, code] of [
      [taken, 'ERR_SZMQ_ADDRESS_IN_USE'],
      ['tcp://nonsense', 'ERR_SZMQ_INVALID_ENDPOINT'],
    ] as const) {
      await expect(startSystem({ name: 'b', node: { listen, tls: files.victim, gate: true } })).rejects.toMatchObject({ code })
    }
  }, 20_000)
})

describe('ZeroMQ below the door', () => {
  let socket: LinkSocket
  const seen: number[] = []
  beforeAll(async () => {
    socket = await bindRouter(
      'tcp://127.0.0.1:*',
      { maxPartBytes: 1_000, limits: { greetingTimeoutMs: 300, heartbeatMs: 100, heartbeatTimeoutMs: 300 } },
      { onRefused: () => {}, onMessage: (parts) => seen.push(parts.length) },
    )
  })
  afterAll(() => {
    socket.close()
  })
  const opening = Buffer.concat([zmtpGreeting(), zmtpReady('DEALER')])
  const cases: readonly (readonly [string, readonly Uint8Array[]])[] = [
    ['silence after the connect', []],
    ['a greeting, and then silence', [zmtpGreeting()]],
    ['a part of 4 GiB', [opening, zmtpPart(new Uint8Array(), false, 2 ** 32)]],
    ['a part one byte too long', [opening, zmtpPart(new Uint8Array(1_001), false)]],
    ['silence after the greeting, when it is pinged', [opening]],
    ['a CURVE greeting', [zmtpGreeting('CURVE')]],
  ]
  it.each(cases)('cuts %s', async (_what, bytes) => {
    const { socket: raw, closed } = await openRaw(Number(new URL(socket.lastEndpoint).port))
    for (const chunk of bytes) raw.write(chunk)
    await closed
    expect(seen).toEqual([])
  })

  it('cuts who drips byte by byte, in the greeting or in a message', async () => {
    const port = Number(new URL(socket.lastEndpoint).port)
    await Promise.all(
      [Buffer.alloc(0), Buffer.concat([opening, zmtpPart(new Uint8Array(), false, 900)])].map(async (start) => {
        const { socket: raw, closed } = await openRaw(port)
        const drops = start.length === 0 ? zmtpGreeting() : Buffer.alloc(900)
        let at = 0
        raw.write(start)
        const drip = setInterval(() => raw.write(drops.subarray(at, (at += 1))), 20)
        await closed
        clearInterval(drip)
      }),
    )
    expect(seen).toEqual([])
  })
})

it('frames of session A in B, replayed and injected ones, reach nobody through TLS, and both go on', async () => {
  const server = createNodeEngines(await readNodeCredentials(files.victim)).server
  const engines = createNodeEngines(await readNodeCredentials(files.honest))
  const network = new StreamNetwork({ clock: systemClock, serverEngine: server })
  const fromAlice: Uint8Array[][] = []
  network.fault = (message) => {
    if (message.client === 'alice' && message.to === 'server') fromAlice.push([...message.parts])
    return [message]
  }
  const [alice, bob] = ['alice', 'bob'].map((name) => network.connect(name, engines.client('127.0.0.1')))
  if (alice === undefined || bob === undefined) throw new Error('two clients were made')
  const settle = (isDone: () => boolean) =>
    vi.waitUntil(
      () => {
        network.run()
        return isDone()
      },
      { timeout: 5_000, interval: 5 },
    )
  const isOpen = () => [alice, bob].every(({ channel }) => channel?.status.kind === 'open')
  await settle(isOpen)
  alice.channel?.send(new TextEncoder().encode('for alice alone'))
  const heard = () => network.channels.flatMap(({ messages }) => messages)
  await settle(() => heard().length === 1)
  const sessionId = bob.stream.channel.id as SessionId
  for (const [header, bytes] of fromAlice.slice()) {
    const frame = decodeFrame(header, bytes)
    if (!('kind' in frame) || frame.kind !== 'tls') continue
    const status = bob.channel?.status
    const epoch = status !== undefined && 'epoch' in status ? status.epoch : 1
    for (const sequence of [frame.sequence, frame.sequence + 1, frame.sequence + 2]) {
      network.inject({ to: 'server', client: 'bob', parts: encodeFrame({ ...frame, sessionId, epoch, sequence }) })
    }
    network.inject({ to: 'server', client: 'alice', parts: [header ?? new Uint8Array(), bytes ?? new Uint8Array()] })
  }
  network.run()
  await settle(() => heard().length === 1 && isOpen())
  bob.channel?.send(new TextEncoder().encode('still bob'))
  alice.channel?.send(new TextEncoder().encode('still alice'))
  await settle(() => heard().length === 3 || !isOpen())
  await settle(isOpen)
  expect(alice.kinds).toEqual(['open'])
  expect(heard().filter((text) => text === 'for alice alone')).toHaveLength(1)
  expect(heard()).toContain('still alice')
  for (const { channel } of [alice, bob]) channel?.destroy()
  network.server.destroy()
}, 20_000)

async function claim(port: number, identity: Uint8Array) {
  const raw = await openRaw(port)
  raw.socket.write(Buffer.concat([zmtpGreeting(), zmtpReady('DEALER', identity), zmtpPart(Buffer.from('hello'), false)]))
  return raw
}

function closing<S extends { close(): void; connect(endpoint: string): void }>(socket: S): Disposable & { readonly socket: S } {
  return { socket, [Symbol.dispose]: () => socket.close() }
}
