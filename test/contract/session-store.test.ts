import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createMemorySessionStore } from '../../src/security/resumption/memory-session-store.ts'
import { openSqliteSessionStore } from '../../src/security/resumption/sqlite-session-store.driver.ts'
import { FakeClock } from '../../src/testing/fake-clock.ts'
import { describeSessionStoreContract, type StoreUnderTest } from './session-store.contract.ts'

describeSessionStoreContract('memory', async () => {
  const clock = new FakeClock()
  return { store: createMemorySessionStore({ clock }), pass: async (ms) => clock.advance(ms) }
})

describeSessionStoreContract('sqlite', () => openSqlite())
describeSessionStoreContract('sqlite, encrypted', () => openSqlite(new Uint8Array(32).fill(7)))

async function openSqlite(secret?: Uint8Array): Promise<StoreUnderTest> {
  const folder = await mkdtemp(join(tmpdir(), 'szmq-sessions-'))
  const clock = new FakeClock()
  const store = await openSqliteSessionStore({
    file: join(folder, 'sessions.db'),
    now: () => clock.now(),
    ...(secret === undefined ? {} : { secret }),
  })
  const end = async (): Promise<void> => {
    await store[Symbol.asyncDispose]()
    await rm(folder, { recursive: true })
  }
  return { store, pass: async (ms) => clock.advance(ms), end }
}
