import { openSync, writeSync } from 'node:fs'
import { readCorpus } from './corpus.ts'
import { Coverage } from './coverage.ts'
import { fuzzLoop } from './fuzz-loop.ts'
import { byteLength, DEFAULT_MAX_MS, fromHexPieces, toHexPieces, type FuzzInput } from './fuzz-target.ts'
import { encodeScratch } from './scratch.ts'
import { fuzzTargets } from './targets.ts'
import { weighInput } from './trial.ts'
import type { WorkerJob, WorkerMessage } from './worker-messages.ts'

const PROGRESS_MS = 250
const MAX_DISCOVERIES = 200
/** Most errors are made by the thousand and never shown: their stacks cost more than all the rest. */
const STACK_FRAMES = 0

/** The life of a worker process: one job, then it ends. An exception that nobody caught ends it at once, as in production. */
export function serveOneJob(): void {
  process.once('message', (job: WorkerJob) => {
    void work(job).then((message) => {
      send(message, () => {
        process.exit(0)
      })
    })
  })
}

async function work(job: WorkerJob): Promise<WorkerMessage> {
  const target = fuzzTargets.find(({ name }) => name === job.target)
  if (target === undefined) throw new Error(`there is no target '${job.target}'`)
  const prepared = await target.prepare()
  const scratch = openSync(job.scratchFile, 'w')
  const onInput = (input: FuzzInput): void => {
    writeSync(scratch, encodeScratch(input), undefined, undefined, 0)
  }
  if (job.only !== undefined) {
    const input = fromHexPieces(job.only)
    const trial = await weighInput(prepared, input, target.maxMs ?? DEFAULT_MAX_MS)
    const failure = trial.kind === 'broken' ? { ...trial, input: job.only } : undefined
    return { ...NOTHING_DONE, inputs: 1, failure }
  }
  Error.stackTraceLimit = STACK_FRAMES
  let toldAt = performance.now()
  const { discoveries, failure, ...result } = await fuzzLoop(target, prepared, {
    seed: job.seed,
    maxInputs: job.maxInputs,
    deadline: performance.now() + job.maxSeconds * 1_000,
    corpus: readCorpus(target.name).map(({ input }) => input),
    coverage: new Coverage(),
    onInput,
    onProgress: (inputs) => {
      if (performance.now() - toldAt < PROGRESS_MS) return
      toldAt = performance.now()
      send({ kind: 'progress', inputs })
    },
  })
  const shortest = discoveries.toSorted((a, b) => byteLength(a) - byteLength(b)).slice(0, MAX_DISCOVERIES)
  return {
    kind: 'done',
    ...result,
    discoveries: shortest.map(toHexPieces),
    failure: failure === undefined ? undefined : { ...failure, input: toHexPieces(failure.input) },
  }
}

const NOTHING_DONE = {
  kind: 'done',
  inputs: 0,
  seconds: 0,
  corpusSize: 0,
  coveredCharacters: 0,
  slowestMs: 0,
  slowestBytes: 0,
  discoveries: [],
} as const

function send(message: WorkerMessage, onSent: () => void = () => {}): void {
  process.send?.(message, onSent)
}
