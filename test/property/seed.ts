import fc from 'fast-check'

/**
 * One seed for every property of a run: `FC_SEED=123 npm test` replays it, a failure prints it. `FC_RUNS=1000` digs deeper.
 * Import this file first in each property test.
 */
const seed = Number(process.env['FC_SEED'] ?? Date.now() & 0x7fff_ffff)
const runs = process.env['FC_RUNS']
fc.configureGlobal({ seed, ...(runs === undefined ? {} : { numRuns: Number(runs) }) })
