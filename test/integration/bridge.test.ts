import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { ensureDevelopmentCredentials, startSystem, type SystemEvent } from '../../src/index.ts'
import type { BridgeEnd } from '../../src/transport/bridge.ts'
import { openBridge, type Bridge, type BridgeEvent, type BridgeOptions } from '../../src/transport/bridge.driver.ts'
import { startFrameServer, type FrameSession } from '../support/frame-server.ts'

const text = (value: string): Uint8Array => new TextEncoder().encode(value)
const echo = (session: FrameSession, bytes: Uint8Array): void => {
  session.say(bytes)
}

/** A TLS record with a handshake message of type 99, complete and empty. */
const UNKNOWN_HANDSHAKE_MESSAGE = Uint8Array.of(22, 3, 1, 0, 4, 99, 0, 0, 0)

/** A bridge, and what it told. */
class Watched {
  readonly events: BridgeEvent[] = []
  readonly bridge: Bridge

  static async open(to: string, limits: BridgeOptions['limits'] = {}): Promise<Watched> {
    const events: BridgeEvent[] = []
    const bridge = await openBridge({
      listen: 'tcp://127.0.0.1:*',
      to,
      limits,
      onEvent: (event) => {
        events.push(event)
      },
    })
    onTestFinished(() => bridge.close())
    return new Watched(bridge, events)
  }

  private constructor(bridge: Bridge, events: BridgeEvent[]) {
    this.bridge = bridge
    this.events = events
  }

  /** A tool that reads from the start. */
  connect(): Tool {
    return new Tool(this.bridge.endpoint)
  }

  async untilEnds(...ends: readonly BridgeEnd[]): Promise<void> {
    await vi.waitFor(
      () => {
        expect(this.events.map((event) => (event.kind === 'closed' ? event.end : event.kind))).toEqual(ends)
      },
      { timeout: 8_000, interval: 5 },
    )
  }
}

/** A raw TCP client that keeps what it hears. */
class Tool {
  readonly socket: Socket
  readonly #heard: Uint8Array[] = []
  #bytes = 0
  error: string | undefined

