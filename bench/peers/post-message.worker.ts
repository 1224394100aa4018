import { parentPort, workerData, type MessagePort } from 'node:worker_threads'
import type { Message } from '../payload.ts'
import type { Answer, Command } from '../protocol.ts'
import { Receiver } from '../receiver.ts'

const data = workerData as MessagePort
const answer = (what: Answer): void => parentPort?.postMessage(what)
const receiver = new Receiver(answer, (message) => {
  data.postMessage(message)
})
data.on('message', (message: Message) => {
  receiver.handle(message)
})
parentPort?.on('message', (command: Command) => {
  receiver.obey(command)
})
answer({ kind: 'up' })
