import { availableParallelism } from 'node:os'
import { startSystem } from 'szmq'
import { Counter } from './actors.ts'
import type { FromSecondNode, SecondNodeOptions } from './second-node-messages.ts'

/** The second node: a process of its own that only counts. Its parent tells it how, and it ends with its parent. */

const STOP_GRACE_MS = 1_000

const say = (message: FromSecondNode): void => {
  if (process.connected) process.send?.(message)
}

// The parent is done, or gone: either way nobody needs us.
let stop = (): void => process.exit()
process.once('disconnect', () => {
  stop()
})

process.once('message', (options: SecondNodeOptions) => {
  start(options).catch((error: unknown) => {
    say({ kind: 'failed', message: error instanceof Error ? error.message : String(error) })
    process.exitCode = 1
    process.disconnect()
  })
})

async function start({ tls, port, threads = availableParallelism() }: SecondNodeOptions): Promise<void> {
  const system = await startSystem({
    name: 'word-count',
    threads,
    node: { name: 'node-b', listen: `tcp://127.0.0.1:${port === 0 ? '*' : port}`, tls },
  })
  const paths = Array.from({ length: threads }, (_, at) => system.spawn(Counter, `counter-${at + 1}`, { thread: at + 1 }).path)
  say({ kind: 'listening', addresses: paths.map((path) => `${system.address}${path}`) })
  stop = () => {
    // A parent that was killed answers no bye: this process is not to wait for it long.
    setTimeout(() => process.exit(), STOP_GRACE_MS).unref()
    void system.stop()
  }
}
