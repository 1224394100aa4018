import type { Clock } from '../../shared/clock.ts'
import { SzmqError } from '../../shared/errors.ts'
import type { CredentialCandidate } from './credential-candidate.ts'

/** Files that don't answer within this time count as unreadable. */
export const READ_DEADLINE_MS = 5_000

/** Reads with a deadline. While a read hangs (a dead network file system) no other begins: each would take a thread of Node's pool. */
export class CredentialReader {
  readonly #clock: Clock
  #pending: Promise<CredentialCandidate> | undefined
  #abandon: (() => void) | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** One call at a time. Never rejects if `look` does not. @param look Not called while an earlier one has not come back. */
  async read(look: () => Promise<CredentialCandidate>): Promise<CredentialCandidate> {
    const pending = (this.#pending ??= look().finally(() => {
      this.#pending = undefined
    }))
    return new Promise((resolve, reject) => {
      const giveUp = (): void => {
        this.#clock.clearTimeout(timer)
        resolve({ kind: 'unreadable', error: new SzmqError('ERR_SZMQ_BAD_CREDENTIALS', UNANSWERED) })
      }
      const timer = this.#clock.setTimeout(giveUp, READ_DEADLINE_MS)
      this.#abandon = giveUp
      pending
        .finally(() => {
          this.#clock.clearTimeout(timer)
        })
        .then(resolve, reject)
    })
  }

  /** Ends a {@link read} that is under way, as its deadline would. */
  abandon(): void {
    this.#abandon?.()
  }
}

const UNANSWERED = `the credential files did not answer within ${READ_DEADLINE_MS} ms: see to the file system that they are on`
