import { describe, expect, it } from 'vitest'
import { planOf, type Plan } from '../simulation/plan.ts'
import { simulate } from '../simulation/simulation.ts'

/** A different part of the seeds in each run of the tests; `SIMULATION_SEED=1` chooses, and a failure names its seed. */
const FIRST_SEED = Number(process.env['SIMULATION_SEED'] ?? Date.now() & 0x7fff_ffff)
const RUNS = 200
const CHUNK = 20

describe('links between simulated nodes', () => {
  it.each(Array.from({ length: RUNS / CHUNK }, (_, at) => FIRST_SEED + at * CHUNK))(
    'keep every promise on a network that does its worst (seeds from %i)',
    (first) => {
      for (let seed = first; seed < first + CHUNK; seed += 1) {
        const { violation } = simulate(planOf(seed))
        expect(violation?.message, `npm run simulate -- --seed ${seed}`).toBeUndefined()
      }
    },
  )

  it('do the same thing again with the same seed, to the byte', () => {
    for (const seed of [1, 2, 3, 4]) {
      const lines: string[] = []
      const again: string[] = []
      const { hash } = simulate(planOf(seed), (line) => lines.push(line))
      expect(simulate(planOf(seed), (line) => again.push(line)).hash).toBe(hash)
      expect(again).toEqual(lines)
      expect(simulate(planOf(seed + 1)).hash).not.toBe(hash)
    }
  })

  it('meet every kind of fault within a few hundred seeds', () => {
    const plans: Plan[] = Array.from({ length: 300 }, (_, seed) => planOf(seed))
    const kinds = new Set(plans.flatMap(({ happenings }) => happenings.map((it) => (it.kind === 'inject' ? it.what : it.kind))))
    const rates = new Set(
      plans.flatMap(({ rates: each }) => Object.entries(each).flatMap(([kind, rate]) => (rate > 0 ? [kind] : []))),
    )
    expect(kinds.size).toBe(8 + 13)
    expect(rates.size).toBe(5)
    expect(new Set(plans.map(({ profile }) => profile)).size).toBe(4)
  })
})
