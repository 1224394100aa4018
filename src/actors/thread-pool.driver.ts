import { Worker } from 'node:worker_threads'
import { messageOf, SzmqError } from '../shared/errors.ts'
import type { Board } from '../transport/index.ts'
import type { ThreadEndOptions } from './thread-end.driver.ts'
import type { FromThread, ToThread } from './thread-messages.ts'

/** A thread that was told to end is given this long before it is terminated. */
const END_GRACE_MS = 2_000

/** Run from its sources, szmq needs a loader before its first line on the thread; built, nothing. */
const ENTRY: { readonly source: string | URL; readonly isCode: boolean } = import.meta.url.endsWith('.ts')
  ? {
      source: `import('tsx/esm/api').then(({ register }) => {
        register()
        return import(${JSON.stringify(new URL('./thread-main.driver.ts', import.meta.url).href)})
      })`,
      isCode: true,
    }
  : { source: new URL('./thread-main.driver.js', import.meta.url), isCode: false }

/** The worker threads of one system, by slot on its board. */
export class ThreadPool {
  readonly #board: Board
  readonly #workers = new Map<number, Worker>()
  readonly #losses = new Map<number, string>()
  readonly #listener: (thread: number, message: FromThread) => void
  #isEnding = false

  constructor(board: Board, listener: (thread: number, message: FromThread) => void) {
    this.#board = board
    process.once('exit', this.#barAll)
    this.#listener = listener
  }

  /** Resolves when the thread runs. @throws ERR_SZMQ_THREAD_LOST when it ends before. */
  start(options: ThreadEndOptions): Promise<void> {
    const { thread } = options
    const worker = new Worker(ENTRY.source, { eval: ENTRY.isCode, workerData: options, name: `szmq-${thread}`, execArgv: [] })
    this.#workers.set(thread, worker)
    this.#board.setLife(thread, 'live')
    return new Promise((resolve, reject) => {
      worker.on('message', (message: FromThread) => {
        if (message.kind === 'ready') resolve()
        this.#listener(thread, message)
      })
      // Handled here, or an uncaught exception of a worker would be one of the whole process.
      worker.on('error', (error) => {
        this.#losses.set(thread, `uncaught ${messageOf(error)}`)
      })
      worker.on('exit', (code) => {
        this.#workers.delete(thread)
        if (!this.#losses.has(thread)) this.#losses.set(thread, `it ended with exit code ${code}`)
        reject(new SzmqError('ERR_SZMQ_THREAD_LOST', `thread ${thread} could not start: ${this.describeLoss(thread)}`))
        if (this.#isEnding) return
        this.#board.setLife(thread, 'lost')
        this.#board.ringAll()
      })
    })
  }

  describeLoss(thread: number): string {
    return this.#losses.get(thread) ?? 'it ended'
  }

  /** The process exits and stops its threads wherever they are: not within a native call. */
  readonly #barAll = (): void => {
    for (const thread of this.#workers.keys()) this.#board.bar(thread)
  }

  /** Tells every thread to end, and terminates those that do not. */
  async end(): Promise<void> {
    this.#isEnding = true
    const end: ToThread = { kind: 'end' }
    await Promise.all(
      [...this.#workers].map(async ([thread, worker]) => {
        const exited = new Promise<void>((resolve) => {
          worker.once('exit', () => {
            resolve()
          })
        })
        worker.postMessage(end)
        const timer = setTimeout(() => {
          this.#board.bar(thread)
          void worker.terminate()
        }, END_GRACE_MS)
        await exited
        clearTimeout(timer)
      }),
    )
    process.off('exit', this.#barAll)
  }
}
