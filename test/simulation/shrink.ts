import { FRAME_FAULTS, type Plan } from './plan.ts'
import { simulate, type RunResult } from './simulation.ts'

/**
 * The same failure with less in it: fewer happenings, fewer kinds of faults, less work, fewer extras. Greedy, and the same each time.
 * @param maxRuns how many simpler plans may be tried
 * @returns a run that breaks the same rule, the given one if nothing simpler does
 */
export function shrink(failed: RunResult, maxRuns = 300): RunResult {
  const { violation } = failed
  if (violation === undefined) return failed
  let best = failed
  let left = maxRuns
  const tries = (candidates: (plan: Plan) => Iterable<Plan>): boolean => {
    for (const plan of candidates(best.plan)) {
      if (left === 0) return false
      left -= 1
      const result = simulate(plan)
      if (result.violation?.rule !== violation.rule) continue
      best = result
      return true
    }
    return false
  }
  for (let isSimpler = true; isSimpler && left > 0;) {
    isSimpler = false
    for (const step of [withFewerHappenings, withoutOneFault, withLessWork, withoutExtras]) while (tries(step)) isSimpler = true
  }
  return best
}

/** Big pieces first. */
function* withFewerHappenings(plan: Plan): Generator<Plan> {
  const { happenings } = plan
  for (let size = Math.ceil(happenings.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < happenings.length; at += size) {
      yield { ...plan, happenings: [...happenings.slice(0, at), ...happenings.slice(at + size)] }
    }
  }
}

function* withoutOneFault(plan: Plan): Generator<Plan> {
  for (const fault of FRAME_FAULTS) {
    if (plan.rates[fault] > 0) yield { ...plan, rates: { ...plan.rates, [fault]: 0 } }
  }
}

function* withLessWork(plan: Plan): Generator<Plan> {
  const { batches } = plan.workload
  for (const fewer of [0, 1, Math.floor(batches / 4), Math.floor(batches / 2)]) {
    if (fewer < batches) yield { ...plan, workload: { ...plan.workload, batches: fewer } }
  }
}

function* withoutExtras(plan: Plan): Generator<Plan> {
  if (plan.nodes === 3 && plan.happenings.every((happening) => isOfTwoNodes(happening))) yield { ...plan, nodes: 2 }
  if (plan.proxies > 0) yield { ...plan, proxies: 0 }
  if (plan.engineTiming === 'later') yield { ...plan, engineTiming: 'at once' }
  if (plan.latencyMs[1] > 1) yield { ...plan, latencyMs: [1, 1] }
  if (plan.workload.maxDeliveryMs > 0) yield { ...plan, workload: { ...plan.workload, maxDeliveryMs: 0 } }
}

function isOfTwoNodes(happening: Plan['happenings'][number]): boolean {
  return 'pair' in happening ? happening.pair === 0 : happening.node < 2
}
