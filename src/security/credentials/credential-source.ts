import { messageOf, SzmqError } from '../../shared/errors.ts'
import {
  fingerprintCandidate,
  fingerprintCredentials,
  parseCandidate,
  type CredentialCandidate,
} from './credential-candidate.ts'
import { TermWatch, type CredentialTerm, type TermEvent } from './credential-terms.ts'
import type { X509Identity } from '../identity.ts'
import type { X509Credentials } from './x509-credentials.ts'

/** Distinct problems that are remembered as told; after so many without a good candidate between them all may be told again. */
export const MAX_TOLD_PROBLEMS = 64

/** What happens to credentials while they are in use. Plain data but for the error, no secrets. */
export type CredentialEvent =
  /** From now on new sessions use `to`; those that are there keep what they have. */
  | {
      readonly kind: 'rotated'
      readonly from: X509Identity
      readonly to: X509Identity
      /** The CAs or the revocation lists are others. Open sessions were accepted under the old ones: see `docs/rotation.md`. */
      readonly trustChanged: boolean
    }
  /** What was found cannot be used; the credentials in use stay. Each distinct problem is told once until a good candidate comes. */
  | {
      readonly kind: 'refused'
      readonly error: SzmqError
      /** Until when the certificate that stays in use is valid, ISO 8601. */
      readonly kept: string
    }
  | TermEvent

export type CredentialListener = (event: CredentialEvent) => void

/** Credentials that may be renewed while they are in use. */
export interface CredentialSource {
  /** The last good ones. */
  readonly current: X509Credentials
  /** Why what was found last is not what is in use; undefined while it is. */
  readonly problem: SzmqError | undefined
  /** @returns what ends the subscription. A listener that throws harms neither the source nor other listeners. */
  subscribe(listener: CredentialListener): () => void
  /**
   * `unusable` passed every check, and yet a TLS library refused it: goes back to `keep` and does not come back to `unusable`. Nothing
   * happens if it is not the current one any more.
   */
  withdraw(unusable: X509Credentials, error: unknown, keep: X509Credentials): void
}

/**
 * A last check of credentials whose parts fit together, such as a TLS library's.
 *
 * @returns what else must be current for them to be of use, besides the own certificate.
 * @throws ERR_SZMQ_BAD_CREDENTIALS to refuse them
 */
export type ProveCredentials = (credentials: X509Credentials, now: Date) => readonly CredentialTerm[]

export interface RotatingCredentialsOptions {
  readonly now: Date
  /** Default: none. */
  readonly prove?: ProveCredentials | undefined
  /** Where candidates come from, for errors: `certificate /etc/node.pem, …`. */
  readonly origin?: string | undefined
  /** Hears everything from the first moment on, also what is to tell about the first credentials. */
  readonly listener?: CredentialListener | undefined
  /** A listener threw. Default: ignored. */
  readonly onListenerFailure?: ((thrown: unknown) => void) | undefined
}

/**
 * Sans-IO: holds the credentials in use, judges candidates, keeps the last good ones and says so. Owns no timer: call {@link onTime} at
 * {@link nextDeadline} or later; extra calls are harmless.
 */
export class RotatingCredentials implements CredentialSource {
  readonly #prove: ProveCredentials
  readonly #origin: string
  readonly #onListenerFailure: (thrown: unknown) => void
  readonly #listeners = new Set<CredentialListener>()
  readonly #terms = new TermWatch()
  readonly #proven = new WeakMap<X509Credentials, readonly CredentialTerm[]>()
  readonly #toldProblems = new Set<string>()
  #current: X509Credentials
  #problem: SzmqError | undefined
  /** Fingerprint of what was withdrawn last. */
  #withdrawn: string | undefined

