import { Worker } from 'node:worker_threads'
import { Board } from '../../../src/transport/board.ts'
import { churn } from './traffic.ts'
import { joinCrowd, type CrowdShare } from './thread.ts'

/**
 * Run in a process of its own, with --expose-gc: starts crowds of threads that flood each other, ends the threads in the midst of it,
 * and holds on to what they sent. Reports over IPC, and exits by itself with 0 if nothing broke. With `quit` as its second argument
 * it calls `process.exit(0)` instead when the first thread is due.
 */
const WAYS = ['terminate', 'throw', 'exit'] as const
const ROUNDS = Number(process.argv[2] ?? 3)
const QUITS = process.argv[3] === 'quit'
/** Each thread lives until the host has this many batches from it. */
const BATCHES_BEFORE_END = 60

export interface Report {
  readonly batches: number
  readonly bytes: number
  /** Losses heard of, in all rounds. */
  readonly losses: number
}

const LOADER = `import('tsx/esm/api').then(({ register }) => {
  register()
  return import(${JSON.stringify(new URL('./thread.ts', import.meta.url).href)})
})`

async function runRound(round: number): Promise<Report> {
  const board = Board.create(1 + WAYS.length)
  const system = `thread-death-${process.pid}-${round}`
  board.setLife(0, 'live')
  process.once('exit', () => {
    for (let slot = 1; slot < board.slots; slot += 1) board.bar(slot)
  })
  const workers = WAYS.map((_, at) => startThread({ system, self: at + 1, board: board.share }, board))
  const ended = new Set<number>()
  let losses = 0
  let onAllLost = (): void => {}
  const allLost = new Promise<void>((resolve) => {
    onAllLost = resolve
  })
  const { mesh, sinks } = joinCrowd(
    { system, self: 0, board: board.share },
    {
      onBatch: (from, { batches }) => {
        if (batches < BATCHES_BEFORE_END + 20 * from || ended.has(from)) return
        ended.add(from)
        if (QUITS) process.exit(0)
        const way = WAYS[from - 1]
        if (way === 'terminate') board.bar(from)
        end(workers[from - 1], way)
      },
      onLost: () => {
        losses += 1
        churn()
        for (const sink of sinks.values()) sink.verifyHeld()
        if (losses === WAYS.length) onAllLost()
      },
    },
  )
  await allLost
  board.setLife(0, 'lost')
  mesh.close()
  churn()
  let batches = 0
  let bytes = 0
  for (const sink of sinks.values()) {
    sink.verifyHeld()
    batches += sink.batches
    bytes += sink.bytes
  }
  return { batches, bytes, losses }
}

function startThread(share: CrowdShare, board: Board): Worker {
  const worker = new Worker(LOADER, { eval: true, workerData: share, execArgv: [] })
  board.setLife(share.self, 'live')
  worker.on('error', (error) => {
    // Ordered: anything else is a thread that found its batches changed.
    if (error.message !== 'thrown as ordered') throw error
  })
  worker.on('exit', () => {
    board.setLife(share.self, 'lost')
    board.ringAll()
  })
  return worker
}

function end(worker: Worker | undefined, way: (typeof WAYS)[number] | undefined): void {
  if (way === 'terminate') void worker?.terminate()
  else worker?.postMessage(way)
}

// Nothing else keeps this process alive between the end of the last thread and its bell.
const alive = setInterval(() => {}, 60_000)
const total = { batches: 0, bytes: 0, losses: 0 }
for (let round = 0; round < ROUNDS; round += 1) {
  const { batches, bytes, losses } = await runRound(round)
  total.batches += batches
  total.bytes += bytes
  total.losses += losses
}
clearInterval(alive)
process.send?.(total satisfies Report)
process.disconnect?.()
