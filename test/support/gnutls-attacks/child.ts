import { Worker } from 'node:worker_threads'
import { shakeHands } from './thread.ts'

/**
 * Run in a process of its own: has a thread end within each function that its arguments name, and shakes hands itself between; or, for "deep", shakes
 * hands where the stack ends.
 */
const LOADER = `import('tsx/esm/api').then(({ register }) => {
  register()
  return import(${JSON.stringify(new URL('./thread.ts', import.meta.url).href)})
})`

async function run(ends: readonly string[]): Promise<void> {
  for (const within of ends) {
    const worker = new Worker(LOADER, { eval: true, workerData: within })
    const code = await new Promise((resolve) => worker.once('exit', resolve))
    if (code !== 3) throw new Error(`a thread ended with ${String(code)}`)
    if (shakeHands({}) !== 2) throw new Error('the handshake failed')
  }
  process.disconnect()
}

/** Calls `act` at each depth around the deepest that has room for it. */
function actAtTheEndOfTheStack(act: () => void): void {
  const at = (depth: number): void => (depth === 0 ? act() : at(depth - 1))
  const fits = (depth: number): boolean => {
    try {
      at(depth)
      return true
    } catch (error) {
      if (error instanceof RangeError) return false
      throw error
    }
  }
  let [known, bound] = [10, 100_000]
  while (bound - known > 1) {
    const middle = (known + bound) >> 1
    if (fits(middle)) known = middle
    else bound = middle
  }
  for (let depth = known - 20; depth < known + 60; depth++) fits(depth)
}

process.removeAllListeners('warning')
if (process.argv[2] === 'deep') {
  actAtTheEndOfTheStack(() => shakeHands({}))
  if (shakeHands({}) !== 2) throw new Error('the handshake failed')
  process.disconnect()
} else void run(process.argv.slice(2))
