import { execFile } from 'node:child_process'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'vitest'
import { runCommand, type ExitCode } from '../../src/cli/program.ts'
import type { CredentialFiles } from '../../src/security/credentials/credential-files.driver.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
export const MAIN = join(root, 'src/cli/main.ts')
export const TSX = import.meta.resolve('tsx')

export interface Ran {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** The command, in this process. */
export async function szmq(...args: readonly string[]): Promise<Ran & { readonly code: ExitCode }> {
  let [out, err] = ['', '']
  const code = await runCommand(args, '1.2.3', {
    out: (text) => void (out += text),
    err: (text) => void (err += text),
    isColourful: false,
    isErrColourful: false,
    columns: 100,
  })
  return { code, out, err }
}

/** The command as users start it: `node main.js …`. */
export function szmqProcess(args: readonly string[], options: { cwd: string; umask?: string }): Promise<Ran> {
  const script = `umask ${options.umask ?? '022'}; exec "$@"`
  const command = ['-c', script, 'sh', process.execPath, '--import', TSX, MAIN, ...args]
  return run('sh', command, { cwd: options.cwd })
}

export function run(
  file: string,
  args: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
): Promise<Ran> {
  return new Promise((resolve, reject) => {
    execFile(file, args, { timeout: 15_000, ...options }, (error, out, err) => {
      if (error !== null && typeof error.code !== 'number') reject(error)
      else resolve({ code: error === null ? 0 : Number(error.code), out, err })
    })
  })
}

/** A tool of Debian, and the package that it comes from. */
export async function tool(name: 'openssl' | 'certtool', ...args: readonly string[]): Promise<Ran> {
  const debian = { openssl: 'openssl', certtool: 'gnutls-bin' }[name]
  return run(name, args).catch((error: unknown) => {
    throw new Error(`${name} did not run (${String(error)}): apt-get install ${debian}`)
  })
}

export function filesOf(folder: string, name: string): CredentialFiles & { readonly crlFile: string } {
  const at = (file: string): string => join(folder, file)
  return { caFile: at('ca.pem'), certFile: at(`${name}.pem`), keyFile: at(`${name}.key`), crlFile: at('ca.crl') }
}

export async function modeOf(...path: readonly string[]): Promise<string> {
  return ((await stat(join(...path))).mode & 0o777).toString(8)
}

/** One line on stderr, nothing else, and no stack. */
export function expectFailure(ran: Ran, code: ExitCode, text: RegExp): void {
  expect(ran.err).toMatch(text)
  expect(ran.err).toMatch(/^szmq: [^\n]+\n$/)
  expect(ran.err).not.toMatch(/ at .*:\d+/)
  expect(ran).toMatchObject({ code, out: '' })
}
