import type { Clock } from '../../shared/clock.ts'
import { messageOf, type SzmqError } from '../../shared/errors.ts'
import { systemClock } from '../../shared/system-clock.driver.ts'
import { fingerprintCandidate, type CredentialCandidate } from './credential-candidate.ts'
import type { CredentialFiles } from './credential-files.driver.ts'
import { proveCredentials } from './credential-proof.driver.ts'
import { CredentialReader } from './credential-reader.driver.ts'
import {
  RotatingCredentials,
  type CredentialListener,
  type CredentialSource,
  type ProveCredentials,
} from './credential-source.ts'
import { describeFiles, readCredentialTexts } from './credential-texts.driver.ts'
import { resolveLimits } from '../limits.ts'
import { WatchedFolders } from '../files/watched-folders.driver.ts'
import type { X509Credentials } from './x509-credentials.ts'

/** Files that change at each of so many looks in a row are judged as they are. */
const MAX_UNSETTLED_LOOKS = 20

/** Node's timers fire at once when they are asked for more. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

const DEFAULT_TIMES: WatchTimes = { settleMs: 250, pollMs: 10_000 }

interface WatchTimes {
  /** Files are judged once they stayed as they are for so long: for writers that are not done yet. Default 250. */
  readonly settleMs: number
  /** Files are read this often though nothing was heard: for file systems that don't notify. Default 10 000. */
  readonly pollMs: number
}

export interface CredentialWatchOptions extends Partial<WatchTimes> {
  /** Hears what happens, from the first load on. */
  readonly onEvent: CredentialListener
  /** Default: the system's; its timers don't keep the process alive. */
  readonly clock?: Clock
  /** The time of day, by which certificates are judged. Default: the system's. */
  readonly now?: () => Date
  /** The last check of credentials before they are used. Default: `proveCredentials`. */
  readonly prove?: ProveCredentials
}

/** Credentials that follow their files. Disposing ends the watch; the last credentials stay there. */
export interface WatchedCredentials extends CredentialSource, AsyncDisposable {
  /** Looks at the files now, for those who know that they changed. Resolves when they were judged; never rejects. */
  refresh(): Promise<void>
}

/**
 * Loads credentials and follows their files: whatever is written there is used as soon as it is whole, fits together and is valid now;
 * until then the last good ones stay.
 *
 * A file is read up to 1 MiB, and given up after 5 s. Never keeps the process alive.
 *
 * @throws ERR_SZMQ_BAD_CREDENTIALS if the files as of now cannot be used, naming them; ERR_SZMQ_INVALID_ARGUMENT for times that are none.
 */
export async function watchCredentials(files: CredentialFiles, options: CredentialWatchOptions): Promise<WatchedCredentials> {
  const { onEvent, clock = backgroundClock, now = () => new Date(), prove = proveCredentials, ...given } = options
  const times = resolveLimits(DEFAULT_TIMES, definedOf(given))
  const reader = new CredentialReader(clock)
  const first = await reader.read(() => readCredentialTexts(files))
  const rotating = new RotatingCredentials(first, {
    now: now(),
    prove,
    origin: describeFiles(files),
    listener: onEvent,
    onListenerFailure: (thrown) => {
      process.emitWarning(`a listener of credentials threw: ${messageOf(thrown)}`, { type: 'SzmqWarning' })
    },
  })
  return new CredentialWatch({ files, first, rotating, reader, clock, now, times })
}

const backgroundClock: Clock = {
  ...systemClock,
  setTimeout: (callback, delayMs) => setTimeout(callback, delayMs).unref(),
}

function definedOf({ settleMs, pollMs }: Partial<WatchTimes>): Partial<WatchTimes> {
  return { ...(settleMs === undefined ? {} : { settleMs }), ...(pollMs === undefined ? {} : { pollMs }) }
}

interface WatchParts {
  readonly files: CredentialFiles
  readonly first: CredentialCandidate
  readonly rotating: RotatingCredentials
  readonly reader: CredentialReader
  readonly clock: Clock
  readonly now: () => Date
  readonly times: WatchTimes
}

