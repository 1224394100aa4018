import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import koffi from 'koffi'
import { openSession } from './thread.ts'

/**
 * Run in a process of its own: holds a session, lets threads with live sessions end in the way of its first argument, as many as its second says, one
 * after the other, and speaks over its own session between. Reports over IPC.
 */
export interface Report {
  readonly ended: number
  /** How many callbacks more koffi has registered at the end than at the beginning, in all threads. */
  readonly callbacks: number
}

const LOADER = `import('tsx/esm/api').then(({ register }) => {
  register()
  return import(${JSON.stringify(new URL('./thread.ts', import.meta.url).href)})
})`

const [way = 'end', threads = '1'] = process.argv.slice(2)

async function run(): Promise<void> {
  const own = openSession()
  const before = koffi.stats().callbacks
  let ended = 0
  for (; ended < Number(threads); ended++) {
    const worker = new Worker(LOADER, { eval: true, workerData: way })
    worker.on('error', (error) => {
      if (error.message !== 'on purpose') throw error
    })
    // Not `once`: that fails with the error of a thread that throws.
    const gone = new Promise((resolve) => worker.once('exit', resolve))
    if (way === 'terminate') await once(worker, 'message')
    if (way === 'terminate') await worker.terminate()
    await gone
    for (const engine of own) engine.send(Uint8Array.of(ended & 0xff))
    openSession().forEach((engine) => {
      engine.destroy()
    })
  }
  const report: Report = { ended, callbacks: koffi.stats().callbacks - before }
  process.send?.(report)
  process.disconnect()
}

void run()
