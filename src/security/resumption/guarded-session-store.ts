import { LRUCache } from 'lru-cache'
import { assertNever } from '../../shared/assert-never.ts'
import { toHex } from '../../shared/bytes.ts'
import type { Clock } from '../../shared/clock.ts'
import { CircuitBreaker, type CircuitBreakerLimits } from './circuit-breaker.ts'
import { resolveLimits } from '../limits.ts'
import {
  DEFAULT_MAX_SESSION_BYTES,
  isSessionId,
  requireSession,
  type SessionStore,
  type SetSessionOptions,
} from './session-store.ts'
import { describeFailure } from './store-failure.ts'

export interface GuardedSessionStoreLimits extends CircuitBreakerLimits {
  /** No call waits longer: the session then counts as absent. Default 500. */
  readonly timeoutMs: number
  /** A longer session is neither stored nor taken. Default 16 KiB. */
  readonly maxSessionBytes: number
  /** So many calls may wait for the store at once; more are not made. Default 1 000. */
  readonly maxPending: number
  /** After so many slow or failed calls in a row the store is left alone for a while. Default 5. */
  readonly restAfterFailures: number
  /** For how long first; doubled while the one call that is tried after each rest is slow or fails too. Default 1 000. */
  readonly restMinMs: number
  /** And no longer than this. Default 30 000. */
  readonly restMaxMs: number
  /** Of each kind of problem the first is reported, and then every so many-th. Default 1 000. */
  readonly reportEvery: number
}

export const DEFAULT_GUARDED_SESSION_STORE_LIMITS: GuardedSessionStoreLimits = {
  timeoutMs: 500,
  maxSessionBytes: DEFAULT_MAX_SESSION_BYTES,
  maxPending: 1_000,
  restAfterFailures: 5,
  restMinMs: 1_000,
  restMaxMs: 30_000,
  reportEvery: 1_000,
}

/** Deleted ids that are remembered: a store that could not be told must not bring them back. */
const MAX_DELETED_IDS = 1_000

export type SessionStoreOperation = 'get' | 'set' | 'delete'

/** What goes wrong with a store. None of it fails a handshake. `detail` names a cause without quoting it: it may hold a session. */
export type SessionStoreProblem =
  /** No answer within `timeoutMs`. */
  | { readonly kind: 'slow'; readonly operation: SessionStoreOperation; readonly timeoutMs: number; readonly count: number }
  /** It threw, rejected, answered something that is no session, or was given something that is none. */
  | { readonly kind: 'failed'; readonly operation: SessionStoreOperation; readonly detail: string; readonly count: number }
  /** A session longer than `maxSessionBytes`, in the store or on its way there. */
  | { readonly kind: 'oversized'; readonly operation: SessionStoreOperation; readonly bytes: number; readonly count: number }
  /** `maxPending` calls waited already: this one was not made. */
  | { readonly kind: 'busy'; readonly operation: SessionStoreOperation; readonly maxPending: number; readonly count: number }
  /** Too many slow or failed calls in a row: the store is not asked for `restMs`. */
  | { readonly kind: 'resting'; readonly restMs: number; readonly count: number }

/** How calls ended, each counted once: all but `resting` add up to the calls that were made and are no longer under way. */
export interface SessionStoreCounters {
  /** `get` gave a session. */
  readonly hits: number
  /** The store had none. */
  readonly misses: number
  readonly stored: number
  readonly deleted: number
  readonly slow: number
  readonly failed: number
  readonly oversized: number
  readonly busy: number
  /** Not made, as the store was at rest or the guard disposed. */
  readonly skipped: number
  /** How many rests began. */
  readonly resting: number
}

export interface GuardSessionStoreOptions extends Partial<GuardedSessionStoreLimits> {
  readonly clock: Clock
  /** Told at once, rarely (`reportEvery`); `count` says how many there were of this kind. What it throws is ignored. */
  readonly onProblem?: (problem: SessionStoreProblem) => void
}

