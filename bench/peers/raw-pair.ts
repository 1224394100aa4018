import { Worker } from 'node:worker_threads'
import type { Contender, Session } from '../contender.ts'
import { decode, encode } from '../encoding.ts'
import type { Answer } from '../protocol.ts'
import { Sender } from '../sender.ts'
import { DoorbellPair, type Bells } from './doorbell-pair.ts'

const ADDRESS = 'inproc://szmq-bench-raw-pair'

export const rawPair: Contender = {
  name: 'raw PAIR',
  about: 'zeromq.js PAIR over inproc to a worker thread, one message a frame, with a doorbell',
  setup: openSession,
}

function openSession(): Promise<Session> {
  const shared = new SharedArrayBuffer(8)
  const pair = new DoorbellPair({ shared, own: 0 })
  pair.bind(ADDRESS)
  const worker = new Worker(new URL('./raw-pair.worker.js', import.meta.url), {
    workerData: { address: ADDRESS, bells: { shared, own: 1 } satisfies Bells },
  })
  const sender = new Sender({
    command: (command) => {
      worker.postMessage(command)
    },
    send: (message) => {
      pair.send(encode(message))
    },
    flush: () => {
      pair.ring()
    },
    async close() {
      await worker.terminate()
      pair.close()
    },
  })
  void pair.receiveAll((frame) => {
    sender.echoed(decode(frame))
  })
  return new Promise((resolve, reject) => {
    worker.on('error', reject)
    worker.on('message', (answer: Answer) => {
      sender.answered(answer)
      if (answer.kind === 'up') resolve(sender)
    })
  })
}
