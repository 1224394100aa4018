import { planOf } from './plan.ts'
import { simulate } from './simulation.ts'
import { outcomeOf } from './summary.ts'

/** What a worker is asked for: the runs of these seeds. It answers with their outcomes, and ends when its parent does. */
export interface Errand {
  readonly firstSeed: number
  readonly runs: number
  readonly nodes: 2 | 3 | undefined
}

process.on('message', ({ firstSeed, runs, nodes }: Errand) => {
  process.send?.(Array.from({ length: runs }, (_, at) => outcomeOf(simulate(planOf(firstSeed + at, nodes)))))
})
