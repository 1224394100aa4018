import { parseArguments, USAGE, type SimulateArguments } from './arguments.ts'
import { planOf } from './plan.ts'
import { shrink } from './shrink.ts'
import { simulate, type RunResult } from './simulation.ts'
import { outcomeOf, Summary, type RunOutcome } from './summary.ts'
import { simulateInWorkers } from './workers.ts'

const MAX_FAILURES = 20

try {
  await main(parseArguments(process.argv.slice(2)))
} catch (error) {
  if (!(error instanceof TypeError)) throw error
  process.stderr.write(`simulate: ${error.message}\n\n${USAGE}\n`)
  process.exitCode = 2
}

async function main({ firstSeed, runs, nodes, isVerbose, isJson }: SimulateArguments): Promise<void> {
  const summary = new Summary()
  const startedMs = performance.now()
  if (runs === 1 || isVerbose) {
    for (let seed = firstSeed; seed < firstSeed + runs && summary.failed.length === 0; seed += 1) {
      summary.add(outcomeOf(simulate(planOf(seed, nodes), isVerbose ? print : undefined)))
    }
  } else {
    let shownMs = 0
    await simulateInWorkers({ firstSeed, runs, nodes }, (outcomes: readonly RunOutcome[]) => {
      for (const outcome of outcomes) summary.add(outcome)
      const now = performance.now()
      if (now - shownMs > 1_000) process.stderr.write(progress(summary, runs, now - startedMs))
      if (now - shownMs > 1_000) shownMs = now
      return summary.failed.length < MAX_FAILURES
    })
  }
  const seeds = runs === 1 ? String(firstSeed) : `${firstSeed} … ${firstSeed + summary.runs - 1}`
  print(isJson ? JSON.stringify(summary, undefined, 2) : `\n${summary.toText(seeds)}`)
  process.stderr.write(`${summary.runs} runs in ${((performance.now() - startedMs) / 1_000).toFixed(1)} s\n`)
  const [failure] = summary.failed.toSorted((a, b) => a.seed - b.seed)
  if (failure === undefined) return
  process.exitCode = 1
  process.stderr.write(describeFailure(simulate(planOf(failure.seed, nodes)), nodes))
}

/** What failed, the least of it that still fails, and how to see it again. */
function describeFailure(failed: RunResult, nodes: 2 | 3 | undefined): string {
  const { plan, violation, hash } = failed
  const least = shrink(failed)
  return [
    '',
    `seed ${plan.seed} (${plan.profile}) breaks a promise; hash ${hash}`,
    `  ${violation?.message}`,
    `see it again: npm run simulate -- --seed ${plan.seed}${nodes === undefined ? '' : ` --nodes ${nodes}`} --verbose`,
    '',
    'the least of it that still fails:',
    `  ${least.violation?.message}`,
    ...Object.entries(least.plan).map(([key, value]) => `  ${key}: ${key === 'happenings' ? '' : JSON.stringify(value)}`),
    ...least.plan.happenings.map((happening) => `    ${JSON.stringify(happening)}`),
    'its last lines:',
    ...least.tail.map((line) => `  ${line}`),
    '',
  ].join('\n')
}

function progress({ runs, failed, batches, links }: Summary, all: number, elapsedMs: number): string {
  const left = ((all - runs) * elapsedMs) / Math.max(1, runs)
  return `simulate: ${runs}/${all} runs, ${batches.accepted} batches, ${links.suspended} resets, ${failed.length} failed, ${Math.ceil(left / 1_000)} s left\n`
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}
