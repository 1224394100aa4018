import { parseArgs } from 'node:util'

export interface FuzzArguments {
  /** Names of targets; all when empty. */
  readonly targets: readonly string[]
  /** In all, divided by the targets' shares. */
  readonly inputs: number
  readonly seed: number
  /** For the whole run; undefined: until the inputs are through. */
  readonly seconds: number | undefined
  /** How many new inputs a target may add to the kept corpus. */
  readonly keep: number
}

/** What the user typed was wrong: the text says how, and what is right. */
export class UsageError extends Error {}

const DEFAULT_INPUTS = 1_000_000

/** @throws UsageError */
export function parseFuzzArguments(argv: readonly string[], known: readonly string[], now: number): FuzzArguments {
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: {
        target: { type: 'string', multiple: true, default: [] },
        inputs: { type: 'string' },
        seed: { type: 'string' },
        seconds: { type: 'string' },
        keep: { type: 'string' },
      },
    })
    const unknown = values.target.find((name) => !known.includes(name))
    if (unknown !== undefined) throw new UsageError(`there is no target '${unknown}'`)
    const seconds = values.seconds === undefined ? undefined : wholeNumber('seconds', values.seconds, 1)
    const endless = seconds === undefined ? DEFAULT_INPUTS : Number.MAX_SAFE_INTEGER
    return {
      targets: values.target,
      inputs: values.inputs === undefined ? endless : wholeNumber('inputs', values.inputs, 1),
      seed: values.seed === undefined ? now & 0x7fff_ffff : wholeNumber('seed', values.seed, 0),
      seconds,
      keep: values.keep === undefined ? 0 : wholeNumber('keep', values.keep, 0),
    }
  } catch (error) {
    const usage = `usage: npm run fuzz -- [--target NAME]… [--inputs N] [--seed N] [--seconds N] [--keep N]\ntargets: ${known.join(', ')}`
    throw new UsageError(`${error instanceof Error ? error.message : String(error)}\n${usage}`, { cause: error })
  }
}

function wholeNumber(name: string, given: string, least: number): number {
  const value = Number(given)
  if (given.trim() !== '' && Number.isSafeInteger(value) && value >= least) return value
  throw new UsageError(`--${name} ${given}: expected a whole number, ${least} or more`)
}
