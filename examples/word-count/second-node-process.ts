import { fork } from 'node:child_process'
import { JobError } from './files.ts'
import type { FromSecondNode, SecondNodeOptions } from './second-node-messages.ts'

/** How long the second node may take to listen, in milliseconds. */
const START_DEADLINE_MS = 20_000

export interface SecondNode {
  readonly pid: number
  /** Addresses of its counters. */
  readonly addresses: readonly string[]
  /** Rejects with a {@link JobError} when the process ends before {@link end}; never resolves. */
  readonly ended: Promise<never>
  readonly kill: () => void
  /** Lets it end, and waits for that. */
  readonly end: () => Promise<void>
}

/** Starts the second node as a process of its own. @throws JobError when it cannot start. */
export async function startSecondNode(options: SecondNodeOptions): Promise<SecondNode> {
  const child = fork(new URL('./second-node.js', import.meta.url), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const exited = new Promise<string>((resolve) => {
    child.once('exit', (code, signal) => {
      resolve(signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`)
    })
  })
  let isEnding = false
  const ended = exited.then<never>((how) => {
    if (isEnding) return new Promise<never>(() => {})
    throw new JobError(
      `the second node (process ${child.pid}) ${how} while it was needed. What it had counted is lost with it: run the count again`,
    )
  })
  ended.catch(() => {})
  child.send(options)
  const timer = new AbortController()
  const answer = await Promise.race([
    new Promise<FromSecondNode>((resolve) => child.once('message', (message) => resolve(message as FromSecondNode))),
    ended,
    delay(START_DEADLINE_MS, timer.signal).then<FromSecondNode>(() => ({
      kind: 'failed',
      message: `it said nothing for ${START_DEADLINE_MS} ms`,
    })),
  ])
  timer.abort()
  const end = async (): Promise<void> => {
    isEnding = true
    if (child.connected) child.disconnect()
    await exited
  }
  if (answer.kind === 'failed') {
    await end()
    throw new JobError(`the second node could not start: ${answer.message}`)
  }
  return { pid: child.pid ?? 0, addresses: answer.addresses, ended, kill: () => child.kill('SIGKILL'), end }
}

function delay(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms)
    signal.addEventListener('abort', () => {
      clearTimeout(timer)
    })
  })
}
