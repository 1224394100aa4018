import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import koffi from 'koffi'
import { describe, expect, it } from 'vitest'
import { createGnutlsEngineFactory } from '../../../../src/security/gnutls-engine.driver.ts'
import { threadOf } from '../../../../src/security/gnutls/thread.driver.ts'
import type { Report } from '../../../support/gnutls-threads/child.ts'
import { held, openSession } from '../../../support/gnutls-threads/thread.ts'
import { createTestPki } from '../../../contract/test-pki.ts'

const MEGABYTE = 1024 * 1024

describe('sessions that ended', () => {
  it('leave no memory and no callback behind: 2 000 with a handshake, 8 000 without', async () => {
    const { nodeA } = await createTestPki()
    const factory = createGnutlsEngineFactory({ role: 'client', credentials: nodeA, serverName: 'node-b' })
    const runRounds = async (rounds: number): Promise<void> => {
      for (let round = 0; round < rounds; round++) {
        for (let made = 0; made < 100; made++) for (const engine of openSession()) engine.destroy()
        for (let made = 0; made < 800; made++) {
          const engine = factory(() => {})
          if (made % 2 === 0) engine.start()
          engine.destroy()
        }
        await new Promise<void>((resolve) => {
          setImmediate(resolve)
        })
      }
    }
    // The heap of JavaScript and the pools of C take their shape first.
    await runRounds(4)
    const [callbacks, live, rss] = [koffi.stats().callbacks, threadOf().live, process.memoryUsage.rss()]
    await runRounds(10)
    expect(koffi.stats().callbacks).toBe(callbacks)
    expect(threadOf().live).toBe(live)
    // 9 000 leaked sessions would be more than 150 MB.
    expect(process.memoryUsage.rss() - rss).toBeLessThan(40 * MEGABYTE)
    expect(held).toEqual([])
  }, 30_000)
})

describe('threads with live sessions', () => {
  // Each worker thread of the child has sessions of its own when it ends.
  it.each([
    ['end by themselves', 'end', 0],
    ['call process.exit()', 'exit', 0],
    ['throw', 'throw', 0],
    ['are terminated in the midst of handshakes', 'terminate', 8],
  ] as const)(
    'that %s end alone: the process lives, and its other sessions go on',
    async (_what, way, callbacksEach) => {
      const THREADS = 4
      const child = fork(
        fileURLToPath(new URL('../../../support/gnutls-threads/child.ts', import.meta.url)),
        [way, `${THREADS}`],
        {
          execArgv: ['--import', 'tsx'],
          stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
        },
      )
      let complaints = ''
      child.stderr?.setEncoding('utf8').on('data', (text: string) => (complaints += text))
      let report: Report | undefined
      child.on('message', (message) => {
        report = message as Report
      })
      const [code, signal] = (await once(child, 'close')) as [number | null, string | null]
      expect({ code, signal, complaints }).toEqual({ code: 0, signal: null, complaints: '' })
      expect(report?.ended).toBe(THREADS)
      // A thread that is terminated cannot give its callbacks back.
      expect(report?.callbacks).toBeLessThanOrEqual(callbacksEach * THREADS)
    },
    30_000,
  )
})
