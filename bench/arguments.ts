import { parseArgs } from 'node:util'

const DEFAULT_ROUNDS = 7
const MIN_ROUNDS = 5

export interface Arguments {
  /** Names of rows; all when empty. */
  readonly rows: readonly string[]
  readonly rounds: number
  readonly jsonFile: string | undefined
  readonly isSmoke: boolean
}

/** What the user typed was wrong: the text says how, and what is right. */
export class UsageError extends Error {}

/** @throws UsageError */
export function parseArguments(argv: readonly string[], knownRows: readonly string[]): Arguments {
  const usage = `usage: npm run bench -- [${knownRows.join(' | ')} …] [--rounds N] [--json FILE] [--smoke]`
  try {
    const { values, positionals } = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: { rounds: { type: 'string' }, json: { type: 'string' }, smoke: { type: 'boolean', default: false } },
    })
    const unknown = positionals.find((row) => !knownRows.includes(row))
    if (unknown !== undefined) throw new UsageError(`there is no row '${unknown}'`)
    const rounds = values.smoke ? 1 : Number(values.rounds ?? DEFAULT_ROUNDS)
    if (!values.smoke && !(Number.isInteger(rounds) && rounds >= MIN_ROUNDS)) {
      throw new UsageError(`--rounds ${values.rounds}: expected a whole number, ${MIN_ROUNDS} or more`)
    }
    return { rows: positionals, rounds, jsonFile: values.json, isSmoke: values.smoke }
  } catch (error) {
    throw new UsageError(`${error instanceof Error ? error.message : String(error)}\n${usage}`)
  }
}
