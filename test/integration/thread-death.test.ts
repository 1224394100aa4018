import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import type { Report } from '../support/thread-death/child.ts'

/*
 * Why this exists: zeromq.js sends every buffer over 128 bytes by reference into the sending thread's heap. When that thread ended,
 * receivers read freed memory, and the process aborted ("malloc(): unsorted double linked list corrupted") within three rounds of
 * 4 KiB frames. It also aborts when a thread ends with a native operation pending, and when one is stopped from outside in the midst
 * of a native call ("terminate called after throwing an instance of 'Napi::Error'"). So threads end here, in each way there is, while
 * batches are under way between all of them and receivers still hold what came; in a process of its own, because the symptom is that
 * process's death.
 */
const ROUNDS = 3
const WAYS = 3
const CHILD = fileURLToPath(new URL('../support/thread-death/child.ts', import.meta.url))

it('survives threads that are terminated, throw or exit with batches under way, and keeps every byte they sent', async () => {
  const { end, report } = await run([`${ROUNDS}`])
  expect(end).toEqual({ code: 0, signal: null, complaints: '' })
  expect(report?.losses).toBe(ROUNDS * WAYS)
  expect(report?.bytes).toBeGreaterThan(ROUNDS * WAYS * 10_000_000)
}, 120_000)

it('lets the main thread call process.exit() while all threads are busy', async () => {
  for (let round = 0; round < ROUNDS; round += 1) {
    const { end } = await run(['1', 'quit'])
    expect(end).toEqual({ code: 0, signal: null, complaints: '' })
  }
}, 120_000)

interface Ending {
  readonly code: number | null
  readonly signal: string | null
  /** Everything it wrote to its standard error. */
  readonly complaints: string
}

async function run(flags: readonly string[]): Promise<{ readonly end: Ending; readonly report: Report | undefined }> {
  const child = fork(CHILD, flags, {
    execArgv: ['--expose-gc', '--import', 'tsx'],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  })
  let complaints = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (complaints += text))
  let report: Report | undefined
  child.on('message', (message) => {
    report = message as Report
  })
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null]
  return { end: { code, signal, complaints }, report }
}
