import { randomUUID } from 'node:crypto'
import { open, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'

/** A file to be. */
export interface WholeFile {
  readonly path: string
  readonly text: string
  /** For its owner only, whatever the umask. Others are as readable as the umask lets them be, and always by their owner. */
  readonly isSecret: boolean
}

/** What {@link writeWholeFiles} leaves behind when its process is killed. */
const ASIDE = /\.[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.tmp$/

/**
 * Writes files that appear whole or not at all, in the order given, over what was there. All are on the disk under other names before
 * the first one appears, so that little can go wrong between the first and the last; yet a process killed there leaves only the first.
 */
export async function writeWholeFiles(files: readonly WholeFile[]): Promise<void> {
  const staged = files.map((file) => ({ ...file, aside: `${file.path}.${randomUUID()}.tmp` }))
  try {
    for (const file of staged) await writeAside(file)
    for (const { aside, path } of staged) await rename(aside, path)
  } catch (error) {
    for (const { aside } of staged) await rm(aside, { force: true })
    throw error
  }
}

/** Removes what killed processes left in `folder`. Only under the lock of the folder: else it may be another's work of this moment. */
export async function removeLeftovers(folder: string): Promise<void> {
  const names = await readdir(folder)
  for (const name of names.filter((found) => ASIDE.test(found))) await rm(join(folder, name), { force: true })
}

async function writeAside({ aside, text, isSecret }: WholeFile & { readonly aside: string }): Promise<void> {
  const handle = await open(aside, 'wx', isSecret ? 0o600 : 0o644)
  try {
    await handle.chmod(isSecret ? 0o600 : ((await handle.stat()).mode & 0o777) | 0o600)
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
}
