import { parentPort, workerData } from 'node:worker_threads'
import { decode, encode } from '../encoding.ts'
import type { Answer, Command } from '../protocol.ts'
import { Receiver } from '../receiver.ts'
import { DoorbellPair, type Bells } from './doorbell-pair.ts'

const { address, bells } = workerData as { readonly address: string; readonly bells: Bells }
const pair = new DoorbellPair(bells)
pair.connect(address)
process.on('exit', () => {
  pair.close()
})
const answer = (what: Answer): void => parentPort?.postMessage(what)
const receiver = new Receiver(answer, (message) => {
  pair.send(encode(message))
  pair.ring()
})
void pair.receiveAll((frame) => {
  receiver.handle(decode(frame))
})
parentPort?.on('message', (command: Command) => {
  receiver.obey(command)
})
answer({ kind: 'up' })