  constructor(endpoint: string) {
    const { hostname, port } = new URL(endpoint)
    this.socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true })
    this.socket.on('data', (bytes) => {
      this.#heard.push(bytes)
      this.#bytes += bytes.length
    })
    this.socket.on('error', (error: Error & { code?: string }) => {
      this.error = error.code
    })
    onTestFinished(() => {
      this.socket.destroy()
    })
  }

  get heard(): Buffer {
    return Buffer.concat(this.#heard)
  }

  async hears(length: number): Promise<Buffer> {
    while (this.#bytes < length) await once(this.socket, 'data', { signal: AbortSignal.timeout(10_000) })
    return this.heard
  }

  /** What the tool saw of the end: an orderly one, or a cut. */
  async ends(): Promise<'end' | 'cut'> {
    const signal = AbortSignal.timeout(10_000)
    if (this.socket.readableEnded) return 'end'
    return Promise.race([
      once(this.socket, 'end', { signal }).then(() => 'end' as const),
      once(this.socket, 'close', { signal }).then(() => 'cut' as const),
    ]).catch(() => 'cut' as const)
  }
}

async function serveTcp(onSocket: (socket: Socket) => void): Promise<string> {
  const server: Server = createServer((socket) => {
    socket.on('error', () => {})
    onTestFinished(() => {
      socket.destroy()
    })
    onSocket(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
  })
  return `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** Nobody listens there. */
async function freeEndpoint(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return `tcp://127.0.0.1:${port}`
}

describe('bytes', () => {
  it('cross both ways unharmed, on many connections at once', async () => {
    await using server = await startFrameServer(echo)
    const watched = await Watched.open(server.endpoint)
    await Promise.all(
      Array.from({ length: 8 }, async () => {
        const tool = watched.connect()
        const said = randomBytes(2 * 1024 * 1024)
        tool.socket.write(said)
        expect((await tool.hears(said.length)).equals(said)).toBe(true)
        tool.socket.end()
      }),
    )
    await watched.untilEnds(...Array.from({ length: 8 }, () => 'tool.ended' as const))
    for (const event of watched.events) expect(event).toMatchObject({ bytesToServer: 2_097_152, bytesToTool: 2_097_152 })
  })

  it('wait for a slow reader, who holds nobody up and loses none', async () => {
    const flood = randomBytes(512 * 1024)
    await using server = await startFrameServer((session, bytes) => {
      if (Buffer.from(bytes).toString() === 'flood') for (let n = 0; n < 40; n += 1) session.say(flood)
      else session.say(bytes)
    })
    const watched = await Watched.open(server.endpoint, { maxHeldBytes: 64 * 1024 })
    const slow = watched.connect()
    slow.socket.pause()
    slow.socket.write('flood')
    const quick = watched.connect()
    for (let n = 1; n <= 100; n += 1) {
      quick.socket.write('x')
      await quick.hears(n)
    }
    expect(slow.heard).toHaveLength(0)
    slow.socket.resume()
    const heard = await slow.hears(40 * flood.length)
    for (let n = 0; n < 40; n += 1) expect(heard.subarray(n * flood.length, (n + 1) * flood.length).equals(flood)).toBe(true)
    expect(watched.events).toEqual([])
  })
})

describe('ends', () => {
  it('a half-close leaves the server its answer', async () => {
    const asked: string[] = []
    await using server = await startFrameServer((session, bytes) => {
      asked.push(Buffer.from(bytes).toString())
      setTimeout(() => {
        session.say(text('answer'))
        session.reset()
      }, 100)
    })
    const watched = await Watched.open(server.endpoint)
    const tool = watched.connect()
    tool.socket.end('question')
    expect(await tool.ends()).toBe('end')
    expect(tool.heard.toString()).toBe('answer')
    expect(asked).toEqual(['question'])
    await watched.untilEnds('tool.ended')
  })

  it('a tool that is cut off disturbs nobody', async () => {
    await using server = await startFrameServer(echo)
    const watched = await Watched.open(server.endpoint)
    const [cut, other] = [watched.connect(), watched.connect()]
    for (const tool of [cut, other]) {
      tool.socket.write('x')
      await tool.hears(1)
    }
    cut.socket.resetAndDestroy()
    await watched.untilEnds('tool.cut')
    other.socket.write('y')
    expect((await other.hears(2)).toString()).toBe('xy')
  })

  it('a server that resets ends the connection, after its last word', async () => {
    await using server = await startFrameServer((session, bytes) => {
      if (Buffer.from(bytes).toString() !== 'go') return echo(session, bytes)
      session.say(text('alert'))
      session.reset()
    })
    const watched = await Watched.open(server.endpoint)
    const [tool, other] = [watched.connect(), watched.connect()]
    tool.socket.write('go')
    expect(await tool.ends()).toBe('end')
    expect(tool.heard.toString()).toBe('alert')
    tool.socket.end()
    await watched.untilEnds('server.ended')
    other.socket.write('x')
    await other.hears(1)
  })

  it('a frame that is lost cuts the tool, so that it takes nothing for the end', async () => {
    // Without a byte before it: libuv takes a reset that follows bytes closely for an end.
    await using server = await startFrameServer((session, bytes) => {
      session.skip()
      session.say(bytes)
    })
    const watched = await Watched.open(server.endpoint)
    const tool = watched.connect()
    tool.socket.write('x')
    expect(await tool.ends()).toBe('cut')
    await watched.untilEnds('stream.broken')
  })

  it('silence cuts both', async () => {
    await using server = await startFrameServer(() => {})
    const watched = await Watched.open(server.endpoint, { idleTimeoutMs: 150 })
    const [mute, unheard] = [watched.connect(), watched.connect()]
    unheard.socket.write('hello?')
    expect(await Promise.all([mute.ends(), unheard.ends()])).toEqual(['cut', 'cut'])
    await watched.untilEnds('idle', 'idle')
  })

  it('a bridge that closes cuts its connections and frees its port', async () => {
    await using server = await startFrameServer(echo)
    const watched = await Watched.open(server.endpoint)
    const tool = watched.connect()
    tool.socket.write('x')
    await tool.hears(1)
    await watched.bridge.close()
    expect(await tool.ends()).toBe('cut')
    await watched.untilEnds('stopped')
    await using again = await openBridge({ listen: watched.bridge.endpoint, to: server.endpoint })
    expect(again).toMatchObject({ endpoint: watched.bridge.endpoint, isLoopback: true })
  })
})

describe('the server', () => {
  it('is not there: tools are cut at once; is there later: they get through', async () => {
    const endpoint = await freeEndpoint()
    const watched = await Watched.open(endpoint)
    const startedMs = performance.now()
    const early = watched.connect()
    expect(await early.ends()).toBe('cut')
    expect(early.error).toBe('ECONNRESET')
    expect(performance.now() - startedMs).toBeLessThan(2_000)
    await using _server = await startFrameServer(echo, endpoint)
    const tool = watched.connect()
    tool.socket.write('x')
    await tool.hears(1)
    await watched.untilEnds('server.unreachable')
  })

  it.each([
    ['is silent', () => {}],
    [
      'speaks HTTP',
      (socket: Socket) => {
        socket.end('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n')
      },
    ],
    [
      'hangs up',
      (socket: Socket) => {
        socket.destroy()
      },
    ],
  ])('is no ZeroMQ socket and %s: tools are cut', async (_, onSocket) => {
    const watched = await Watched.open(await serveTcp(onSocket), { connectTimeoutMs: 300 })
    const tool = watched.connect()
    tool.socket.write('x')
    expect(await tool.ends()).toBe('cut')
    await watched.untilEnds('server.unreachable')
  })

  it('goes away: open tools are cut, later ones get through to its successor', async () => {
    const first = await startFrameServer(echo)
    const watched = await Watched.open(first.endpoint)
    const tool = watched.connect()
    tool.socket.write('x')
    await tool.hears(1)
    first.close()
    expect(await tool.ends()).toBe('cut')
    await watched.untilEnds('server.lost')
    // ZeroMQ lets go of the port in its own time.
    await using _second = await vi.waitFor(() => startFrameServer(echo, first.endpoint))
    const later = watched.connect()
    later.socket.write('x')
    await later.hears(1)
  })
})

describe('limits', () => {
  it('one connection too many is refused, and nobody else; a free place is given again', async () => {
    await using server = await startFrameServer(echo)
    const watched = await Watched.open(server.endpoint, { maxConnections: 2 })
    const tools = [watched.connect(), watched.connect()]
    for (const tool of tools) {
      tool.socket.write('x')
      await tool.hears(1)
    }
    expect(await watched.connect().ends()).toBe('cut')
    expect(watched.events).toMatchObject([{ kind: 'refused', connection: 3, reason: expect.stringContaining('as many') }])
    tools[0]?.socket.resetAndDestroy()
    await vi.waitUntil(() => watched.events.length === 2)
    const next = watched.connect()
    next.socket.write('y')
    await next.hears(1)
  })

  it('are refused when they are none', async () => {
    const common = { listen: 'tcp://127.0.0.1:*', to: 'tcp://127.0.0.1:7000' }
    for (const limits of [{ maxConnections: 251 }, { maxHeldBytes: 0 }, { idleTimeoutMs: Number.NaN }]) {
      await expect(openBridge({ ...common, limits })).rejects.toMatchObject({ code: 'ERR_SZMQ_INVALID_ARGUMENT' })
    }
  })

  it('a port that is taken, or is nobody’s, is told as such', async () => {
    await using first = await openBridge({ listen: 'tcp://127.0.0.1:*', to: 'tcp://127.0.0.1:7000' })
    await expect(openBridge({ listen: first.endpoint, to: 'tcp://127.0.0.1:7000' })).rejects.toMatchObject({
      code: 'ERR_SZMQ_ADDRESS_IN_USE',
    })
    await expect(openBridge({ listen: 'tcp://192.0.2.1:*', to: 'tcp://127.0.0.1:7000' })).rejects.toMatchObject({
      code: 'ERR_SZMQ_ADDRESS_UNAVAILABLE',
    })
  })
})

describe.each(['openssl', 'gnutls'] as const)('a node (%s)', (engine) => {
  it('ends what is no TLS by its reason, one session at a time', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'szmq-bridge-'))
    onTestFinished(() => rm(folder, { recursive: true }))
    const { a } = await ensureDevelopmentCredentials({ folder, names: ['a'] })
    const events: SystemEvent[] = []
    await using node = await startSystem({
      name: 'shop',
      onEvent: (event) => events.push(event),
      node: { listen: 'tcp://127.0.0.1:*', tls: a, engine },
    })
    const watched = await Watched.open(node.address?.replace(/^szmq:\/\/(.*)\/shop$/, 'tcp://$1') ?? '')
    const idle = watched.connect()
    for (const garbage of ['GET / HTTP/1.1\r\nHost: localhost\r\n\r\n', randomBytes(5_000), UNKNOWN_HANDSHAKE_MESSAGE]) {
      const tool = watched.connect()
      tool.socket.write(garbage)
      expect(await tool.ends()).toBe('end')
      tool.socket.destroy()
    }
    await watched.untilEnds('server.ended', 'server.ended', 'server.ended')
    expect(events.map((event) => event.kind)).toEqual(['link.down', 'link.down', 'link.down'])
    expect(idle.socket.destroyed).toBe(false)
  })
})
