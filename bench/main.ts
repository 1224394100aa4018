import { writeFileSync } from 'node:fs'
import { parseArguments, UsageError } from './arguments.ts'
import { describeMachine } from './machine.ts'
import { measureRow, type RowResult } from './measure.ts'
import { clearProgress, showProgress } from './progress.ts'
import { formatMachine, formatRow } from './report.ts'
import { rows } from './rows.ts'

const SMOKE_COUNT = 300

// A send that a contender's library refuses rejects where nobody waits for it.
process.once('unhandledRejection', fail)
try {
  await main()
  // Whatever a contender left open must not hold the process.
  process.exit()
} catch (error) {
  fail(error)
}

async function main(): Promise<void> {
  const names = rows.map(({ name }) => name)
  const { rows: wanted, rounds, jsonFile, isSmoke } = parseArguments(process.argv.slice(2), names)
  const machine = describeMachine()
  process.stdout.write(`${formatMachine(machine)}\n`)
  const results: RowResult[] = []
  for (const row of rows.filter(({ name }) => wanted.length === 0 || wanted.includes(name))) {
    const maxCount = isSmoke ? SMOKE_COUNT : Infinity
    const result = await measureRow(row, { rounds, maxCount, onProgress: showProgress })
    clearProgress()
    results.push(result)
    process.stdout.write(isSmoke ? `${row.name}: complete, all counts right\n` : `\n${formatRow(result)}\n`)
  }
  if (jsonFile !== undefined) {
    writeFileSync(jsonFile, `${JSON.stringify({ at: new Date().toISOString(), isSmoke, machine, results }, undefined, 2)}\n`)
  }
}

function fail(error: unknown): never {
  clearProgress()
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exit(error instanceof UsageError ? 2 : 1)
}
