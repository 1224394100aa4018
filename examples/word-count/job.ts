import type { ActorRef, ActorSystem } from 'szmq'
import { Counter, Reader, type Outcome } from './actors.ts'

/** Files under way at once, for each reader. */
const FILES_PER_READER = 2
const READERS_PER_THREAD = 8

export type Fault = 'worker-throws' | 'node-killed'

export interface Tally {
  readonly counts: ReadonlyMap<string, number>
  readonly files: number
  readonly bytes: number
  readonly words: number
  readonly binary: number
  readonly unreadable: readonly { readonly path: string; readonly reason: string }[]
  readonly ms: number
}

type CounterRef = ActorRef<(typeof Counter)['protocol']>
type ReaderRef = ActorRef<(typeof Reader)['protocol']>

/** Counts `files` with readers on our threads and counters on ours and, at `remoteAddresses`, on the other node's. */
export async function countWithActors(
  system: ActorSystem,
  files: readonly string[],
  {
    remoteAddresses,
    onProgress,
    fault,
    killSecondNode,
  }: {
    readonly remoteAddresses: readonly string[]
    readonly onProgress: (filesDone: number) => void
    readonly fault: Fault | undefined
    readonly killSecondNode: () => void
  },
): Promise<Tally> {
  const startedAt = performance.now()
  const threads = Array.from({ length: system.threads }, (_, at) => at + 1)
  const local = threads.map((thread) => system.spawn(Counter, `counter-${thread}`, { thread }))
  const remote = await Promise.all(remoteAddresses.map((address) => system.resolve(Counter, address)))
  const counters: readonly CounterRef[] = [...local, ...remote]
  const readers = threads.flatMap((thread) =>
    Array.from({ length: READERS_PER_THREAD }, (_, at) => system.spawn(Reader, `reader-${thread}.${at + 1}`, { thread })),
  )
  readers.forEach((reader, at) => {
    // Each reader begins with another counter, so that the first files do not all meet at the same one.
    for (let step = 0; step < counters.length; step += 1)
      reader.tell.dealTo(counters[(at + step) % counters.length] as CounterRef)
  })

  const tally = { files: 0, bytes: 0, words: 0, binary: 0, unreadable: [] as { path: string; reason: string }[] }
  const queue = files.values()
  let done = 0
  const note = (path: string, outcome: Outcome): void => {
    done += 1
    if (outcome.kind === 'counted') {
      tally.files += 1
      tally.bytes += outcome.bytes
      tally.words += outcome.words
    } else if (outcome.kind === 'binary') tally.binary += 1
    else tally.unreadable.push({ path, reason: outcome.reason })
    onProgress(done)
    if (done === Math.ceil(files.length / 4)) {
      if (fault === 'worker-throws') readers[0]?.tell.throwOnThread('a fault that you asked for')
      else if (fault === 'node-killed') killSecondNode()
    }
  }
  const feed = async (reader: ReaderRef): Promise<void> => {
    // One iterator for all: each file is read once, by whoever is free.
    for (const path of queue) note(path, await reader.ask.read(path))
  }
  await Promise.all(readers.flatMap((reader) => Array.from({ length: FILES_PER_READER }, () => feed(reader))))

  const counts = new Map<string, number>()
  for (const counter of counters) await addTotals(counter, counts)
  return { ...tally, counts, ms: performance.now() - startedAt }
}

async function addTotals(counter: CounterRef, counts: Map<string, number>): Promise<void> {
  for (let page = 0; ; page += 1) {
    const entries = await counter.ask.totals(page)
    if (entries.length === 0) return
    for (const [word, count] of entries) counts.set(word, (counts.get(word) ?? 0) + count)
  }
}
