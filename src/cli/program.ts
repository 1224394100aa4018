import { Command, CommanderError } from 'commander'
import { messageOf, SzmqError } from '../shared/errors.ts'
import { addBridgeCommand } from './bridge-command.ts'
import { addPkiCommand } from './pki-command.ts'
import { createPainter, printable, type Terminal } from './terminal.ts'

/** 0: done. 1: it failed, for the reason on stderr. 2: the command was used wrongly. */
export type ExitCode = 0 | 1 | 2

/**
 * Runs the `szmq` command.
 *
 * @param args Without the names of node and the script.
 * @param version Shown by `--version`.
 * @returns the exit code; never throws. Every failure is one line on `terminal.err`.
 */
export async function runCommand(args: readonly string[], version: string, terminal: Terminal): Promise<ExitCode> {
  const program = createProgram(version, terminal)
  try {
    await program.parseAsync(args, { from: 'user' })
    return 0
  } catch (error) {
    return reportFailure(error, findCommand(program, args), terminal)
  }
}

function createProgram(version: string, terminal: Terminal): Command {
  const program = new Command('szmq')
    .description('Secure actors over ZeroMQ: the command line.')
    .version(version, '-V, --version', 'show the version')
    .helpOption('-h, --help', 'show help')
    .helpCommand(false)
    .addHelpText('after', '\nExample:\n  szmq pki init && szmq pki issue node-a')
  addPkiCommand(program, terminal)
  addBridgeCommand(program, terminal)
  configure(program, terminal)
  return program
}

/** For the command and all below it. */
function configure(command: Command, terminal: Terminal): void {
  command.exitOverride().configureOutput({
    writeOut: terminal.out,
    writeErr: terminal.err,
    // What is wrong is told in one line, when it arrives as an error.
    outputError: () => {},
    getOutHelpWidth: () => terminal.columns,
    getErrHelpWidth: () => terminal.columns,
    getOutHasColors: () => terminal.isColourful,
    getErrHasColors: () => terminal.isErrColourful,
  })
  for (const child of command.commands) configure(child, terminal)
}

function reportFailure(error: unknown, command: Command, terminal: Terminal): ExitCode {
  if (error instanceof CommanderError) {
    // Help or version that was asked for; or help because nothing was asked for.
    if (error.exitCode === 0) return 0
    if (error.code !== 'commander.help') terminal.err(describe(`${toOneLine(error.message)}: ${helpOf(command)}`, terminal))
    return 2
  }
  const isMisuse = error instanceof SzmqError && error.code === 'ERR_SZMQ_INVALID_ARGUMENT'
  terminal.err(describe(messageOf(error), terminal))
  return isMisuse ? 2 : 1
}

function describe(message: string, { isErrColourful }: Terminal): string {
  return `${createPainter(isErrColourful)('red', 'szmq:')} ${printable(message)}\n`
}

/** Commander's texts, such as "error: unknown option '--forse'\n(Did you mean --force?)". */
function toOneLine(message: string): string {
  return message
    .replace(/^error: /, '')
    .replaceAll(/\s*\n\s*/g, ' ')
    .replace(/\.$/, '')
}

function helpOf(command: Command): string {
  const names: string[] = []
  for (let at: Command | null = command; at !== null; at = at.parent) names.unshift(at.name())
  return `see ${names.join(' ')} --help`
}

/** The innermost command that `args` name. */
function findCommand(program: Command, args: readonly string[]): Command {
  let found = program
  for (const arg of args) found = found.commands.find((command) => command.name() === arg) ?? found
  return found
}
