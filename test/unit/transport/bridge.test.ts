import { describe, expect, it } from 'vitest'
import { sessionIdOf } from '../../../src/transport/frame.codec.ts'
import { formatTcpEndpoint, isLoopback, parseTcpEndpoint } from '../../../src/transport/bridge-endpoint.ts'
import { BridgeWalk, BRIDGE_SESSION } from '../../support/bridge-walk.ts'

const bytes = (length: number, value = 1): Uint8Array => new Uint8Array(length).fill(value)

function openWalk(limits: ConstructorParameters<typeof BridgeWalk>[0] = {}): BridgeWalk {
  const walk = new BridgeWalk(limits)
  walk.connection.serverReady()
  walk.effects.length = 0
  return walk
}

describe('a bridge connection', () => {
  it('reads neither side before the way to the server stands', () => {
    const walk = new BridgeWalk()
    expect(walk.kinds).toEqual([])
    walk.connection.serverReady()
    expect(walk.kinds).toEqual(['release server', 'release tool'])
  })

  it('numbers the frames of the tool from 0 in epoch 1 of its own session', () => {
    const walk = openWalk()
    walk.connection.fromTool(bytes(3))
    walk.connection.fromTool(bytes(5))
    const common = { kind: 'tls', from: 'client', sessionId: BRIDGE_SESSION, epoch: 1 }
    expect(walk.sent).toEqual([
      { ...common, sequence: 0, bytes: bytes(3) },
      { ...common, sequence: 1, bytes: bytes(5) },
    ])
  })

  it('writes what the server says, in order and once', () => {
    const walk = openWalk()
    walk.answer(bytes(3))
    walk.inject({ kind: 'tls', sequence: 0, bytes: bytes(3) })
    walk.answer(bytes(4, 2))
    expect(walk.written).toEqual([bytes(3), bytes(4, 2)])
    walk.connection.stop()
    expect(walk.outcome).toMatchObject({ bytesToTool: 7, framesDropped: 1 })
  })

  it('drops what is no frame of the server, of this session and of epoch 1, and goes on', () => {
    const walk = openWalk()
    const one = { kind: 'tls', bytes: bytes(1) } as const
    walk.inject({ ...one, from: 'client' })
    walk.inject({ ...one, sessionId: sessionIdOf(bytes(16)) })
    walk.inject({ ...one, epoch: 2 })
    walk.inject({ kind: 'reset', epoch: 2 })
    walk.connection.fromServer([])
    walk.connection.fromServer([bytes(32), bytes(1)])
    walk.connection.fromServer([bytes(32), bytes(1), bytes(1)])
    expect(walk.kinds).toEqual([])
    walk.answer(bytes(2))
    expect(walk.written).toEqual([bytes(2)])
    walk.connection.stop()
    expect(walk.outcome?.framesDropped).toBe(7)
  })

  it('cuts the tool when a frame of the server is missing', () => {
    const walk = openWalk()
    walk.inject({ kind: 'tls', sequence: 1, bytes: bytes(1) })
    expect(walk.written).toEqual([])
    expect(walk.outcome?.end).toBe('stream.broken')
    expect(walk.isCut).toBe(true)
  })

  it('says its hello again with the cookie that a busy server asks for, and only before the first answer', () => {
    const walk = openWalk()
    walk.connection.fromTool(bytes(3))
    walk.connection.fromTool(bytes(4))
    walk.inject({ kind: 'cookie', cookie: bytes(16, 9) })
    const common = { from: 'client', sessionId: BRIDGE_SESSION, epoch: 1 }
    expect(walk.sent.slice(2)).toEqual([
      { ...common, kind: 'hello', cookie: bytes(16, 9), bytes: bytes(3) },
      { ...common, kind: 'tls', sequence: 1, bytes: bytes(4) },
    ])
    walk.answer(bytes(1))
    walk.inject({ kind: 'cookie', cookie: bytes(16, 8) })
    expect(walk.sent).toHaveLength(4)
    walk.connection.stop()
    // What the tool said, once.
    expect(walk.outcome).toMatchObject({ bytesToServer: 7, framesDropped: 1 })
  })

  it('ends the tool’s connection at a reset, after what was said before', () => {
    const walk = openWalk()
    walk.connection.fromTool(bytes(10))
    walk.answer(bytes(7))
    walk.reset()
    expect(walk.kinds).toEqual(['send', 'write', 'end'])
    walk.connection.fromTool(bytes(10))
    walk.connection.toolEnded()
    expect(walk.outcome).toBeUndefined()
    walk.connection.written(7)
    expect(walk.outcome).toMatchObject({ end: 'server.ended', bytesToServer: 10, bytesToTool: 7 })
    expect(walk.isCut).toBe(false)
    expect(walk.sent).toHaveLength(1)
  })

  it('does not wait for ever for a tool that stays after a reset, however much it says', () => {
    const walk = openWalk({ lingerMs: 2_000 })
    walk.reset()
    for (let ms = 0; ms < 2_000; ms += 500) {
      walk.connection.fromTool(bytes(1))
      expect(walk.outcome).toBeUndefined()
      walk.clock.advance(500)
    }
    expect(walk.outcome?.end).toBe('server.ended')
  })

  it('takes a server that goes away after its last word for nothing new', () => {
    const walk = openWalk()
    walk.answer(bytes(7))
    walk.reset()
    walk.connection.serverFailed()
    expect(walk.outcome).toBeUndefined()
    walk.connection.toolEnded()
    walk.connection.written(7)
    expect(walk.outcome?.end).toBe('server.ended')
  })

  it('lets the server speak after the tool’s half-close, as long as it speaks', () => {
    const walk = openWalk({ lingerMs: 2_000 })
    walk.connection.fromTool(bytes(5))
    walk.connection.sent(5)
    walk.connection.toolEnded()
    for (let round = 0; round < 5; round += 1) {
      walk.clock.advance(1_900)
      walk.answer(bytes(1))
      walk.connection.written(1)
    }
    expect(walk.written).toHaveLength(5)
    walk.clock.advance(2_000)
    expect(walk.outcome?.end).toBe('tool.ended')
    expect(walk.isCut).toBe(false)
  })

  it('is over at once when a tool ends that asked nothing', () => {
    const walk = openWalk()
    walk.connection.toolEnded()
    expect(walk.outcome?.end).toBe('tool.ended')
  })

  it.each([
    ['toolFailed', 'tool.cut'],
    ['serverFailed', 'server.lost'],
    ['stop', 'stopped'],
  ] as const)('is cut by %s', (event, end) => {
    const walk = openWalk()
    walk.connection.fromTool(bytes(5))
    walk.connection[event]()
    expect(walk.outcome?.end).toBe(end)
    expect(walk.isCut).toBe(true)
    expect(walk.clock.pendingTimers).toBe(0)
  })

  it('gives the server up that does not answer by connectTimeoutMs, or cannot be reached', () => {
    const silent = new BridgeWalk({ connectTimeoutMs: 100 })
    silent.clock.advance(99)
    expect(silent.outcome).toBeUndefined()
    silent.clock.advance(1)
    const absent = new BridgeWalk()
    absent.connection.serverFailed()
    for (const walk of [silent, absent]) {
      expect(walk.outcome?.end).toBe('server.unreachable')
      expect(walk.isCut).toBe(true)
    }
  })

  it('is cut when no byte moves for idleTimeoutMs, and not before', () => {
    const walk = openWalk({ idleTimeoutMs: 1_000 })
    for (const move of [
      () => walk.connection.fromTool(bytes(1)),
      () => walk.connection.sent(1),
      () => walk.answer(bytes(1)),
      () => walk.connection.written(1),
    ]) {
      walk.clock.advance(999)
      expect(walk.outcome).toBeUndefined()
      move()
    }
    walk.inject({ kind: 'reset', epoch: 9 })
    walk.clock.advance(1_000)
    expect(walk.outcome?.end).toBe('idle')
  })

  it('is cut as idle, not ended, when a reader stops before all is read', () => {
    const walk = openWalk({ idleTimeoutMs: 1_000, lingerMs: 10 })
    walk.answer(bytes(100))
    walk.reset()
    walk.connection.toolEnded()
    walk.clock.advance(999)
    expect(walk.outcome).toBeUndefined()
    walk.clock.advance(1)
    expect(walk.outcome?.end).toBe('idle')
    expect(walk.isCut).toBe(true)
  })

  it('holds the server while a slow reader is behind, and releases it at half', () => {
    const walk = openWalk({ maxHeldBytes: 100 })
    walk.answer(bytes(60))
    walk.answer(bytes(60))
    expect(walk.kinds).toEqual(['write', 'hold server', 'write'])
    walk.connection.written(60)
    expect(walk.connection.heldFrom('server')).toBe(60)
    expect(walk.kinds.at(-1)).toBe('write')
    walk.connection.written(60)
    expect(walk.kinds.at(-1)).toBe('release server')
    expect(walk.connection.heldFrom('tool')).toBe(0)
  })

  it('holds the tool while ZeroMQ has no room, and lets it talk into the void once the server ended', () => {
    const walk = openWalk({ maxHeldBytes: 100 })
    walk.connection.fromTool(bytes(100))
    expect(walk.kinds).toEqual(['hold tool', 'send'])
    walk.reset()
    expect(walk.kinds).toEqual(['hold tool', 'send', 'release tool', 'end'])
  })

  it('says once that it is closed, and nothing after', () => {
    const walk = openWalk()
    walk.connection.stop()
    const { length } = walk.effects
    walk.connection.fromTool(bytes(1))
    walk.answer(bytes(1))
    walk.reset()
    walk.connection.sent(0)
    walk.connection.written(0)
    walk.connection.toolEnded()
    walk.connection.toolFailed()
    walk.connection.serverReady()
    walk.connection.serverFailed()
    walk.connection.stop()
    walk.clock.advance(1_000_000)
    expect(walk.effects).toHaveLength(length)
  })
})

