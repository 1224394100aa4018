import { randomUUID } from 'node:crypto'
import { link, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { SzmqError } from '../../shared/errors.ts'

/** A process holds the lock for a fraction of a second. One that is older was left behind by a process that died elsewhere. */
const STALE_LOCK_MS = 10_000
const LOCK_DEADLINE_MS = 20_000
const LOCK_POLL_MS = 20

/**
 * Runs `work` while no other process, and nobody else in this one, works on `folder`, which must exist. The lock is a file `.lock` in it;
 * that of a process that died is taken over, at once on this host and after 10 s from another one.
 *
 * @throws ERR_SZMQ_BAD_CREDENTIALS if the lock is not to be had within 20 s; else what `work` throws, or the file system.
 */
export async function withFolderLock<T>(folder: string, work: () => Promise<T>): Promise<T> {
  const lock = join(folder, '.lock')
  const mine = await takeLock(lock)
  try {
    return await work()
  } finally {
    if ((await readIfThere(lock)) === mine) await rm(lock, { force: true })
  }
}

/** @returns what stands in the lock while it is ours. */
async function takeLock(lock: string): Promise<string> {
  const mine = `${process.pid} ${hostname()} ${randomUUID()}\n`
  const deadline = Date.now() + LOCK_DEADLINE_MS
  for (;;) {
    if (await tryLock(lock, mine)) return mine
    const holder = await findStale(lock)
    if (holder !== undefined) await dropLock(lock, holder)
    else if (Date.now() > deadline) {
      const text = `another process holds ${lock} for more than ${LOCK_DEADLINE_MS} ms: remove the file if no such process runs`
      throw new SzmqError('ERR_SZMQ_BAD_CREDENTIALS', text)
    } else await sleep(LOCK_POLL_MS)
  }
}

/** The lock appears with its holder in it, at once: one that is found empty would tell nobody whether its holder lives. */
async function tryLock(lock: string, mine: string): Promise<boolean> {
  const aside = `${lock}.${randomUUID()}.tmp`
  await writeFile(aside, mine, { flag: 'wx', mode: 0o600 })
  try {
    await link(aside, lock)
    return true
  } catch (error) {
    // Whoever holds the lock clears the folder: what stood aside may be gone.
    if (hasCode(error, 'EEXIST') || hasCode(error, 'ENOENT')) return false
    if (!hasNoLinks(error)) throw error
  } finally {
    await rm(aside, { force: true })
  }
  return tryLockWithoutLinks(lock, mine)
}

async function tryLockWithoutLinks(lock: string, mine: string): Promise<boolean> {
  try {
    await writeFile(lock, mine, { flag: 'wx', mode: 0o600 })
    return true
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false
    throw error
  }
}

/** @returns what stands in a lock that nobody can be holding any more. */
async function findStale(lock: string): Promise<string | undefined> {
  const holder = await readIfThere(lock)
  if (holder === undefined) return undefined
  const [pid, host] = holder.trim().split(' ')
  if (pid !== undefined && host === hostname() && !isAlive(Number(pid))) return holder
  try {
    return Date.now() - (await stat(lock)).mtimeMs > STALE_LOCK_MS ? holder : undefined
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined
    throw error
  }
}

/** Two may find the same dead holder: who moves the lock away first wins, and a living lock that was moved by mistake is put back. */
async function dropLock(lock: string, holder: string): Promise<void> {
  const aside = `${lock}.${randomUUID()}.tmp`
  try {
    await rename(lock, aside)
    if ((await readFile(aside, 'utf8')) !== holder) await link(aside, lock)
  } catch (error) {
    if (!hasCode(error, 'ENOENT') && !hasCode(error, 'EEXIST')) throw error
  }
  await rm(aside, { force: true })
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return hasCode(error, 'EPERM')
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined
    throw error
  }
}

/** Some file systems, such as exFAT, know no second name of a file. */
function hasNoLinks(error: unknown): boolean {
  return ['EPERM', 'ENOTSUP', 'ENOSYS', 'EOPNOTSUPP'].some((code) => hasCode(error, code))
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
