import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { promisify } from 'node:util'

export interface Output {
  readonly stdout: string
  readonly ms: number
}

const MAX_OUTPUT_BYTES = 4 * 1024 * 1024

/**
 * A program's whole output.
 *
 * @returns undefined when there is no such program
 * @throws Error when it fails, or is not done after `deadlineMs`: it is ended then
 */
export async function outputOf(program: string, args: readonly string[], deadlineMs: number): Promise<Output | undefined> {
  const startedMs = performance.now()
  try {
    const options = { timeout: deadlineMs, maxBuffer: MAX_OUTPUT_BYTES, encoding: 'utf8' } as const
    const { stdout } = await promisify(execFile)(program, args, options)
    return { stdout, ms: performance.now() - startedMs }
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

/** Ended by {@link end} or together with this process. Its output is thrown away. */
export function start(program: string, args: readonly string[]): ChildProcess {
  const child = spawn(program, args, { stdio: 'ignore' })
  const endWithUs = (): void => {
    child.kill()
  }
  process.once('exit', endWithUs)
  child.once('exit', () => {
    process.off('exit', endWithUs)
  })
  return child
}

export async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill()
  await ended
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}
