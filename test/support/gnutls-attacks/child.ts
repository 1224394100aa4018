import { Worker } from 'node:worker_threads'
import { shakeHands } from './thread.ts'

/** Run in a process of its own: has a thread end within each function that its arguments name, and shakes hands itself between. */
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

process.removeAllListeners('warning')
void run(process.argv.slice(2))
