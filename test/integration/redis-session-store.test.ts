import { inspect } from 'node:util'
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { guardSessionStore, type SessionStoreProblem } from '../../src/security/resumption/guarded-session-store.ts'
import { createRedisSessionStore, type RedisClient } from '../../src/security/resumption/redis-session-store.driver.ts'
import type { SessionStore } from '../../src/security/resumption/session-store.ts'
import { SzmqError } from '../../src/shared/errors.ts'
import { systemClock } from '../../src/shared/system-clock.driver.ts'
import { describeSessionStoreContract, type StoreUnderTest } from '../contract/session-store.contract.ts'
import { RedisServer } from '../support/redis-server.ts'

let server: RedisServer
let admin: Redis

beforeAll(async () => {
  server = await RedisServer.start()
  admin = new Redis(server.socketPath)
})
afterAll(async () => {
  admin.disconnect()
  await server[Symbol.asyncDispose]()
})

interface Connected {
  readonly client: RedisClient
  readonly end: () => void
}

const clients = {
  ioredis: async (): Promise<Connected> => {
    const client = new Redis(server.socketPath)
    client.on('error', () => {})
    return { client, end: () => client.disconnect() }
  },
  'node-redis': async (): Promise<Connected> => {
    const client = createClient({ socket: { path: server.socketPath, tls: false } })
    client.on('error', () => {})
    await client.connect()
    return { client, end: () => client.destroy() }
  },
}
const kinds = ['ioredis', 'node-redis'] as const

for (const kind of kinds) {
  describeSessionStoreContract(`redis by ${kind}`, () => open(kind))
  describeSessionStoreContract(`redis by ${kind}, encrypted`, () => open(kind, new Uint8Array(32).fill(7)))
}

async function open(kind: (typeof kinds)[number], secret?: Uint8Array): Promise<StoreUnderTest> {
  const { client, end } = await clients[kind]()
  const store = createRedisSessionStore({
    client,
    prefix: `${kind} ${secret?.[0] ?? ''}:`,
    ...(secret === undefined ? {} : { secret }),
  })
  return { store, pass, end: async () => end() }
}

/** Until Redis's own clock says so. */
async function pass(ms: number): Promise<void> {
  const until = (await serverTime()) + ms
  while ((await serverTime()) <= until);
}

async function serverTime(): Promise<number> {
  const [seconds, micros] = await admin.time()
  return Number(seconds) * 1_000 + Number(micros) / 1_000
}

describe('a Redis session store', () => {
  const id = Uint8Array.of(1, 2, 0, 0xff)
  const secretText = 'the master secret'
  const session = new TextEncoder().encode(secretText)
  const minute = { expiresInMs: 60_000 }

  it('is shared: what one server set by one client, another finds by the other', async () => {
    const [one, other] = [await clients.ioredis(), await clients['node-redis']()]
    await createRedisSessionStore({ client: one.client }).set(id, session, minute)
    expect(await createRedisSessionStore({ client: other.client }).get(id)).toEqual(session)
    await createRedisSessionStore({ client: other.client }).delete(id)
    expect(await createRedisSessionStore({ client: one.client }).get(id)).toBeUndefined()
    one.end()
    other.end()
  })

  it('has Redis expire its keys, within seven days', async () => {
    const { client, end } = await clients.ioredis()
    const store = createRedisSessionStore({ client, prefix: 'expiry:' })
    await store.set(id, session, { expiresInMs: 1e12 })
    const leftMs = await admin.pttl(Buffer.concat([Buffer.from('expiry:'), id]))
    expect(leftMs).toBeGreaterThan(6 * 86_400_000)
    expect(leftMs).toBeLessThanOrEqual(7 * 86_400_000)
    end()
  })

  it('writes no session in clear once it has a secret, and opens none under another', async () => {
    const { client, end } = await clients['node-redis']()
    const open = (byte: number): SessionStore =>
      createRedisSessionStore({ client, prefix: 'sealed:', secret: new Uint8Array(32).fill(byte) })
    await open(1).set(id, session, minute)
    const stored = await admin.getBuffer(Buffer.concat([Buffer.from('sealed:'), id]))
    expect(stored?.length).toBeGreaterThan(session.length)
    expect(stored?.toString('latin1')).not.toContain(secretText)
    expect(await open(1).get(id)).toEqual(session)
    expect(await open(2).get(id)).toBeUndefined()
    end()
  })

  it('gives nothing for a value that is longer than a session may be', async () => {
    for (const kind of kinds) {
      const { client, end } = await clients[kind]()
      await admin.set(Buffer.concat([Buffer.from('szmq:session:'), id]), Buffer.alloc(1_000_000))
      expect(await createRedisSessionStore({ client }).get(id)).toBeUndefined()
      end()
    }
  })

  it.each(kinds)('costs full handshakes, no hang, while the server of %s is silent, and serves again after', async (kind) => {
    const { client, end } = await clients[kind]()
    const problems: SessionStoreProblem[] = []
    const guard = guardSessionStore(createRedisSessionStore({ client }), {
      clock: systemClock,
      timeoutMs: 20,
      restAfterFailures: 3,
      restMinMs: 1,
      onProblem: (problem) => problems.push(problem),
    })
    await createRedisSessionStore({ client }).set(id, session, minute)
    server.pause()
    try {
      expect(await Promise.all([guard.get(id), guard.get(id), guard.get(id)])).toEqual([undefined, undefined, undefined])
    } finally {
      server.resume()
    }
    expect(guard.counters).toMatchObject({ slow: 3, resting: 1 })
    expect(problems.map((problem) => problem.kind)).toEqual(['slow', 'resting'])
    await expect.poll(() => guard.get(id), { interval: 5, timeout: 5_000 }).toEqual(session)
    end()
  })

  it.each(kinds)('tells the name of what Redis refuses by %s, and not what it was asked to store', async (kind) => {
    const { client, end } = await clients[kind]()
    const problems: SessionStoreProblem[] = []
    const guard = guardSessionStore(createRedisSessionStore({ client }), {
      clock: systemClock,
      timeoutMs: 5_000,
      onProblem: (problem) => problems.push(problem),
    })
    await admin.config('SET', 'maxmemory', '1')
    try {
      guard.set(id, session, minute)
      await guard[Symbol.asyncDispose]()
    } finally {
      await admin.config('SET', 'maxmemory', '0')
    }
    expect(problems).toMatchObject([{ kind: 'failed', operation: 'set', detail: expect.stringMatching(/^\w+ OOM$/) }])
    expect(inspect([guard, problems], { depth: 9, showHidden: true })).not.toContain(secretText)
    end()
  })

  it('refuses a client that is none', () => {
    const create = (): SessionStore => createRedisSessionStore({ client: {} as unknown as RedisClient })
    expect(create).toThrow(SzmqError)
    expect(create).toThrow(/"ioredis" or of "redis"/)
  })
})
