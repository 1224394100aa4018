import { fork } from 'node:child_process'
import { once } from 'node:events'
import { curveKeyPair, Pull, Push } from 'zeromq'
import type { Contender, Session } from '../contender.ts'
import { decode, encode } from '../encoding.ts'
import type { Answer } from '../protocol.ts'
import { Sender } from '../sender.ts'
import { CURVE_QUEUE, type CurveKeys } from './curve-options.ts'

export const curve: Contender = {
  name: 'zeromq.js CURVE',
  about: 'PUSH to PULL over tcp loopback to another process, one message a frame, encrypted by CURVE; echoes on a second pair',
  setup: openSession,
}

async function openSession(): Promise<Session> {
  const server = curveKeyPair()
  const client = curveKeyPair()
  const child = fork(new URL('./curve.child.js', import.meta.url), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  child.send({ server } satisfies CurveKeys)
  const [up] = (await once(child, 'message')) as [Answer]
  if (up.kind !== 'up' || up.endpoint === undefined || up.answers === undefined)
    throw new Error('the CURVE receiver did not start')

  const security = { curveServerKey: server.publicKey, curvePublicKey: client.publicKey, curveSecretKey: client.secretKey }
  const push = new Push({ ...CURVE_QUEUE, ...security })
  const pull = new Pull({ receiveHighWaterMark: CURVE_QUEUE.sendHighWaterMark, linger: 0, ...security })
  push.connect(up.endpoint)
  pull.connect(up.answers)
  const sender = new Sender({
    command: (command) => {
      child.send(command)
    },
    send: (message) => {
      // With a timeout of 0 it is queued when the call returns, or it rejects, which ends the run.
      void push.send(encode(message))
    },
    async close() {
      const ended = once(child, 'exit')
      child.disconnect()
      await ended
      push.close()
      pull.close()
    },
  })
  child.on('message', (answer: Answer) => {
    sender.answered(answer)
  })
  void echoAll(pull, sender)
  return sender
}

async function echoAll(pull: Pull, sender: Sender): Promise<void> {
  try {
    for await (const [frame] of pull) sender.echoed(decode(frame as Uint8Array))
  } catch (error) {
    if (!pull.closed) throw error
  }
}
