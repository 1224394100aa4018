import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** TLS programs of Debian, and the packages that they come from. */
const PACKAGES = { openssl: 'openssl', 'gnutls-cli': 'gnutls-bin', sslscan: 'sslscan', testssl: 'testssl.sh' } as const

export interface ToolRun {
  readonly code: number | null
  /** What it wrote, both streams; bytes as latin1. */
  readonly text: string
}

export interface ToolOptions {
  /** The input stays open until the tool wrote this. Without it: until the tool ends by itself. */
  readonly until?: string
  readonly timeoutMs?: number
}

/** @throws if the tool is not installed, with what to do, or does not end by `timeoutMs`, with what it wrote. */
export async function runTlsTool(
  name: keyof typeof PACKAGES,
  args: readonly string[],
  { until, timeoutMs = 15_000 }: ToolOptions = {},
): Promise<ToolRun> {
  const child = spawn(name, args)
  let text = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('latin1').on('data', (chunk: string) => {
      text += chunk
      if (until !== undefined && text.includes(until)) child.stdin.end()
    })
  }
  child.stdin.on('error', () => {})
  const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs)
  try {
    const [code] = (await once(child, 'close')) as [number | null]
    if (code === null) throw new Error(`${name} was not done after ${timeoutMs} ms; it wrote:\n${text}`)
    return { code, text }
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') {
      throw new Error(`${name} is missing: apt-get install ${PACKAGES[name]}`, { cause: error })
    }
    throw error
  } finally {
    clearTimeout(timer)
  }
}

/** `sslscan` of `authority`. */
export async function sslscan(authority: string): Promise<string> {
  return (await runTlsTool('sslscan', ['--no-colour', '--show-certificate', authority], { timeoutMs: 30_000 })).text
}

/**
 * What `testssl` found, by the id of the finding. It works for 10 to 20 seconds, several times that when others need the processors too.
 *
 * @param checks such as `-p` (protocols), `-s` (cipher categories), `-f` (forward secrecy), `-U` (vulnerabilities)
 */
export async function testssl(authority: string, checks: readonly string[]): Promise<ReadonlyMap<string, Finding>> {
  const folder = await mkdtemp(join(tmpdir(), 'szmq-testssl-'))
  const file = join(folder, 'found.json')
  const quiet = ['--quiet', '--color', '0', '--warnings', 'off', '--nodns', 'none', '--ids-friendly']
  const bounds = ['--openssl-timeout', '30', '--connect-timeout', '30']
  try {
    const args = [...quiet, ...bounds, ...checks, '--jsonfile', file, authority]
    const { text } = await runTlsTool('testssl', args, { timeoutMs: TESTSSL_TIMEOUT_MS })
    const found = JSON.parse(await readFile(file, 'utf8').catch(() => Promise.reject(new Error(text)))) as (Finding & {
      readonly id: string
    })[]
    return new Map(found.map((finding) => [finding.id, finding]))
  } finally {
    await rm(folder, { recursive: true })
  }
}

export const TESTSSL_TIMEOUT_MS = 170_000

export interface Finding {
  readonly severity: 'OK' | 'INFO' | 'WARN' | 'DEBUG' | 'LOW' | 'MEDIUM' | 'HIGH' | 'CRITICAL'
  readonly finding: string
}
