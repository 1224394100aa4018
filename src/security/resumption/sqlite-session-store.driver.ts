import { chmodSync, constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { resolve } from 'node:path'
import { messageOf, SzmqError } from '../../shared/errors.ts'
import { systemRandom } from '../../shared/system-random.driver.ts'
import { resolveLimits } from '../limits.ts'
import { SEAL_BYTES, SessionCipher } from './session-cipher.ts'
import {
  DEFAULT_MAX_SESSION_BYTES,
  isSessionId,
  requireSession,
  type SessionStore,
  type SetSessionOptions,
} from './session-store.ts'

export interface SqliteSessionStoreLimits {
  /**
   * Beyond it the sessions that expire first go. Looked at in every 64th `set` of each process, so there may be that many more for a
   * while. Default 100 000.
   */
  readonly maxSessions: number
  /** `set` refuses a longer session with `ERR_SZMQ_LIMIT_EXCEEDED`; a longer one in the file is not read. Default 16 KiB. */
  readonly maxSessionBytes: number
  /**
   * How long a call may wait for another process that writes at that moment; then it rejects with `SQLITE_BUSY`. This thread does nothing
   * else meanwhile. Default 100.
   */
  readonly busyTimeoutMs: number
}

export const DEFAULT_SQLITE_SESSION_STORE_LIMITS: SqliteSessionStoreLimits = {
  maxSessions: 100_000,
  maxSessionBytes: DEFAULT_MAX_SESSION_BYTES,
  busyTimeoutMs: 100,
}

export interface SqliteSessionStoreOptions extends Partial<SqliteSessionStoreLimits> {
  /** Made if it does not exist; its folder must. It and its `-wal` and `-shm` get mode 0600. On a local disk, not a network drive. */
  readonly file: string
  /**
   * Encrypts the sessions (AES-256-GCM): at least 32 random bytes. The file's mode keeps other users out; this keeps out those who read
   * backups and disks, if it is kept elsewhere. Under another secret the old sessions are as if absent. Default: none.
   */
  readonly secret?: Uint8Array
  /** Milliseconds since 1970, as expiry must survive a restart. Default: this machine's clock. */
  readonly now?: () => number
}

/**
 * Sessions in an SQLite file: they survive a restart, and several processes of one machine may use the file at once (WAL). A call costs
 * some 10 to 300 µs of this thread. Losing the file loses nothing but time: delete it whenever no process has it open.
 *
 * @throws ERR_SZMQ_ENGINE_UNAVAILABLE when the package `libsql` is not there, ERR_SZMQ_BAD_CREDENTIALS when the file cannot be opened, is
 *   damaged, or is not a session database; ERR_SZMQ_INVALID_ARGUMENT for a limit or a secret that is none
 */
export async function openSqliteSessionStore({
  file,
  secret,
  now = Date.now,
  ...given
}: SqliteSessionStoreOptions): Promise<SessionStore & AsyncDisposable> {
  const limits = resolveLimits(DEFAULT_SQLITE_SESSION_STORE_LIMITS, given)
  const cipher = secret === undefined ? undefined : new SessionCipher(secret, systemRandom)
  const Library = await loadLibsql()
  // Absolute, for libsql takes what looks like a URL for a remote database.
  const path = resolve(file)
  await create(path)
  return new SqliteSessionStore(openDatabase(Library, path, limits.busyTimeoutMs), limits, cipher, now)
}

const SETS_PER_PURGE = 64
/** So many rows go in one statement, so that no other call waits long. More than {@link SETS_PER_PURGE}, so that the file shrinks. */
const PURGED_AT_ONCE = 256

class SqliteSessionStore implements SessionStore, AsyncDisposable {
  readonly #limits: SqliteSessionStoreLimits
  readonly #cipher: SessionCipher | undefined
  readonly #now: () => number
  #open: { readonly database: Database; readonly statements: Statements } | undefined
  #setsUntilPurge = 0

  constructor(database: Database, limits: SqliteSessionStoreLimits, cipher: SessionCipher | undefined, now: () => number) {
    this.#limits = limits
    this.#cipher = cipher
    this.#now = now
    this.#open = { database, statements: prepare(database) }
  }

  async get(id: Uint8Array): Promise<Uint8Array | undefined> {
    const { select } = this.#statements()
    if (!isSessionId(id)) return undefined
    const maxBytes = this.#limits.maxSessionBytes + (this.#cipher === undefined ? 0 : SEAL_BYTES)
    const row = select.get([id, this.#now(), maxBytes])
    const stored = isRow(row) ? row.session : undefined
    if (!(stored instanceof Uint8Array)) return undefined
    return this.#cipher === undefined ? new Uint8Array(stored) : this.#cipher.open(id, stored)
  }

  async set(id: Uint8Array, session: Uint8Array, options: SetSessionOptions): Promise<void> {
    const { upsert } = this.#statements()
    const lifetimeMs = requireSession(id, session, options, this.#limits.maxSessionBytes)
    const now = this.#now()
    const stored = this.#cipher === undefined ? session : this.#cipher.seal(id, session)
    upsert.run([id, stored, Math.ceil(now) + lifetimeMs])
    this.#purge(now)
  }

  async delete(id: Uint8Array): Promise<void> {
    this.#statements().remove.run([id])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#open?.database.close()
    this.#open = undefined
  }

  #statements(): Statements {
    if (this.#open !== undefined) return this.#open.statements
    throw new SzmqError('ERR_SZMQ_INVALID_STATE', 'the session store is disposed: open another one')
  }

  #purge(now: number): void {
    this.#setsUntilPurge -= 1
    if (this.#setsUntilPurge > 0) return
    this.#setsUntilPurge = SETS_PER_PURGE
    const { purgeExpired, purgeSurplus } = this.#statements()
    purgeExpired.run([now, PURGED_AT_ONCE])
    purgeSurplus.run([this.#limits.maxSessions, PURGED_AT_ONCE])
  }
}

/** "szmq" in the file's header says whose file it is. https://www.sqlite.org/pragma.html#pragma_application_id */
const APPLICATION_ID = 0x737a6d71
const SCHEMA_VERSION = 1
/** For making the tables: other processes may be at it too. */
const OPEN_TIMEOUT_MS = 5_000

const SCHEMA = `
  CREATE TABLE session (id BLOB PRIMARY KEY, session BLOB NOT NULL, expires_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE INDEX session_by_expiry ON session (expires_at);
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${SCHEMA_VERSION};
`

interface Statements {
  readonly select: Statement
  readonly upsert: Statement
  readonly remove: Statement
  readonly purgeExpired: Statement
  readonly purgeSurplus: Statement
}

function prepare(database: Database): Statements {
  return {
    select: database.prepare('SELECT session FROM session WHERE id = ? AND expires_at > ? AND length(session) <= ?'),
    upsert: database.prepare(
      'INSERT INTO session (id, session, expires_at) VALUES (?, ?, ?) ' +
        'ON CONFLICT (id) DO UPDATE SET session = excluded.session, expires_at = excluded.expires_at',
    ),
    remove: database.prepare('DELETE FROM session WHERE id = ?'),
    purgeExpired: database.prepare(
      'DELETE FROM session WHERE id IN (SELECT id FROM session WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)',
    ),
    purgeSurplus: database.prepare(
      'DELETE FROM session WHERE id IN (SELECT id FROM session ORDER BY expires_at ' +
        'LIMIT max(0, min((SELECT count(*) FROM session) - ?, ?)))',
    ),
  }
}

/** Makes the file, if there is none, for its owner only. SQLite gives the files beside it the same mode. */
async function create(path: string): Promise<void> {
  // Without waiting for the other end of what turns out to be a pipe.
  const flags = constants.O_RDWR | constants.O_CREAT | constants.O_NONBLOCK
  const handle = await open(path, flags, 0o600).catch((cause: unknown) => {
    throw unusable(path, `cannot be opened for writing (${messageOf(cause)})`, 'see that its folder exists and both are yours')
  })
  try {
    if (!(await handle.stat()).isFile()) throw unusable(path, 'is not a plain file', 'name another')
  } finally {
    await handle.close()
  }
}

function openDatabase(Library: Libsql, path: string, busyTimeoutMs: number): Database {
  let database: Database | undefined
  try {
    database = new Library(path)
    database.exec(`PRAGMA busy_timeout = ${OPEN_TIMEOUT_MS}`)
    claim(database, path)
    chmodSync(path, 0o600)
    const damage = readPragma(database, 'quick_check(1)')
    if (damage !== 'ok') throw unusable(path, `is damaged (${String(damage).replaceAll(/\s+/g, ' ')})`, DELETE_IT)
    // Secure delete: what was deleted is overwritten in the file.
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA secure_delete = ON')
    database.exec(`PRAGMA journal_size_limit = 4194304; PRAGMA busy_timeout = ${Math.ceil(busyTimeoutMs)}`)
    return database
  } catch (thrown) {
    database?.close()
    throw thrown instanceof SzmqError ? thrown : explain(path, thrown)
  }
}

/** Makes an empty file ours; changes nothing in one that is not. */
function claim(database: Database, path: string): void {
  database.exec('BEGIN IMMEDIATE')
  try {
    const owner = readPragma(database, 'application_id')
    const version = readPragma(database, 'user_version')
    const isEmpty = owner === 0 && database.prepare('SELECT 1 FROM sqlite_schema LIMIT 1').get([]) === undefined
    if (isEmpty) database.exec(SCHEMA)
    else if (owner !== APPLICATION_ID) throw unusable(path, 'is a database of something else', 'name another file')
    else if (version !== SCHEMA_VERSION) {
      throw unusable(path, `has version ${String(version)}, not ${SCHEMA_VERSION}`, 'delete it, or use the szmq that made it')
    }
    database.exec('COMMIT')
  } catch (thrown) {
    database.exec('ROLLBACK')
    throw thrown
  }
}

function readPragma(database: Database, name: string): unknown {
  const row = database.prepare(`PRAGMA ${name}`).get([])
  return typeof row === 'object' && row !== null ? Object.values(row)[0] : undefined
}

function isRow(row: unknown): row is { readonly session: unknown } {
  return typeof row === 'object' && row !== null && 'session' in row
}

const DELETE_IT = 'delete it: only full handshakes are lost'

function explain(path: string, thrown: unknown): SzmqError {
  const code = typeof thrown === 'object' && thrown !== null && 'code' in thrown ? String(thrown.code) : ''
  const detail = messageOf(thrown)
  if (code.startsWith('SQLITE_NOTADB')) return unusable(path, 'is no SQLite database', 'name another file, or delete it')
  if (code.startsWith('SQLITE_CORRUPT')) return unusable(path, `is damaged (${detail})`, DELETE_IT)
  if (code.startsWith('SQLITE_BUSY')) {
    return unusable(path, `was locked for ${OPEN_TIMEOUT_MS} ms by another process`, 'end that one, or name another file')
  }
  return unusable(path, `cannot be used (${detail})`, 'see that its disk has room and its folder is yours')
}

function unusable(path: string, seen: string, remedy: string): SzmqError {
  return new SzmqError('ERR_SZMQ_BAD_CREDENTIALS', `the session database ${path} ${seen}: ${remedy}`)
}

/** What is used of `libsql`. Values always go in one array: it ends the process when the only value is bytes outside of one. */
type Libsql = new (path: string) => Database

interface Database {
  prepare(sql: string): Statement
  exec(sql: string): unknown
  close(): unknown
}

interface Statement {
  run(values: readonly unknown[]): unknown
  get(values: readonly unknown[]): unknown
}

async function loadLibsql(): Promise<Libsql> {
  try {
    return (await import('libsql')).default
  } catch (cause) {
    throw new SzmqError(
      'ERR_SZMQ_ENGINE_UNAVAILABLE',
      'sessions in an SQLite file need the package "libsql", which cannot be loaded: run `npm install libsql`',
      { cause },
    )
  }
}
