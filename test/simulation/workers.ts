import { fork } from 'node:child_process'
import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import type { RunOutcome } from './summary.ts'
import type { Errand } from './worker.ts'

/**
 * Runs of many seeds in as many processes as there are cores.
 * @param onOutcomes gets each bundle as it comes; false: enough
 */
export async function simulateInWorkers(
  { firstSeed, runs, nodes }: Errand,
  onOutcomes: (outcomes: readonly RunOutcome[]) => boolean,
): Promise<void> {
  let given = 0
  let isEnough = false
  const nextErrand = (): Errand | undefined => {
    if (isEnough || given >= runs) return undefined
    const errand = { firstSeed: firstSeed + given, runs: Math.min(BUNDLE_RUNS, runs - given), nodes }
    given += errand.runs
    return errand
  }
  const work = async (): Promise<void> => {
    const worker = fork(fileURLToPath(new URL('./worker.ts', import.meta.url)), { serialization: 'advanced' })
    const ended = once(worker, 'exit')
    try {
      for (let errand = nextErrand(); errand !== undefined; errand = nextErrand()) {
        worker.send(errand)
        const answer: unknown = await Promise.race([once(worker, 'message'), ended.then(() => undefined)])
        if (!Array.isArray(answer))
          throw new Error(`a worker ended in the middle of seeds ${errand.firstSeed} and ${errand.runs - 1} more`)
        if (!onOutcomes(answer[0] as readonly RunOutcome[])) isEnough = true
      }
    } finally {
      worker.disconnect()
    }
  }
  await Promise.all(Array.from({ length: Math.min(availableParallelism(), Math.ceil(runs / BUNDLE_RUNS)) }, work))
}

const BUNDLE_RUNS = 25
