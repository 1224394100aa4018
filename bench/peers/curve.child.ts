import { once } from 'node:events'
import { Pull, Push } from 'zeromq'
import { decode, encode } from '../encoding.ts'
import type { Answer, Command } from '../protocol.ts'
import { Receiver } from '../receiver.ts'
import { CURVE_QUEUE, type CurveKeys } from './curve-options.ts'

// Never outlives its parent: the channel closes with it, however it ended.
process.on('disconnect', () => process.exit(0))

const [{ server }] = (await once(process, 'message')) as [CurveKeys]
const security = { curveServer: true, curveSecretKey: server.secretKey }
const pull = new Pull({ receiveHighWaterMark: CURVE_QUEUE.sendHighWaterMark, linger: 0, ...security })
const push = new Push({ ...CURVE_QUEUE, ...security })
await pull.bind('tcp://127.0.0.1:*')
await push.bind('tcp://127.0.0.1:*')

const answer = (what: Answer): void => {
  process.send?.(what)
}
const receiver = new Receiver(answer, (message) => {
  void push.send(encode(message))
})
process.on('message', (command: Command) => {
  receiver.obey(command)
})
answer({ kind: 'up', endpoint: pull.lastEndpoint ?? '', answers: push.lastEndpoint ?? '' })
for await (const [frame] of pull) receiver.handle(decode(frame as Uint8Array))
