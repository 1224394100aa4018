import { startSystem, type NodeOptions } from '../../src/index.ts'

/** A node that listens in a process of its own, for tests that may end it. Ends with its parent. */

process.once('disconnect', () => process.exit(0))
process.once('message', (node: NodeOptions) => void start(node))

async function start(node: NodeOptions): Promise<void> {
  const system = await startSystem({ name: 'shop', node, onEvent: () => {} })
  process.send?.(system.address)
}
