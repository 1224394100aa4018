import { parseArgs } from 'node:util'

export interface SimulateArguments {
  readonly firstSeed: number
  readonly runs: number
  /** undefined: as each seed draws it. */
  readonly nodes: 2 | 3 | undefined
  readonly isVerbose: boolean
  readonly isJson: boolean
}

export const USAGE = `npm run simulate -- [--seed N] [--runs N] [--nodes 2|3] [--verbose] [--json]

  --seed N      the first seed; alone: that one run, and if it fails, the least of it that still fails. Default 1
  --runs N      how many seeds, one after the other. Default 1 with --seed, else 1000
  --nodes 2|3   default: as each seed draws it
  --verbose     every line of the trace, in one process
  --json        the summary as JSON`

/** @throws TypeError with what to do */
export function parseArguments(argv: readonly string[]): SimulateArguments {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      seed: { type: 'string' },
      runs: { type: 'string' },
      nodes: { type: 'string' },
      verbose: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  })
  const { seed, runs, nodes, verbose, json } = values
  return {
    firstSeed: wholeNumber('--seed', seed ?? '1', 0),
    runs: wholeNumber('--runs', runs ?? (seed === undefined ? '1000' : '1'), 1),
    nodes: nodesOf(nodes),
    isVerbose: verbose,
    isJson: json,
  }
}

function wholeNumber(name: string, text: string, least: number): number {
  const value = Number(text)
  if (/^\d+$/.test(text) && value >= least && value <= 0xffff_ffff) return value
  throw new TypeError(`${name} ${text}: give a whole number from ${least} to 4294967295`)
}

function nodesOf(text: string | undefined): 2 | 3 | undefined {
  if (text === undefined) return undefined
  if (text === '2' || text === '3') return text === '2' ? 2 : 3
  throw new TypeError(`--nodes ${text}: give 2 or 3`)
}
