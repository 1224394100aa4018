import { openSqliteSessionStore } from '../../src/security/resumption/sqlite-session-store.driver.ts'

/** A process that opens the store of file `argv[2]` and keeps `argv[4]` sessions under ids that begin with `argv[3]`, as fast as it can. */

const [, , file = '', name = '', count = '0'] = process.argv
const store = await openSqliteSessionStore({ file, busyTimeoutMs: 5_000 })
for (let at = 0; at < Number(count); at += 1) {
  await store.set(Buffer.from(`${name} ${at}`), Buffer.alloc(500, at), { expiresInMs: 60_000 })
}
await store[Symbol.asyncDispose]()
