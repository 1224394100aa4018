import { execFile } from 'node:child_process'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import Database from 'libsql'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { openSqliteSessionStore } from '../../../../src/security/resumption/sqlite-session-store.driver.ts'
import { SzmqError } from '../../../../src/shared/errors.ts'

const minute = { expiresInMs: 60_000 }
const id = Uint8Array.of(1, 2, 3)
const session = new TextEncoder().encode('the master secret')

let folder: string
let file: string
let files = 0
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'szmq-sqlite-'))
})
afterAll(() => rm(folder, { recursive: true }))
beforeEach(() => {
  files += 1
  file = join(folder, `${files}.db`)
})

/** What was thrown, as code and text. */
async function problemOf(opening: Promise<unknown>): Promise<string> {
  const thrown = await opening.then(
    () => 'nothing',
    (error: unknown) => error,
  )
  return thrown instanceof SzmqError ? `${thrown.code} ${thrown.message}` : String(thrown)
}

describe('a session store in an SQLite file', () => {
  it('survives a restart', async () => {
    await using before = await openSqliteSessionStore({ file })
    await before.set(id, session, minute)
    await before[Symbol.asyncDispose]()
    await using after = await openSqliteSessionStore({ file })
    expect(await after.get(id)).toEqual(session)
  })

  it('expires while it is closed', async () => {
    let now = 1e12
    const open = (): ReturnType<typeof openSqliteSessionStore> => openSqliteSessionStore({ file, now: () => now })
    await using before = await open()
    await before.set(id, session, minute)
    await before[Symbol.asyncDispose]()
    now += 59_999
    await using inTime = await open()
    expect(await inTime.get(id)).toEqual(session)
    now += 1
    await using late = await open()
    expect(await late.get(id)).toBeUndefined()
  })

  it.runIf(process.platform !== 'win32')('is for its owner only, with the files beside it, also one that was not', async () => {
    await writeFile(file, '')
    await chmod(file, 0o666)
    await using store = await openSqliteSessionStore({ file })
    await store.set(id, session, minute)
    const names = (await readdir(folder)).filter((name) => name.startsWith(`${files}.db`))
    expect(names.length).toBe(3)
    for (const name of names) expect((await stat(join(folder, name))).mode & 0o777).toBe(0o600)
  })

  it('serves two stores on one file', async () => {
    await using one = await openSqliteSessionStore({ file })
    await using other = await openSqliteSessionStore({ file })
    await one.set(id, session, minute)
    expect(await other.get(id)).toEqual(session)
    await other.delete(id)
    expect(await one.get(id)).toBeUndefined()
  })

  it('serves three processes that make the file and write to it at once', async () => {
    const script = fileURLToPath(new URL('../../../support/session-writer-process.ts', import.meta.url))
    const run = (name: string): Promise<unknown> =>
      promisify(execFile)(process.execPath, ['--import', 'tsx', script, file, name, '100'], { timeout: 15_000 })
    await Promise.all(['a', 'b', 'c'].map(run))
    await using store = await openSqliteSessionStore({ file })
    for (const name of ['a', 'b', 'c']) {
      for (let at = 0; at < 100; at += 1) {
        expect(await store.get(Buffer.from(`${name} ${at}`))).toEqual(new Uint8Array(500).fill(at))
      }
    }
  })

  it('rejects when another process writes for longer than busyTimeoutMs, and goes on after', async () => {
    await using store = await openSqliteSessionStore({ file, busyTimeoutMs: 1 })
    const other = new Database(file)
    other.exec('BEGIN IMMEDIATE')
    await expect(store.set(id, session, minute)).rejects.toMatchObject({ code: 'SQLITE_BUSY' })
    expect(await store.get(id)).toBeUndefined()
    other.exec('COMMIT')
    other.close()
    await store.set(id, session, minute)
    expect(await store.get(id)).toEqual(session)
  })

  it('drops what expired and what is too many, a batch at a time', async () => {
    let now = 1e12
    await using store = await openSqliteSessionStore({ file, maxSessions: 100, now: () => now })
    const count = (): unknown => new Database(file).prepare('SELECT count(*) AS rows FROM session').get([])
    const fill = async (name: string, rows: number): Promise<void> => {
      for (let at = 0; at < rows; at += 1) await store.set(Buffer.from(`${name} ${at}`), session, { expiresInMs: 1_000 + at })
    }
    await fill('a', 1_000)
    expect(count()).toMatchObject({ rows: expect.toSatisfy((rows: number) => rows >= 100 && rows <= 164) })
    expect(await store.get(Buffer.from('a 999'))).toEqual(session)
    expect(await store.get(Buffer.from('a 0'))).toBeUndefined()
    now += 10_000
    await fill('b', 64)
    expect(count()).toMatchObject({ rows: 64 })
  })

  it('writes no session in clear once it has a secret, and opens none under another', async () => {
    const open = (byte?: number): ReturnType<typeof openSqliteSessionStore> =>
      openSqliteSessionStore({ file, ...(byte === undefined ? {} : { secret: new Uint8Array(32).fill(byte) }) })
    await using sealing = await open(1)
    await sealing.set(id, session, minute)
    const bytes = await Promise.all([readFile(file), readFile(`${file}-wal`)])
    expect(Buffer.concat(bytes).toString('latin1')).not.toContain('the master secret')
    expect(await sealing.get(id)).toEqual(session)
    await using other = await open(2)
    expect(await other.get(id)).toBeUndefined()
  })

  it('gives nothing for a row that is no session', async () => {
    await using store = await openSqliteSessionStore({ file })
    const database = new Database(file)
    database.prepare('INSERT INTO session VALUES (?, zeroblob(1000000), ?)').run([id, Number.MAX_SAFE_INTEGER])
    expect(await store.get(id)).toBeUndefined()
    database.close()
  })

  it('rejects once it is disposed, as often as you like', async () => {
    const store = await openSqliteSessionStore({ file })
    await store[Symbol.asyncDispose]()
    await store[Symbol.asyncDispose]()
    await expect(store.get(id)).rejects.toMatchObject({ code: 'ERR_SZMQ_INVALID_STATE' })
  })
})

