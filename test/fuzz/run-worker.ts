import { fork } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fromHexPieces, toHexPieces, type FuzzInput } from './fuzz-target.ts'
import { minimise } from './minimise.ts'
import { decodeScratch } from './scratch.ts'
import type { WorkerDone, WorkerJob, WorkerMessage } from './worker-messages.ts'

/** A worker that says nothing for so long hangs in its input. */
const SILENCE_MS = 60_000
const MAX_HEAP_MIB = 1_024
/** A process each: as many candidates as that take a minute. */
const MAX_CRASH_TRIES = 60

/** A result, or the input that ended the process. */
export type WorkerOutcome =
  WorkerDone | { readonly kind: 'dead'; readonly inputs: number; readonly why: string; readonly input: FuzzInput }

/** Runs one job in a process of its own, so that whatever an input does to the process is known, with the input. */
export async function runWorker(
  job: Omit<WorkerJob, 'scratchFile'>,
  onProgress: (inputs: number) => void = () => {},
): Promise<WorkerOutcome> {
  const folder = mkdtempSync(join(tmpdir(), 'szmq-fuzz-'))
  const scratchFile = join(folder, 'input')
  try {
    return await runIn({ ...job, scratchFile }, onProgress)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** A smaller input that also ends the process; `input` itself if it does so only after others. */
export async function minimiseDeath(target: string, seed: number, input: FuzzInput): Promise<FuzzInput> {
  const kills = async (candidate: FuzzInput): Promise<boolean> => {
    const outcome = await runWorker({ target, seed, maxInputs: 1, maxSeconds: 1, only: toHexPieces(candidate) })
    return outcome.kind === 'dead'
  }
  return (await kills(input)) ? minimise(input, kills, MAX_CRASH_TRIES) : input
}

function runIn(job: WorkerJob, onProgress: (inputs: number) => void): Promise<WorkerOutcome> {
  return new Promise((resolve) => {
    const child = fork(new URL('./main.ts', import.meta.url), ['--worker'], {
      execArgv: ['--import', 'tsx', '--expose-gc', `--max-old-space-size=${MAX_HEAP_MIB}`],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      serialization: 'advanced',
    })
    let lastWords = ''
    let inputs = 0
    let done: WorkerDone | undefined
    let isSilent = false
    const giveUp = (): void => {
      isSilent = true
      child.kill('SIGKILL')
    }
    let silence = setTimeout(giveUp, SILENCE_MS)
    const onParentExit = (): void => {
      child.kill('SIGKILL')
    }
    process.once('exit', onParentExit)
    child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
      lastWords = `${lastWords}${chunk}`.slice(-4_000)
    })
    child.on('message', (message: WorkerMessage) => {
      clearTimeout(silence)
      silence = setTimeout(giveUp, SILENCE_MS)
      if (message.kind === 'progress') onProgress((inputs = message.inputs))
      else done = message
    })
    child.once('close', (code, signal) => {
      clearTimeout(silence)
      process.off('exit', onParentExit)
      if (done !== undefined) {
        resolve(done)
        return
      }
      const why = isSilent
        ? `nothing came of it for ${SILENCE_MS / 1_000} s: it hangs`
        : `the process ended (${signal ?? `code ${code}`}): ${lastWords.trim() || 'without a word'}`
      resolve({
        kind: 'dead',
        inputs,
        why,
        input: job.only === undefined ? readScratch(job.scratchFile) : fromHexPieces(job.only),
      })
    })
    child.send(job)
  })
}

function readScratch(file: string): FuzzInput {
  try {
    return decodeScratch(readFileSync(file))
  } catch {
    return []
  }
}
