import { watch, type FSWatcher } from 'node:fs'
import { lstat, readlink, stat } from 'node:fs/promises'
import { dirname, join, parse, resolve, sep } from 'node:path'

/** A path that passes through more symbolic links is looked at no further (Linux itself follows 40). */
const MAX_LINKS = 40

/**
 * Notices changes on the way to some files: of the files themselves, and of each symbolic link that leads to them, wherever it lies. Folders are
 * watched, not files, for a file that was replaced by renaming another over it is heard of no more. May miss changes (network file systems,
 * a folder that was itself replaced) and may report too many: look again now and then. Never keeps the process alive.
 */
export class WatchedFolders {
  readonly #onChange: () => void
  /** By folder and its inode, so that a folder that was replaced is watched anew. */
  #watchers = new Map<string, FSWatcher>()
  #isClosed = false

  constructor(onChange: () => void) {
    this.#onChange = onChange
  }

  /** Watches what leads to `paths` as of now, and no more what did before. */
  async follow(paths: readonly string[]): Promise<void> {
    const folders = new Map<string, Set<string>>()
    for (const path of paths) {
      for (const place of await findPlaces(path)) {
        const folder = dirname(place)
        folders.set(folder, (folders.get(folder) ?? new Set()).add(parse(place).base))
      }
    }
    const wanted = new Map<string, FSWatcher>()
    for (const [folder, names] of folders) {
      const key = await keyOf(folder, names)
      if (key === undefined || this.#isClosed) continue
      const watcher = this.#watchers.get(key) ?? this.#watch(folder, names)
      if (watcher !== undefined) wanted.set(key, watcher)
    }
    if (this.#isClosed) return
    for (const [key, watcher] of this.#watchers) if (wanted.get(key) !== watcher) watcher.close()
    this.#watchers = wanted
  }

  close(): void {
    this.#isClosed = true
    for (const watcher of this.#watchers.values()) watcher.close()
    this.#watchers.clear()
  }

  /** @returns undefined where the system cannot watch, or has no watches left. */
  #watch(folder: string, names: ReadonlySet<string>): FSWatcher | undefined {
    try {
      const watcher = watch(folder, { persistent: false }, (_event, name) => {
        if (name === null || names.has(name) || name === parse(folder).base) this.#onChange()
      })
      watcher.on('error', () => {
        watcher.close()
        for (const [key, each] of this.#watchers) if (each === watcher) this.#watchers.delete(key)
      })
      return watcher
    } catch {
      return undefined
    }
  }
}

async function keyOf(folder: string, names: ReadonlySet<string>): Promise<string | undefined> {
  try {
    const { dev, ino } = await stat(folder)
    return JSON.stringify([folder, dev, ino, ...[...names].toSorted()])
  } catch {
    return undefined
  }
}

/** Where something stands that decides what `path` leads to: each symbolic link on the way, and the file at the end. */
async function findPlaces(path: string): Promise<readonly string[]> {
  const places = new Set<string>()
  let [at, rest] = split(resolve(path))
  for (let links = 0; rest.length > 0 && links <= MAX_LINKS;) {
    const [name = '', ...further] = rest
    const place = join(at, name)
    const target = await linkTarget(place)
    if (target === undefined) {
      if (further.length === 0) places.add(place)
      at = place
      rest = further
    } else {
      places.add(place)
      links += 1
      const [root, names] = split(resolve(at, target))
      at = root
      rest = [...names, ...further]
    }
  }
  return [...places]
}

function split(absolute: string): [root: string, names: readonly string[]] {
  const { root } = parse(absolute)
  return [
    root,
    absolute
      .slice(root.length)
      .split(sep)
      .filter((name) => name !== ''),
  ]
}

async function linkTarget(place: string): Promise<string | undefined> {
  try {
    return (await lstat(place)).isSymbolicLink() ? await readlink(place) : undefined
  } catch {
    return undefined
  }
}
