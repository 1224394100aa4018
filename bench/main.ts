import { writeFileSync } from 'node:fs'
import { parseArguments, UsageError } from './arguments.ts'
import { measureKx, type KxResult } from './kx/measure-kx.ts'
import { formatKx, formatKxSmoke } from './kx/report-kx.ts'
import { describeMachine } from './machine.ts'
import { measureRow, type RowResult } from './measure.ts'
import { clearProgress, showProgress } from './progress.ts'
import { formatMachine, formatRow } from './report.ts'
import { KX_ROW, rows } from './rows.ts'

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
  const names = [...rows.map(({ name }) => name), KX_ROW]
  const { rows: wanted, rounds, jsonFile, isSmoke } = parseArguments(process.argv.slice(2), names)
  const machine = describeMachine()
  process.stdout.write(`${formatMachine(machine)}\n`)
  const isWanted = (name: string): boolean => wanted.length === 0 || wanted.includes(name)
  const results: (RowResult | KxResult)[] = []
  for (const row of rows.filter(({ name }) => isWanted(name))) {
    const maxCount = isSmoke ? SMOKE_COUNT : Infinity
    const result = await measureRow(row, { rounds, maxCount, onProgress: showProgress })
    clearProgress()
    results.push(result)
    process.stdout.write(isSmoke ? `${row.name}: complete, all counts right\n` : `\n${formatRow(result)}\n`)
  }
  if (isWanted(KX_ROW)) {
    const result = await measureKx({ rounds, isSmoke, onProgress: showProgress })
    clearProgress()
    results.push(result)
    process.stdout.write(isSmoke ? `${formatKxSmoke(result)}\n` : `\n${formatKx(result)}\n`)
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
