import { MessageChannel, Worker } from 'node:worker_threads'
import type { Contender, Session } from '../contender.ts'
import type { Message } from '../payload.ts'
import type { Answer } from '../protocol.ts'
import { Sender } from '../sender.ts'

export const postMessage: Contender = {
  name: 'postMessage',
  about: 'one port.postMessage(message) a message to a worker thread, payload cloned',
  setup: openSession,
}

function openSession(): Promise<Session> {
  const { port1: port, port2 } = new MessageChannel()
  const worker = new Worker(new URL('./post-message.worker.js', import.meta.url), { workerData: port2, transferList: [port2] })
  const sender = new Sender({
    command: (command) => {
      worker.postMessage(command)
    },
    send: (message) => {
      port.postMessage(message)
    },
    async close() {
      port.close()
      await worker.terminate()
    },
  })
  port.on('message', (message: Message) => {
    sender.echoed(message)
  })
  return new Promise((resolve, reject) => {
    worker.on('error', reject)
    worker.on('message', (answer: Answer) => {
      sender.answered(answer)
      if (answer.kind === 'up') resolve(sender)
    })
  })
}
