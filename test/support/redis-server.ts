import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const START_TIMEOUT_MS = 10_000

/** A Redis server of this test's own: on a socket file, so that no port can be taken; writes nothing to disk. */
export class RedisServer implements AsyncDisposable {
  readonly socketPath: string
  readonly #folder: string
  readonly #process: ChildProcess

  private constructor(folder: string) {
    this.#folder = folder
    this.socketPath = join(folder, 'redis.sock')
    const options = { port: '0', unixsocket: this.socketPath, save: '', appendonly: 'no', dir: folder, daemonize: 'no' }
    this.#process = spawn(
      'redis-server',
      Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]),
      { stdio: ['ignore', 'pipe', 'ignore'] },
    )
  }

  /** Ready to accept connections. */
  static async start(): Promise<RedisServer> {
    const server = new RedisServer(await mkdtemp(join(tmpdir(), 'szmq-redis-')))
    try {
      await server.#untilReady()
      return server
    } catch (cause) {
      await server[Symbol.asyncDispose]()
      throw cause
    }
  }

  /** Connections stay, answers stay away. */
  pause(): void {
    this.#process.kill('SIGSTOP')
  }

  resume(): void {
    this.#process.kill('SIGCONT')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Without a pid it never began; otherwise a paused one ends by SIGKILL only.
    if (this.#process.pid !== undefined && this.#process.exitCode === null && this.#process.signalCode === null) {
      const ended = once(this.#process, 'exit')
      this.#process.kill('SIGKILL')
      await ended
    }
    await rm(this.#folder, { recursive: true, force: true })
  }

  #untilReady(): Promise<void> {
    return new Promise((resolve, reject) => {
      let log = ''
      const give = (why: string, cause?: unknown): void => {
        reject(new Error(`redis-server ${why}; is it there? apt-get install redis-server\n${log}`, { cause }))
      }
      const deadline = setTimeout(() => {
        give(`was not ready within ${START_TIMEOUT_MS} ms`)
      }, START_TIMEOUT_MS)
      this.#process.once('error', (cause) => {
        clearTimeout(deadline)
        give('cannot be started', cause)
      })
      this.#process.once('exit', (code) => {
        clearTimeout(deadline)
        give(`ended at once with ${code}`)
      })
      this.#process.stdout?.on('data', (text: Buffer) => {
        if (log.length < 10_000) log += text.toString()
        // The server says so of TCP and of the socket file alike.
        if (!/ready to accept connections/i.test(log)) return
        clearTimeout(deadline)
        resolve()
      })
    })
  }
}
