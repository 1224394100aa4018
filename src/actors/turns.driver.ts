import type { Turns } from './dispatcher.ts'

/** Turns of Node's event loop. */
export const eventLoopTurns: Turns = {
  soon: (callback) => {
    queueMicrotask(callback)
  },
  later: (callback) => {
    setImmediate(callback)
  },
}
