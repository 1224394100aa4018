import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createGnutlsEngineFactory } from '../../src/security/gnutls-engine.driver.ts'
import { createOpensslEngineFactory } from '../../src/security/openssl-engine.driver.ts'
import { ClientSessions } from '../../src/security/resumption/client-sessions.ts'
import { guardSessionStore } from '../../src/security/resumption/guarded-session-store.ts'
import { createRedisSessionStore } from '../../src/security/resumption/redis-session-store.driver.ts'
import type { SessionStore } from '../../src/security/resumption/session-store.ts'
import { openSqliteSessionStore } from '../../src/security/resumption/sqlite-session-store.driver.ts'
import type { TlsEngineFactory } from '../../src/security/tls-engine.ts'
import type { TlsOptions } from '../../src/security/tls-options.ts'
import { systemClock } from '../../src/shared/system-clock.driver.ts'
import { EnginePair } from '../contract/engine-pair.ts'
import { createTestPki, type TestPki } from '../contract/test-pki.ts'
import { RedisServer } from '../support/redis-server.ts'

let pki: TestPki
let folder: string
beforeAll(async () => {
  pki = await createTestPki()
  folder = await mkdtemp(join(tmpdir(), 'szmq-resumption-'))
})
afterAll(() => rm(folder, { recursive: true }))

const ENGINES: readonly (readonly [string, (options: TlsOptions) => TlsEngineFactory])[] = [
  ['openssl', createOpensslEngineFactory],
  ['gnutls', createGnutlsEngineFactory],
]

describe.each(ENGINES)('a database of TLS 1.2 sessions behind the %s engine', (name, make) => {
  const sessions = new ClientSessions({ clock: systemClock })

  /** A server of its own each time, and the same client. @returns was the session resumed? */
  async function meet(store: SessionStore, serverName: string): Promise<boolean> {
    const guarded = guardSessionStore(store, { clock: systemClock, timeoutMs: 5_000 })
    const shared = { maxVersion: 'TLSv1.2' } as const
    const pair = new EnginePair({
      client: make({ role: 'client', credentials: pki.nodeA, serverName, resumption: { sessions }, ...shared }),
      server: make({ role: 'server', credentials: pki.nodeB, resumption: { store: guarded, ticketKeys: false }, ...shared }),
    })
    pair.start()
    const [client, server] = await Promise.all([pair.client.untilSecure(), pair.server.untilSecure()])
    expect(client.peer.subject).toBe('node-b')
    expect(server.peer.subject).toBe('node-a')
    expect(client.isResumed).toBe(server.isResumed)
    pair.client.engine.close()
    await pair.server.until('peer.closeNotify')
    pair.destroy()
    await guarded[Symbol.asyncDispose]()
    return server.isResumed
  }

  it('in an SQLite file survives the restart of its server', async () => {
    const file = join(folder, `${name}.sqlite`)
    const resumed: boolean[] = []
    for (let start = 0; start < 3; start += 1) {
      const store = await openSqliteSessionStore({ file })
      resumed.push(await meet(store, 'node-b'))
      await store[Symbol.asyncDispose]?.()
    }
    expect(resumed).toEqual([false, true, true])
  })

  it('in Redis serves several servers, and means full handshakes once it is gone', async () => {
    const server = await RedisServer.start()
    const clients = [0, 1].map(() => new Redis({ path: server.socketPath, maxRetriesPerRequest: 0, retryStrategy: () => null }))
    for (const client of clients) client.on('error', () => {})
    const stores = clients.map((client) => createRedisSessionStore({ client, prefix: `${name}:` }))
    const resumed: boolean[] = []
    for (const store of [...stores, ...stores]) resumed.push(await meet(store, 'localhost'))
    expect(resumed).toEqual([false, true, true, true])
    await server[Symbol.asyncDispose]()
    for (const store of stores) expect(await meet(store, 'localhost')).toBe(false)
    for (const client of clients) client.disconnect()
  })
})
