import { startSystem, type NodeCredentials } from '../../src/index.ts'
import { Counter } from './actors/counter.ts'

/** A node in a process of its own, for tests that kill it. Ends with its parent. */

process.once('disconnect', () => process.exit(0))
process.once('message', (tls: NodeCredentials) => void start(tls))

async function start(tls: NodeCredentials): Promise<void> {
  const system = await startSystem({ name: 'shop', threads: 1, node: { name: 'b', listen: 'tcp://127.0.0.1:*', tls } })
  system.spawn(Counter, 'here')
  system.spawn(Counter, 'there', { thread: 1 })
  process.send?.(system.address)
}
