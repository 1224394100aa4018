import { parentPort, workerData } from 'node:worker_threads'
import { messageOf } from '../shared/errors.ts'
import { openThreadEnd, type ThreadEndOptions } from './thread-end.driver.ts'
import type { FromThread, ToThread } from './thread-messages.ts'

/** Where a worker thread of a system begins. Only lifecycle goes over the port; messages take the pipes. */

const port = parentPort
if (port === null) throw new Error('thread-main is the entry of a worker thread; it is not to be run by itself')

const report = (message: FromThread): void => {
  port.postMessage(message)
}

const end = openThreadEnd(workerData as ThreadEndOptions, {
  forward: undefined,
  onViolation: (node, error) => {
    report({ kind: 'violation', node, code: error.code, message: error.message })
  },
  onActorStopped: ({ id, path }) => {
    report({ kind: 'actor.stopped', id, path })
  },
  onFailure: ({ path, message, error, decision, peer }) => {
    report({ kind: 'actor.failed', path, message, decision, error: messageOf(error), peer })
  },
  onDeadLetter: (letter) => {
    report({ kind: 'deadLetter', letter })
  },
  describeLoss: () => 'it ended',
})

port.on('message', (message: ToThread) => {
  if (message.kind !== 'end') return
  end.close()
  port.close()
})

// Whatever ends this thread, its sockets are closed while it can still do so.
process.on('exit', () => {
  end.mesh.close()
})

report({ kind: 'ready' })
