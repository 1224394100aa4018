import { describe, expect, it } from 'vitest'
import { corpusTargets, readCorpus } from '../fuzz/corpus.ts'
import { fuzzLoop } from '../fuzz/fuzz-loop.ts'
import { DEFAULT_MAX_MS, toHexPieces, type FuzzTarget } from '../fuzz/fuzz-target.ts'
import { promise } from '../fuzz/promises.ts'
import { fuzzTargets } from '../fuzz/targets.ts'
import { tryInput } from '../fuzz/trial.ts'

/** Machines that run tests are busy: what is too slow here is slow by far. */
const PATIENCE = 10
const SMOKE_INPUTS = 150
const SMOKE_MS = 400

// Everything that ever failed in `npm run fuzz`, and what is needed to get deep into the code.
describe.each(fuzzTargets.map((target) => [target.name, target] as const))('%s', (name, target) => {
  it('keeps its promises for every input of its corpus, and for some new ones', async () => {
    const prepared = await target.prepare()
    for (const { name: file, why, input } of readCorpus(name)) {
      const trial = await tryInput(prepared, input, PATIENCE * (target.maxMs ?? DEFAULT_MAX_MS))
      expect(trial.kind === 'broken' ? `${file} (${why}): ${trial.why}` : 'kept').toBe('kept')
    }
    const patient = { ...target, maxMs: PATIENCE * (target.maxMs ?? DEFAULT_MAX_MS) }
    const deadline = performance.now() + SMOKE_MS
    const { failure } = await fuzzLoop(patient, prepared, { seed: 1, maxInputs: SMOKE_INPUTS, deadline, corpus: [] })
    expect(failure === undefined ? 'kept' : { why: failure.why, input: toHexPieces(failure.input) }).toBe('kept')
  })
})

describe('the corpus', () => {
  it('belongs to targets that are there', () => {
    expect(fuzzTargets.map(({ name }) => name)).toEqual(expect.arrayContaining([...corpusTargets()]))
  })
})

describe('the fuzzer', () => {
  const planted: FuzzTarget = {
    name: 'planted',
    share: 1,
    prepare: () => ({
      seeds: [[Uint8Array.of(1, 2, 3)]],
      run: (input) => {
        const bytes = Buffer.concat(input)
        promise(bytes.indexOf(Uint8Array.of(0x80, 0xff)) === -1, 'two bytes that must not meet')
        return [bytes.includes(0x80) ? 'warm' : 'cold']
      },
    }),
  }
  const search = async (seed: number) => {
    const options = { seed, maxInputs: 200_000, deadline: performance.now() + 10_000, corpus: [] }
    const { failure } = await fuzzLoop(planted, await planted.prepare(), options)
    return { why: failure?.why, input: toHexPieces(failure?.input ?? []) }
  }

  it('finds a fault that takes two steps, makes its input small, and finds it again by the seed', async () => {
    const failure = { why: 'two bytes that must not meet', input: ['80ff'] }
    expect(await search(5)).toEqual(failure)
    expect(await search(5)).toEqual(failure)
  })
})
