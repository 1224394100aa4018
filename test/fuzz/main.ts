// Feeds bytes of nobody to everything that takes bytes of strangers: docs/fuzzing.md.
import { availableParallelism } from 'node:os'
import { parseFuzzArguments, UsageError, type FuzzArguments } from './arguments.ts'
import { corpusTargets, keepInput, readCorpus } from './corpus.ts'
import { fromHexPieces, toHexPieces, type FuzzInput, type FuzzTarget } from './fuzz-target.ts'
import { FuzzProgress } from './progress.ts'
import { formatSummary, type TargetSummary } from './report.ts'
import { minimiseDeath, runWorker } from './run-worker.ts'
import { fuzzTargets } from './targets.ts'
import { serveOneJob } from './worker.ts'

if (process.argv[2] === '--worker') serveOneJob()
else await main()

async function main(): Promise<void> {
  try {
    const known = fuzzTargets.map(({ name }) => name)
    const stray = corpusTargets().filter((name) => !known.includes(name))
    if (stray.length > 0) throw new UsageError(`the corpus has inputs for targets that are not there: ${stray.join(', ')}`)
    process.exitCode = await fuzz(parseFuzzArguments(process.argv.slice(2), known, Date.now()))
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    process.stderr.write(`fuzz: ${error.message}\n`)
    process.exitCode = 2
  }
}

/** @returns the exit code */
async function fuzz(options: FuzzArguments): Promise<number> {
  const targets = fuzzTargets.filter(({ name }) => options.targets.length === 0 || options.targets.includes(name))
  const shares = targets.reduce((sum, { share }) => sum + share, 0)
  const jobs = Math.min(availableParallelism(), targets.length)
  const maxSeconds = options.seconds === undefined ? Number.MAX_SAFE_INTEGER / 1_000 : (options.seconds * jobs) / targets.length
  const inputsOf = ({ share }: FuzzTarget): number => Math.ceil((options.inputs / shares) * share)
  const startedAt = performance.now()
  process.stdout.write(`fuzz: ${targets.length} targets, seed ${options.seed}, ${jobs} at a time\n`)
  const progress = new FuzzProgress(
    options.seconds === undefined ? targets.reduce((sum, each) => sum + inputsOf(each), 0) : undefined,
  )
  const summaries: TargetSummary[] = []
  const failures: string[] = []
  // Slow ones first, so that no core waits for the last of them.
  const queue = targets.toSorted((a, b) => a.share - b.share)
  const lane = async (): Promise<void> => {
    for (let target = queue.shift(); target !== undefined; target = queue.shift()) {
      const { name } = target
      const outcome = await runWorker(
        { target: name, seed: options.seed, maxInputs: inputsOf(target), maxSeconds },
        (inputs) => {
          progress.update(name, inputs)
        },
      )
      progress.update(name, outcome.inputs)
      progress.finish(name)
      if (outcome.kind === 'dead') failures.push(await reportDeath(name, options, outcome))
      else {
        summaries.push({ name, ...outcome, kept: readCorpus(name).length })
        if (outcome.failure !== undefined) failures.push(reportFailure(name, options, outcome.failure))
        for (const pieces of outcome.discoveries.slice(0, options.keep)) {
          const why = 'Runs code, or shows an outcome, that no seed does.'
          keepInput(name, { kind: 'new', why, input: fromHexPieces(pieces) })
        }
      }
    }
  }
  await Promise.all(Array.from({ length: jobs }, lane))
  progress.stop()
  const order = targets.map(({ name }) => name)
  const inOrder = summaries.toSorted((a, b) => order.indexOf(a.name) - order.indexOf(b.name))
  process.stdout.write(`${formatSummary(inOrder, (performance.now() - startedAt) / 1_000)}\n`)
  for (const failure of failures) process.stdout.write(`\n${failure}\n`)
  return failures.length === 0 ? 0 : 1
}

async function reportDeath(
  name: string,
  options: FuzzArguments,
  { why, input }: { readonly why: string; readonly input: FuzzInput },
): Promise<string> {
  const small = await minimiseDeath(name, options.seed, input)
  return reportFailure(name, options, { why, stack: '', input: toHexPieces(small) })
}

function reportFailure(
  name: string,
  { seed, inputs, seconds }: FuzzArguments,
  { why, stack, input }: { readonly why: string; readonly stack: string; readonly input: readonly string[] },
): string {
  const extent = seconds === undefined ? `--inputs ${inputs}` : `--seconds ${seconds}`
  const again = `npm run fuzz -- --target ${name} --seed ${seed} ${extent}`
  const text = `FAIL ${name}: ${why}\n${stack}\n  seed ${seed}: ${again}`
  if (input.length === 0) return text
  const file = keepInput(name, { kind: 'failed', why: why.slice(0, 400), input: fromHexPieces(input) })
  return `${text}\n  input ${JSON.stringify(input)}\n  kept in ${file}: it runs with every npm test from now on`
}