describe('opening a session store in an SQLite file', () => {
  it('names what it cannot use and what to do, and leaves it as it is', async () => {
    await writeFile(file, 'hello '.repeat(1_000))
    expect(await problemOf(openSqliteSessionStore({ file }))).toMatch(/^ERR_SZMQ_BAD_CREDENTIALS .*is no SQLite database: name/)
    expect((await readFile(file)).toString()).toBe('hello '.repeat(1_000))

    await mkdir(join(folder, 'a folder'), { recursive: true })
    expect(await problemOf(openSqliteSessionStore({ file: join(folder, 'a folder') }))).toMatch(/^ERR_SZMQ_BAD_CREDENTIALS/)
    expect(await problemOf(openSqliteSessionStore({ file: join(folder, 'none', 'a.db') }))).toMatch(/cannot be opened.*folder/)
  })

  it('refuses a database of something else, and leaves it as it is', async () => {
    const foreign = new Database(file)
    foreign.exec('CREATE TABLE orders (id INTEGER)')
    foreign.close()
    await chmod(file, 0o644)
    const before = await readFile(file)
    expect(await problemOf(openSqliteSessionStore({ file }))).toMatch(
      /BAD_CREDENTIALS .*a database of something else: name another/,
    )
    expect(await readFile(file)).toEqual(before)
    expect((await stat(file)).mode & 0o777).toBe(0o644)
  })

  it('refuses a database of another version', async () => {
    await using _store = await openSqliteSessionStore({ file })
    new Database(file).exec('PRAGMA user_version = 2')
    expect(await problemOf(openSqliteSessionStore({ file }))).toMatch(/has version 2, not 1: delete it/)
  })

  it('refuses a damaged one', async () => {
    await using store = await openSqliteSessionStore({ file })
    for (let at = 0; at < 100; at += 1) await store.set(Uint8Array.of(at), new Uint8Array(1_000).fill(at), minute)
    new Database(file).exec('PRAGMA wal_checkpoint(TRUNCATE)')
    const bytes = await readFile(file)
    const copy = join(folder, 'damaged.db')
    await writeFile(copy, Buffer.concat([bytes.subarray(0, 4_096), Buffer.alloc(bytes.length - 4_096, 0x5a)]))
    expect(await problemOf(openSqliteSessionStore({ file: copy }))).toMatch(
      /BAD_CREDENTIALS .*is damaged.*: delete it: only full/,
    )
  })

  it('takes no name for a remote database', async () => {
    expect(await problemOf(openSqliteSessionStore({ file: 'http://127.0.0.1:1/a.db' }))).toMatch(/cannot be opened for writing/)
  })

  it.each([{ maxSessions: 0 }, { busyTimeoutMs: Number.NaN }, { secret: new Uint8Array(31) }])(
    'refuses %o',
    async (options) => {
      expect(await problemOf(openSqliteSessionStore({ file, ...options }))).toMatch(/^ERR_SZMQ_INVALID_ARGUMENT/)
    },
  )

  it('says which package to install when it is missing', async () => {
    vi.doMock('libsql', () => {
      throw Object.assign(new Error("Cannot find package 'libsql'"), { code: 'ERR_MODULE_NOT_FOUND' })
    })
    expect(await problemOf(openSqliteSessionStore({ file }))).toMatch(/^ERR_SZMQ_ENGINE_UNAVAILABLE .*`npm install libsql`/)
    vi.doUnmock('libsql')
  })
})

// libsql ends the whole process (a Rust panic) when the only value of a statement is bytes outside of an array.
it('libsql takes bytes in an array, as the store gives them', () => {
  expect(createRequire(import.meta.url).resolve('libsql')).toContain('libsql')
  expect(new Database(':memory:').prepare('SELECT length(?) AS length').get([Uint8Array.of(1, 2)])).toMatchObject({ length: 2 })
})