  /** @throws ERR_SZMQ_BAD_CREDENTIALS if the first candidate is not good, naming what is wrong with it and what to do */
  constructor(first: CredentialCandidate, { now, prove, origin, listener, onListenerFailure }: RotatingCredentialsOptions) {
    this.#prove = prove ?? (() => [])
    this.#origin = origin ?? ''
    this.#onListenerFailure = onListenerFailure ?? (() => {})
    if (listener !== undefined) this.#listeners.add(listener)
    const judged = this.#judge(first, now)
    if (judged instanceof SzmqError) throw judged
    this.#current = judged
    this.#watchTerms()
    this.onTime(now)
  }

  get current(): X509Credentials {
    return this.#current
  }

  get problem(): SzmqError | undefined {
    return this.#problem
  }

  subscribe(listener: CredentialListener): () => void {
    // Of its own, so that one function may subscribe twice and each subscription ends by itself.
    const own: CredentialListener = (event) => {
      listener(event)
    }
    this.#listeners.add(own)
    return () => {
      this.#listeners.delete(own)
    }
  }

  /** Something was found. What is in use already changes nothing; a good one is used from now on; any other is told of, once. */
  offer(candidate: CredentialCandidate, now: Date): void {
    const fingerprint = fingerprintCandidate(candidate)
    if (fingerprint === this.#withdrawn) return
    // Before it is judged: it may have expired since.
    if (fingerprint === fingerprintCredentials(this.#current)) {
      this.#allIsWell()
      return
    }
    const from = this.#current
    const judged = this.#judge(candidate, now, from.identity)
    if (judged instanceof SzmqError) {
      this.#refuse(judged)
      return
    }
    this.#current = judged
    this.#watchTerms()
    this.#allIsWell()
    const trustChanged = from.trust.fingerprint !== judged.trust.fingerprint
    this.#emit({ kind: 'rotated', from: from.identity, to: judged.identity, trustChanged })
    this.onTime(now)
  }

  withdraw(unusable: X509Credentials, error: unknown, keep: X509Credentials): void {
    if (unusable !== this.#current || keep === unusable) return
    this.#withdrawn = fingerprintCredentials(unusable)
    this.#current = keep
    this.#watchTerms()
    this.#refuse(this.#toProblem(error))
  }

  /** Tells what is about to end. */
  onTime(now: Date): void {
    for (const event of this.#terms.onTime(now.getTime())) this.#emit(event)
  }

  /** In milliseconds of the epoch. */
  get nextDeadline(): number | undefined {
    return this.#terms.nextDeadline
  }

  #judge(candidate: CredentialCandidate, now: Date, holder?: X509Identity): X509Credentials | SzmqError {
    if (candidate.kind === 'unreadable') return candidate.error
    try {
      const credentials = parseCandidate(candidate.input, { now, holder })
      this.#proven.set(credentials, this.#prove(credentials, now))
      return credentials
    } catch (thrown) {
      return this.#toProblem(thrown)
    }
  }

  #watchTerms(): void {
    const { validFrom, validTo } = this.#current.identity
    this.#terms.setTerms([{ what: 'certificate', validFrom, validTo }, ...(this.#proven.get(this.#current) ?? [])])
  }

  #allIsWell(): void {
    this.#problem = undefined
    this.#withdrawn = undefined
    this.#toldProblems.clear()
  }

  #refuse(error: SzmqError): void {
    this.#problem = error
    if (this.#toldProblems.has(error.message)) return
    if (this.#toldProblems.size >= MAX_TOLD_PROBLEMS) this.#toldProblems.clear()
    this.#toldProblems.add(error.message)
    this.#emit({ kind: 'refused', error, kept: this.#current.identity.validTo })
  }

  #toProblem(thrown: unknown): SzmqError {
    const where = this.#origin === '' ? '' : ` (${this.#origin})`
    return new SzmqError('ERR_SZMQ_BAD_CREDENTIALS', `${messageOf(thrown)}${where}`, { cause: thrown })
  }

  #emit(event: CredentialEvent): void {
    // A copy: whoever subscribes meanwhile hears the next one.
    for (const listener of [...this.#listeners]) {
      try {
        listener(event)
      } catch (thrown) {
        this.#onListenerFailure(thrown)
      }
    }
  }
}
