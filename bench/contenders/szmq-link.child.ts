import { once } from 'node:events'
import { startSystem, type NodeCredentials } from 'szmq'
import { Target } from './szmq-actors.ts'

// Never outlives its parent: the channel closes with it, however it ended.
process.on('disconnect', () => process.exit(0))

const [tls] = (await once(process, 'message')) as [NodeCredentials]
const system = await startSystem({ name: 'bench', node: { listen: 'tcp://127.0.0.1:*', tls } })
system.spawn(Target, 'target')
process.send?.(`${system.address}/target`)
