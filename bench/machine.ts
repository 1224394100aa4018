import { execFileSync } from 'node:child_process'
import { availableParallelism, cpus, totalmem } from 'node:os'
import { fileURLToPath } from 'node:url'
import { capability, version } from 'zeromq'

/** Where and with what the figures were taken. */
export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryBytes: number
  readonly platform: string
  readonly node: string
  /** The ZeroMQ library inside zeromq.js. */
  readonly zeromq: string
  readonly hasCurve: boolean
  /** Undefined outside a git checkout. */
  readonly commit: string | undefined
  /** Were there uncommitted changes? */
  readonly isModified: boolean
}

export function describeMachine(): Machine {
  const status = git('status', '--porcelain', '--untracked-files=no')
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    platform: `${process.platform} ${process.arch}`,
    node: process.version,
    zeromq: version,
    hasCurve: capability.curve === true,
    commit: git('rev-parse', 'HEAD'),
    isModified: status !== undefined && status !== '',
  }
}

function git(...args: readonly string[]): string | undefined {
  try {
    const cwd = fileURLToPath(new URL('.', import.meta.url))
    return execFileSync('git', args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  } catch {
    return undefined
  }
}
