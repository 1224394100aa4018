#!/usr/bin/env node
import { readFile } from 'node:fs/promises'
import { runCommand } from './program.ts'
import { openTerminal } from './terminal.driver.ts'

// No top-level await, as everywhere. The exit code is set and not acted upon: what was written must get out first.
void main()

async function main(): Promise<void> {
  process.exitCode = await runCommand(process.argv.slice(2), await readVersion(), openTerminal())
}

/** From the package that this file belongs to, two folders up in sources and build. */
async function readVersion(): Promise<string> {
  const { version } = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8')) as {
    readonly version: string
  }
  return version
}
