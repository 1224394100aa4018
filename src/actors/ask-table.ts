import type { Clock, Instant, TimerHandle } from '../shared/clock.ts'
import { SzmqError } from '../shared/errors.ts'
import type { Answerer } from './answerer.ts'

/** Longest wait for an answer when the asker names none, in milliseconds. */
export const DEFAULT_ASK_TIMEOUT_MS = 30_000

/** Node's timers take no longer wait: one that is longer would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1

export interface AskOptions {
  /** Milliseconds until the ask rejects with ERR_SZMQ_ASK_TIMEOUT (outcome unknown). Default 30 000. */
  readonly timeoutMs?: number
  /** Aborting rejects the ask with ERR_SZMQ_ABORTED; the message may still be handled. */
  readonly signal?: AbortSignal
}

interface PendingAsk {
  readonly resolve: (value: unknown) => void
  readonly reject: (error: SzmqError) => void
  readonly describe: () => string
  readonly destination: unknown
  readonly forget: (() => void) | undefined
}

/** Asks of equal patience expire in the order in which they were asked: a queue for each patience, and one timer for all. */
interface Lane {
  readonly timeoutMs: number
  readonly ids: number[]
  readonly deadlines: Instant[]
  head: number
}

/** The answers that a thread waits for. Whatever happens, each ask settles exactly once, at its deadline at the latest. */
export class AskTable {
  readonly #clock: Clock
  readonly #pending = new Map<number, PendingAsk>()
  readonly #lanes = new Map<number, Lane>()
  #nextId = 1
  #timer: { readonly handle: TimerHandle; readonly at: Instant } | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get size(): number {
    return this.#pending.size
  }

  /**
   * @param destination identity of what has to answer: see {@link settle} and {@link failAllTo}.
   * @param describe says who is asked what, for errors.
   */
  open(
    destination: unknown,
    describe: () => string,
    { timeoutMs = DEFAULT_ASK_TIMEOUT_MS, signal }: AskOptions = {},
  ): { readonly id: number; readonly promise: Promise<unknown> } {
    if (!(timeoutMs > 0))
      throw new SzmqError('ERR_SZMQ_INVALID_ARGUMENT', `timeoutMs is ${timeoutMs}; expected a positive number`)
    const id = this.#nextId
    this.#nextId += 1
    if (signal?.aborted === true) return { id, promise: Promise.reject(aborted(describe())) }
    const promise = new Promise<unknown>((resolve, reject) => {
      const forget = signal === undefined ? undefined : this.#watch(signal, id)
      this.#pending.set(id, { resolve, reject, describe, destination, forget })
    })
    this.#enqueue(id, timeoutMs)
    return { id, promise }
  }

  /** The answer to `id`. Ignored when it comes late, twice, or not from whom was asked. @returns was it waited for? */
  settle(id: number, destination: unknown, value: unknown): boolean {
    const ask = this.#take(id, destination)
    ask?.resolve(value)
    return ask !== undefined
  }

  fail(id: number, destination: unknown, error: SzmqError): boolean {
    const ask = this.#take(id, destination)
    ask?.reject(error)
    return ask !== undefined
  }

  /** Someone who can never answer again. */
  failAllTo(destination: unknown, error: (what: string) => SzmqError): void {
    for (const [id, ask] of this.#pending) {
      if (ask.destination === destination) this.fail(id, destination, error(ask.describe()))
    }
  }

  failAll(error: (what: string) => SzmqError): void {
    for (const [id, ask] of this.#pending) this.fail(id, ask.destination, error(ask.describe()))
  }

  /** For a receiver on the same thread, which answers without a number. */
  answererOf(id: number, destination: unknown): Answerer {
    return {
      answer: (value) => {
        this.settle(id, destination, value)
      },
      fail: (error) => {
        this.fail(id, destination, error)
      },
    }
  }

  #take(id: number, destination: unknown): PendingAsk | undefined {
    const ask = this.#pending.get(id)
    if (ask === undefined || ask.destination !== destination) return undefined
    this.#pending.delete(id)
    ask.forget?.()
    return ask
  }

  #watch(signal: AbortSignal, id: number): () => void {
    const onAbort = (): void => {
      const ask = this.#pending.get(id)
      if (ask !== undefined) this.fail(id, ask.destination, aborted(ask.describe()))
    }
    signal.addEventListener('abort', onAbort, { once: true })
    return () => {
      signal.removeEventListener('abort', onAbort)
    }
  }

  #enqueue(id: number, timeoutMs: number): void {
    let lane = this.#lanes.get(timeoutMs)
    if (lane === undefined) {
      lane = { timeoutMs, ids: [], deadlines: [], head: 0 }
      this.#lanes.set(timeoutMs, lane)
    }
    this.#skipSettled(lane)
    if (lane.ids.length > 2 * this.#pending.size + 4_096) this.#compact(lane)
    const deadline = this.#clock.now() + timeoutMs
    lane.ids.push(id)
    lane.deadlines.push(deadline)
    if (deadline < (this.#timer?.at ?? Infinity)) this.#arm(deadline)
  }

  #skipSettled(lane: Lane): void {
    while (lane.head < lane.ids.length && !this.#pending.has(lane.ids[lane.head] as number)) lane.head += 1
    if (lane.head === lane.ids.length || lane.head > 4_096) {
      lane.ids.splice(0, lane.head)
      lane.deadlines.splice(0, lane.head)
      lane.head = 0
    }
  }

  /** One ask that waits long must not keep the places of all that were asked after it. */
  #compact(lane: Lane): void {
    const kept = lane.ids.map((id, at) => [id, lane.deadlines[at] as number] as const).filter(([id]) => this.#pending.has(id))
    lane.ids.splice(0, lane.ids.length, ...kept.map(([id]) => id))
    lane.deadlines.splice(0, lane.deadlines.length, ...kept.map(([, deadline]) => deadline))
    lane.head = 0
  }

  #arm(at: Instant): void {
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer.handle)
    const handle = this.#clock.setTimeout(
      () => {
        this.#timer = undefined
        this.#expire()
      },
      Math.min(MAX_TIMER_MS, Math.max(0, at - this.#clock.now())),
    )
    this.#timer = { handle, at }
  }

  #expire(): void {
    const now = this.#clock.now()
    let next = Infinity
    for (const lane of [...this.#lanes.values()]) {
      this.#skipSettled(lane)
      while (lane.head < lane.ids.length && (lane.deadlines[lane.head] as number) <= now) {
        const id = lane.ids[lane.head] as number
        lane.head += 1
        const ask = this.#pending.get(id)
        if (ask !== undefined) this.fail(id, ask.destination, timedOut(ask.describe(), lane.timeoutMs))
        this.#skipSettled(lane)
      }
      if (lane.head < lane.ids.length) next = Math.min(next, lane.deadlines[lane.head] as number)
      else this.#lanes.delete(lane.timeoutMs)
    }
    if (next < Infinity) this.#arm(next)
  }

  /** Frees the timer; what is pending must have been failed before. */
  close(): void {
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer.handle)
    this.#timer = undefined
    this.#lanes.clear()
  }
}

function timedOut(what: string, timeoutMs: number): SzmqError {
  return new SzmqError(
    'ERR_SZMQ_ASK_TIMEOUT',
    `${what}: no answer within ${timeoutMs} ms. The outcome is unknown: it may have been handled, or still will be`,
  )
}

function aborted(what: string): SzmqError {
  return new SzmqError('ERR_SZMQ_ABORTED', `${what}: given up by its AbortSignal; it may still be handled`)
}
