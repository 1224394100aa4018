import { parentPort, workerData } from 'node:worker_threads'
import { Board, type BoardShare } from '../../../src/transport/board.ts'
import { Doorbell } from '../../../src/transport/doorbell.driver.ts'
import { Mesh } from '../../../src/transport/mesh.ts'
import { openPair } from '../../../src/transport/zmq.driver.ts'
import { Sink, Source } from './traffic.ts'

/** One thread of the crowd: floods every other thread and checks what comes, until something ends it. */
export interface CrowdShare {
  readonly system: string
  readonly self: number
  readonly board: BoardShare
}

/** Joins the crowd. `batches` are those that came from each thread. */
export function joinCrowd(
  { system, self, board: share }: CrowdShare,
  listener: { readonly onBatch?: (from: number, sink: Sink) => void; readonly onLost?: (slot: number) => void } = {},
): { readonly mesh: Mesh; readonly sinks: ReadonlyMap<number, Sink> } {
  const board = new Board(share)
  const others = Array.from({ length: share.slots }, (_, slot) => slot).filter((slot) => slot !== self)
  const sinks = new Map(others.map((slot) => [slot, new Sink()]))
  const sources = new Map(others.map((slot) => [slot, new Source(() => mesh, slot)]))
  const flow = (to: number): void => {
    if (mesh.isLost(to) || isClosed()) return
    if (sources.get(to)?.flow() === true) setImmediate(flow, to)
  }
  const isClosed = (): boolean => board.lifeOf(self) === 'lost'
  const mesh: Mesh = new Mesh({
    self,
    system,
    board,
    doorbell: new Doorbell(board, self),
    openPair,
    listener: {
      mayTake: () => true,
      onBatch: (from, batch) => {
        const sink = sinks.get(from)
        sink?.take(batch)
        if (sink !== undefined) listener.onBatch?.(from, sink)
      },
      onRoom: flow,
      onLost: (slot) => listener.onLost?.(slot),
    },
  })
  mesh.start()
  for (const to of others) flow(to)
  return { mesh, sinks }
}

if (parentPort !== null) {
  const { mesh } = joinCrowd(workerData as CrowdShare)
  process.on('exit', () => {
    mesh.close()
  })
  parentPort.on('message', (order: 'throw' | 'exit') => {
    if (order === 'throw') throw new Error('thrown as ordered')
    process.exit(3)
  })
}