class CredentialWatch implements WatchedCredentials {
  readonly #parts: WatchParts
  readonly #paths: readonly string[]
  readonly #folders = new WatchedFolders(() => {
    this.#hint()
  })
  readonly #running: Promise<void>
  /** What the last look saw. */
  #seen: string
  /** Something may have changed since the last look began. */
  #isHinted = false
  #isDisposed = false
  #asked: (() => void)[] = []
  /** During a pause that a hint ends. */
  #endRest: (() => void) | undefined
  /** During any pause. */
  #endPause: (() => void) | undefined

  constructor(parts: WatchParts) {
    const { caFile, certFile, keyFile, crlFile } = parts.files
    this.#parts = parts
    this.#paths = [caFile, certFile, keyFile, crlFile].filter((path) => path !== undefined)
    this.#seen = fingerprintCandidate(parts.first)
    this.#running = this.#run()
  }

  get current(): X509Credentials {
    return this.#parts.rotating.current
  }

  get problem(): SzmqError | undefined {
    return this.#parts.rotating.problem
  }

  subscribe(listener: CredentialListener): () => void {
    return this.#parts.rotating.subscribe(listener)
  }

  withdraw(unusable: X509Credentials, error: unknown, keep: X509Credentials): void {
    if (!this.#isDisposed) this.#parts.rotating.withdraw(unusable, error, keep)
  }

  async refresh(): Promise<void> {
    if (this.#isDisposed) return
    // Whoever waits must not see the process end for want of anything else to do.
    const keptAlive = setInterval(() => {}, LONGEST_TIMER_MS)
    await new Promise<void>((resolve) => {
      this.#asked.push(resolve)
      this.#hint()
    })
    clearInterval(keptAlive)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isDisposed = true
    this.#folders.close()
    this.#parts.reader.abandon()
    this.#endPause?.()
    await this.#running
  }

  #hint(): void {
    this.#isHinted = true
    this.#endRest?.()
  }

  async #run(): Promise<void> {
    while (!this.#isDisposed) {
      this.#isHinted = false
      const asked = this.#asked.splice(0)
      await this.#lookUntilSettled()
      for (const answer of asked) answer()
      // However busy the folders are.
      await this.#pause(this.#parts.times.settleMs)
      if (!this.#isHinted) await this.#rest()
    }
    for (const answer of this.#asked.splice(0)) answer()
  }

  async #lookUntilSettled(): Promise<void> {
    const { reader, rotating, now, times } = this.#parts
    for (let looks = 1; !this.#isDisposed; looks++) {
      const candidate = await reader.read(() => this.#look())
      if (this.#isDisposed) return
      const seen = fingerprintCandidate(candidate)
      const isSettled = seen === this.#seen || looks === MAX_UNSETTLED_LOOKS
      this.#seen = seen
      if (isSettled) rotating.offer(candidate, now())
      rotating.onTime(now())
      if (isSettled) return
      await this.#pause(times.settleMs)
    }
  }

  /** Watches first, so that no change falls between reading and watching. */
  async #look(): Promise<CredentialCandidate> {
    await this.#folders.follow(this.#paths)
    return readCredentialTexts(this.#parts.files)
  }

  async #rest(): Promise<void> {
    const { rotating, now, times } = this.#parts
    const untilDueMs = (rotating.nextDeadline ?? Infinity) - now().getTime()
    const rested = this.#pause(Math.max(1, Math.min(times.pollMs, untilDueMs, LONGEST_TIMER_MS)))
    this.#endRest = this.#endPause
    await rested
    this.#endRest = undefined
  }

  async #pause(delayMs: number): Promise<void> {
    if (this.#isDisposed) return
    const { clock } = this.#parts
    await new Promise<void>((resolve) => {
      const timer = clock.setTimeout(resolve, delayMs)
      this.#endPause = () => {
        clock.clearTimeout(timer)
        resolve()
      }
    })
  }
}
