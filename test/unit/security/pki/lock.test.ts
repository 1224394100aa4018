import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { withFolderLock } from '../../../../src/security/files/folder-lock.driver.ts'
import { removeLeftovers, writeWholeFiles } from '../../../../src/security/files/whole-files.driver.ts'

let folder: string
let lock: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'szmq-lock-'))
  lock = join(folder, '.lock')
})
afterEach(() => rm(folder, { recursive: true }))

describe('the lock of a folder', () => {
  it('lets one in at a time, and leaves nothing behind', async () => {
    let [inside, most] = [0, 0]
    const work = async (): Promise<void> => {
      most = Math.max(most, (inside += 1))
      await readdir(folder)
      inside -= 1
    }
    await Promise.all(Array.from({ length: 8 }, () => withFolderLock(folder, work)))
    expect(most).toBe(1)
    expect(await readdir(folder)).toEqual([])
  })

  it('is free again when the work fails', async () => {
    await expect(withFolderLock(folder, () => Promise.reject(new Error('x')))).rejects.toThrow('x')
    expect(await withFolderLock(folder, () => Promise.resolve(1))).toBe(1)
  })

  it('of a process of this host that died is free at once', async () => {
    const child = execFile(process.execPath, ['-e', ''])
    await once(child, 'exit')
    await writeFile(lock, `${child.pid ?? 0} ${hostname()} x\n`)
    expect(await withFolderLock(folder, () => Promise.resolve(1))).toBe(1)
  })

  it('of another host is free when it is old', async () => {
    await writeFile(lock, '1 elsewhere x\n')
    const old = new Date(Date.now() - 60_000)
    await utimes(lock, old, old)
    expect(await withFolderLock(folder, () => Promise.resolve(1))).toBe(1)
  })

  it('is not taken from its owner by one who lost it', async () => {
    await withFolderLock(folder, () => writeFile(lock, 'another'))
    expect(await readFile(lock, 'utf8')).toBe('another')
  })
})

describe('whole files', () => {
  it('leave nothing at all when one of them cannot be written', async () => {
    const files = ['a', 'nowhere/b'].map((name) => ({ path: join(folder, name), text: name, isSecret: false }))
    await expect(writeWholeFiles(files)).rejects.toMatchObject({ code: 'ENOENT' })
    expect(await readdir(folder)).toEqual([])
  })

  it('that a killed process left aside are cleared, and nothing else', async () => {
    await writeFile(join(folder, 'a.key.0b0f9a3e-3c7f-4d0e-9f57-0d6a3a5e0c11.tmp'), '')
    await writeFile(join(folder, 'notes.tmp'), '')
    await removeLeftovers(folder)
    expect(await readdir(folder)).toEqual(['notes.tmp'])
  })
})
