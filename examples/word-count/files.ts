import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { countWords, looksBinary } from './words.ts'

/** What the user did wrong, or what cannot be helped: its text is for him, and needs no stack. */
export class JobError extends Error {
  readonly exitCode: number
  constructor(message: string, exitCode = 1) {
    super(message)
    this.exitCode = exitCode
  }
}

/**
 * Files below `folder`, in a stable order. What is no regular file, and folders that cannot be read, are handed to `onUnreadable`.
 */
export async function listFiles(
  folder: string,
  {
    extensions,
    onUnreadable,
  }: { readonly extensions?: readonly string[]; readonly onUnreadable: (path: string, reason: string) => void },
): Promise<readonly string[]> {
  const isFolder = await stat(folder).then(
    (entry) => entry.isDirectory(),
    () => undefined,
  )
  if (isFolder === undefined)
    throw new JobError(`there is no folder ${folder}: give one that exists, as in npm start -- docs`, 2)
  if (!isFolder) throw new JobError(`${folder} is not a folder: give the folder that it is in`, 2)
  const files: string[] = []
  const folders = [folder]
  for (let next = folders.pop(); next !== undefined; next = folders.pop()) {
    let entries
    try {
      entries = await readdir(next, { withFileTypes: true })
    } catch (error) {
      onUnreadable(next, error instanceof Error ? error.message : String(error))
      continue
    }
    for (const entry of entries) {
      const path = join(next, entry.name)
      if (entry.isDirectory()) folders.push(path)
      else if (extensions !== undefined && !extensions.some((extension) => entry.name.endsWith(extension))) continue
      else if (entry.isFile()) files.push(path)
      else onUnreadable(path, entry.isSymbolicLink() ? 'a symbolic link, not followed' : 'not a regular file')
    }
  }
  return files.sort()
}

/** The same count in one plain loop, without actors: for `--verify`. */
export async function countPlainly(files: readonly string[]): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>()
  const decoder = new TextDecoder()
  for (const path of files) {
    const bytes = await readFile(path).catch(() => undefined)
    if (bytes !== undefined && !looksBinary(bytes)) countWords(decoder.decode(bytes), counts)
  }
  return counts
}