/**
 * What an engine may rely on: nothing here throws, rejects or waits longer than `timeoutMs`, whatever `store` does. A store that is slow,
 * silent, failing, flooded or answers nonsense means full handshakes, some counters and a report. `store` stays its owner's to dispose.
 *
 * @throws ERR_SZMQ_INVALID_ARGUMENT for a limit that is no positive number
 */
export function guardSessionStore(store: SessionStore, options: GuardSessionStoreOptions): GuardedSessionStore {
  const { clock, onProblem = () => {}, ...limits } = options
  return new GuardedSessionStore(store, resolveLimits(DEFAULT_GUARDED_SESSION_STORE_LIMITS, limits), clock, onProblem)
}

type Outcome<Value> =
  | { readonly kind: 'answered'; readonly value: Value }
  | { readonly kind: 'failed'; readonly detail: string }
  | { readonly kind: 'slow' }

/** Made by {@link guardSessionStore}. */
export class GuardedSessionStore implements AsyncDisposable {
  readonly #store: SessionStore
  readonly #limits: GuardedSessionStoreLimits
  readonly #clock: Clock
  readonly #onProblem: (problem: SessionStoreProblem) => void
  readonly #breaker: CircuitBreaker
  readonly #pending = new Set<Promise<unknown>>()
  readonly #deletedIds = new LRUCache<string, true>({ max: MAX_DELETED_IDS })
  readonly #counters = {
    hits: 0,
    misses: 0,
    stored: 0,
    deleted: 0,
    slow: 0,
    failed: 0,
    oversized: 0,
    busy: 0,
    skipped: 0,
    resting: 0,
  }
  #isDisposed = false

  constructor(
    store: SessionStore,
    limits: GuardedSessionStoreLimits,
    clock: Clock,
    onProblem: (problem: SessionStoreProblem) => void,
  ) {
    this.#store = store
    this.#limits = limits
    this.#clock = clock
    this.#onProblem = onProblem
    this.#breaker = new CircuitBreaker(limits)
  }

  /** As of now. */
  get counters(): SessionStoreCounters {
    return { ...this.#counters }
  }

  /**
   * Never rejects; settles within `timeoutMs`.
   * @returns the session, bytes of the caller's own; nothing means a full handshake
   */
  async get(id: Uint8Array): Promise<Uint8Array | undefined> {
    const ownId = new Uint8Array(id)
    if (!isSessionId(ownId) || this.#isDeleted(ownId)) return this.#miss()
    return this.#ask(
      'get',
      async () => readAnswer(await this.#store.get(ownId)),
      (session) => {
        // Or deleted while the store was looking for it.
        if (session === undefined || this.#isDeleted(ownId)) return this.#miss()
        if (this.#isOversized('get', session)) return undefined
        this.#counters.hits += 1
        return new Uint8Array(session)
      },
    )
  }

  /** Returns at once; what becomes of it shows in the counters. `id` and `session` are copied. */
  set(id: Uint8Array, session: Uint8Array, { expiresInMs }: SetSessionOptions): void {
    if (this.#isOversized('set', session)) return
    try {
      requireSession(id, session, { expiresInMs }, this.#limits.maxSessionBytes)
    } catch (thrown) {
      this.#fail('set', describeFailure(thrown))
      return
    }
    const [ownId, ownSession] = [new Uint8Array(id), new Uint8Array(session)]
    this.#deletedIds.delete(toHex(ownId))
    void this.#ask(
      'set',
      () => this.#store.set(ownId, ownSession, { expiresInMs }),
      () => {
        this.#counters.stored += 1
      },
    )
  }

  /**
   * Returns at once. From now on {@link get} gives nothing for `id` until it is set again, even if the store cannot be told (of the last
   * 1 000 that were deleted; other processes learn it from the store only).
   */
  delete(id: Uint8Array): void {
    const ownId = new Uint8Array(id)
    if (isSessionId(ownId)) this.#deletedIds.set(toHex(ownId), true)
    void this.#ask(
      'delete',
      () => this.#store.delete(ownId),
      () => {
        this.#counters.deleted += 1
      },
    )
  }

  /** Makes no further call, and waits for those that are under way: at most `timeoutMs`. Idempotent. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isDisposed = true
    await Promise.all(this.#pending)
  }

  /** The call is made before this returns, so that calls reach the store in order. @returns nothing unless the store answered in time */
  async #ask<Value, Result>(
    operation: SessionStoreOperation,
    call: () => Promise<Value>,
    onAnswer: (value: Value) => Result,
  ): Promise<Result | undefined> {
    const { maxPending } = this.#limits
    if (this.#pending.size >= maxPending) {
      this.#report({ kind: 'busy', operation, maxPending, count: (this.#counters.busy += 1) })
      return undefined
    }
    if (this.#isDisposed || !this.#breaker.mayAsk(this.#clock.now())) {
      this.#counters.skipped += 1
      return undefined
    }
    const pending = this.#outcomeOf(call)
    this.#pending.add(pending)
    const outcome = await pending
    this.#pending.delete(pending)
    return this.#conclude(operation, outcome, onAnswer)
  }

  #outcomeOf<Value>(call: () => Promise<Value>): Promise<Outcome<Value>> {
    return new Promise((resolve) => {
      const timer = this.#clock.setTimeout(() => {
        resolve({ kind: 'slow' })
      }, this.#limits.timeoutMs)
      void settle(call).then((outcome) => {
        this.#clock.clearTimeout(timer)
        resolve(outcome)
      })
    })
  }

  #conclude<Value, Result>(
    operation: SessionStoreOperation,
    outcome: Outcome<Value>,
    onAnswer: (value: Value) => Result,
  ): Result | undefined {
    switch (outcome.kind) {
      case 'answered':
        this.#breaker.succeeded()
        return onAnswer(outcome.value)
      case 'slow':
        this.#report({ kind: 'slow', operation, timeoutMs: this.#limits.timeoutMs, count: (this.#counters.slow += 1) })
        break
      case 'failed':
        this.#fail(operation, outcome.detail)
        break
      default:
        return assertNever(outcome)
    }
    const restMs = this.#breaker.failed(this.#clock.now())
    if (restMs !== undefined) this.#report({ kind: 'resting', restMs, count: (this.#counters.resting += 1) })
    return undefined
  }

  #isDeleted(id: Uint8Array): boolean {
    return this.#deletedIds.has(toHex(id))
  }

  #miss(): undefined {
    this.#counters.misses += 1
  }

  #isOversized(operation: SessionStoreOperation, session: Uint8Array): boolean {
    if (session.length <= this.#limits.maxSessionBytes) return false
    this.#report({ kind: 'oversized', operation, bytes: session.length, count: (this.#counters.oversized += 1) })
    return true
  }

  #fail(operation: SessionStoreOperation, detail: string): void {
    this.#report({ kind: 'failed', operation, detail, count: (this.#counters.failed += 1) })
  }

  #report(problem: SessionStoreProblem): void {
    if ((problem.count - 1) % this.#limits.reportEvery !== 0) return
    try {
      this.#onProblem(problem)
    } catch {
      // A listener's own failure must not become a handshake's.
    }
  }
}

/** Calls at once. A promise that never settles gives one too. */
async function settle<Value>(call: () => Promise<Value>): Promise<Outcome<Value>> {
  try {
    return { kind: 'answered', value: await call() }
  } catch (thrown) {
    return { kind: 'failed', detail: describeFailure(thrown) }
  }
}

/** Stores are written by others: what they answer is looked at before it is believed. `null` is what many databases say for nothing. */
function readAnswer(answer: unknown): Uint8Array | undefined {
  if (answer === undefined || answer === null) return undefined
  if (answer instanceof Uint8Array && answer.length > 0) return answer
  throw new TypeError('not the bytes of a session')
}