describe('endpoints of a bridge', () => {
  it.each([
    ['tcp://127.0.0.1:8443', { host: '127.0.0.1', port: 8443 }],
    ['tcp://localhost:1', { host: 'localhost', port: 1 }],
    ['tcp://[::1]:65535', { host: '::1', port: 65_535 }],
  ])('%s', (text, endpoint) => {
    expect(parseTcpEndpoint(text, 'connect')).toEqual(endpoint)
    expect(formatTcpEndpoint(endpoint)).toBe(text)
  })

  it('may leave the port to the system to listen, and only then', () => {
    for (const text of ['tcp://127.0.0.1:*', 'tcp://127.0.0.1:0']) {
      expect(parseTcpEndpoint(text, 'listen').port).toBe(0)
      expect(() => parseTcpEndpoint(text, 'connect')).toThrow(/not an endpoint/)
    }
  })

  it.each([
    '',
    '127.0.0.1:1',
    'tcp://:1',
    'tcp://*:1',
    'tcp://a',
    'tcp://a:',
    'tcp://a:65536',
    'tcp://a b:1',
    'ipc://x',
    'tcp://a:1/x',
  ])('refuses %j', (text) => {
    for (const use of ['listen', 'connect'] as const) {
      expect(() => parseTcpEndpoint(text, use)).toThrow(expect.objectContaining({ code: 'ERR_SZMQ_INVALID_ENDPOINT' }))
    }
  })

  it('know which addresses only this machine reaches', () => {
    expect(['127.0.0.1', '127.1.2.3', '::1', '::ffff:127.0.0.1'].every(isLoopback)).toBe(true)
    expect(['0.0.0.0', '::', '10.0.0.1', '128.0.0.1', '::2', 'fe80::1', '::ffff:10.0.0.1'].some(isLoopback)).toBe(false)
  })
})
