import { isSzmqErrorCode, SzmqError } from '../shared/errors.ts'
import { wrapBytes, type MessageCodec } from '../transport/index.ts'
import type { Answerer } from './answerer.ts'
import type { DeadLetterReason } from './dead-letters.ts'
import { FIRST_SELECTOR } from './protocol.ts'
import { RUNTIME_ID, Signal, type FailurePayload } from './signal.ts'

/** A batch leaves when it has this many messages, or about this many bytes, or when the turn ends. */
const BATCH_MESSAGES = 512
const BATCH_BYTES = 64 * 1024
/** Messages that may wait here for a way that is blocked; one more is refused. */
export const OUTBOX_CAPACITY = 65_536
/** So much of an error's text travels. */
const MAX_FAILURE_TEXT = 4_096

/** A message that an outbox could not deliver, and why. */
export interface Undelivered {
  readonly target: number
  readonly selector: number
  /** Set when somebody waits for an answer to it, or when it is an answer. */
  readonly askId: number | undefined
  readonly reason: DeadLetterReason
  readonly error: SzmqError
}

/**
 * What leaves a thread for one other thread, here or on another node: messages told in one turn go as one batch. A batch is a flat
 * list of `target, operation, payload` and, for asks and answers, `askId`; the operation is twice the selector, plus one when an
 * askId follows.
 */
export class Outbox {
  /** For errors: `thread 2`, `node b, thread 1`. */
  readonly destination: string
  readonly #codec: MessageCodec
  /** Hands a packed batch on; false: not now, {@link resume} will be called. */
  readonly #carry: (batch: Uint8Array) => boolean
  readonly #maxBatchBytes: number
  readonly #markDirty: (outbox: Outbox) => void
  readonly #onUndelivered: (letter: Undelivered) => void

  #batch: unknown[] = []
  #messages = 0
  #bytes = 0
  /** Full batches behind one that could not be carried yet. */
  #sealed: unknown[][] = []
  #blocked: PackedBatch | undefined
  #waiting = 0
  #isDirty = false
  #isCarrying = false
  #lost: { readonly reason: DeadLetterReason; readonly error: SzmqError } | undefined
  #readyWaiters: (() => void)[] = []

  constructor({
    destination,
    codec,
    carry,
    maxBatchBytes,
    markDirty,
    onUndelivered,
  }: {
    readonly destination: string
    readonly codec: MessageCodec
    readonly carry: (batch: Uint8Array) => boolean
    /** The longest batch that the way takes; a single message that is longer is refused. */
    readonly maxBatchBytes: number
    readonly markDirty: (outbox: Outbox) => void
    readonly onUndelivered: (letter: Undelivered) => void
  }) {
    this.destination = destination
    this.#codec = codec
    this.#carry = carry
    this.#maxBatchBytes = maxBatchBytes
    this.#markDirty = markDirty
    this.#onUndelivered = onUndelivered
  }

  /** Why nothing can be sent there any more. */
  get lostError(): SzmqError | undefined {
    return this.#lost?.error
  }

  /**
   * @param askId for messages that want, or are, an answer.
   * @throws ERR_SZMQ_BACKPRESSURE when {@link OUTBOX_CAPACITY} messages wait: the sender did not `await ref.ready()`.
   */
  push(target: number, selector: number, payload: unknown, askId?: number): void {
    if (this.#lost !== undefined) {
      this.#onUndelivered({ target, selector, askId, ...this.#lost })
      return
    }
    if (this.#waiting >= OUTBOX_CAPACITY && selector >= FIRST_SELECTOR) throw this.#backpressure()
    const packable = orElse(wrapBytes, payload, payload)
    if (askId === undefined) this.#batch.push(target, selector * 2, packable)
    else this.#batch.push(target, selector * 2 + 1, packable, askId)
    this.#messages += 1
    this.#waiting += 1
    this.#bytes += orElse(estimateBytes, payload, 0)
    if (this.#messages >= BATCH_MESSAGES || this.#bytes >= BATCH_BYTES) {
      this.#seal()
      this.#carrySealed()
    } else if (!this.#isDirty) {
      this.#isDirty = true
      this.#markDirty(this)
    }
  }

  /** The turn ends: everything pushed so far leaves, if the way is free. */
  flush(): void {
    this.#isDirty = false
    this.#seal()
    this.#carrySealed()
  }

  /** The way may be free again. */
  resume(): void {
    this.#carrySealed()
  }

  /** Resolves when messages are not held up here; at once while the way is free. Rejects when the destination is lost. */
  ready(): Promise<void> {
    if (this.#lost !== undefined) return Promise.reject(this.#lost.error)
    if (this.#blocked === undefined) return Promise.resolve()
    return new Promise((resolve, reject) => {
      this.#readyWaiters.push(() => {
        if (this.#lost === undefined) resolve()
        else reject(this.#lost.error)
      })
    })
  }

  /** The destination is gone for ever: what waits, and what is still sent, becomes dead letters. */
  lose(reason: DeadLetterReason, error: SzmqError): void {
    if (this.#lost !== undefined) return
    this.#lost = { reason, error }
    const undelivered = [...(this.#blocked === undefined ? [] : [this.#blocked.values]), ...this.#sealed, this.#batch]
    this.#blocked = undefined
    this.#sealed = []
    this.#batch = []
    this.#messages = 0
    this.#waiting = 0
    for (const values of undelivered) this.#discard(values, reason, error)
    this.#wakeReadyWaiters()
  }

  answererFor(askId: number): Answerer {
    return {
      answer: (value) => {
        this.#answer(Signal.answer, value, askId)
      },
      fail: (error) => {
        const payload: FailurePayload = { code: error.code, message: error.message.slice(0, MAX_FAILURE_TEXT) }
        this.#answer(Signal.failure, payload, askId)
      },
    }
  }

  #answer(selector: number, payload: unknown, askId: number): void {
    this.push(RUNTIME_ID, selector, payload, askId)
  }

  #seal(): void {
    if (this.#messages === 0) return
    this.#sealed.push(this.#batch)
    this.#batch = []
    this.#messages = 0
    this.#bytes = 0
  }

  /** Not while it runs already: what is given up on the way is answered through this very outbox, behind what waits in it. */
  #carrySealed(): void {
    if (this.#isCarrying) return
    this.#isCarrying = true
    try {
      if (this.#carryAll()) this.#wakeReadyWaiters()
    } finally {
      this.#isCarrying = false
    }
  }

  /** @returns was everything taken? */
  #carryAll(): boolean {
    for (let next = this.#takeNext(); next !== undefined; next = this.#takeNext()) {
      const isTaken = this.#lost === undefined && this.#carry(next.bytes)
      if (isTaken) {
        this.#waiting -= countMessages(next.values)
      } else if (this.#lost === undefined) {
        this.#blocked = next
        return false
      } else {
        // Lost in this very moment, when it stood in no queue.
        this.#discard(next.values, this.#lost.reason, this.#lost.error)
      }
    }
    return true
  }

  #takeNext(): PackedBatch | undefined {
    const blocked = this.#blocked
    this.#blocked = undefined
    if (blocked !== undefined) return blocked
    for (let values = this.#sealed.shift(); values !== undefined; values = this.#sealed.shift()) {
      const bytes = this.#encode(values)
      if (bytes === undefined) continue
      if (bytes.length <= this.#maxBatchBytes) return { bytes, values }
      this.#splitOversized(values, bytes.length)
    }
    return undefined
  }

  /** When one message of a batch cannot be packed, only that one is lost. */
  #encode(values: unknown[]): Uint8Array | undefined {
    try {
      return this.#codec.encode(values)
    } catch {
      const packable: unknown[] = []
      forEachMessage(values, (message) => {
        if (this.#isPackable(message)) packable.push(...message)
      })
      this.#waiting -= countMessages(values) - countMessages(packable)
      values.length = 0
      values.push(...packable)
      return values.length === 0 ? undefined : this.#codec.encode(values)
    }
  }

  /** Halves, until only the messages that are too long by themselves are left over. */
  #splitOversized(values: unknown[], length: number): void {
    const messages: (readonly unknown[])[] = []
    forEachMessage(values, (message) => messages.push(message))
    if (messages.length > 1) {
      const middle = Math.ceil(messages.length / 2)
      this.#sealed.unshift(messages.slice(0, middle).flat(1), messages.slice(middle).flat(1))
      return
    }
    this.#waiting -= 1
    const error = new SzmqError(
      'ERR_SZMQ_LIMIT_EXCEEDED',
      `a message of ${length} bytes to ${this.destination}; at most ${this.#maxBatchBytes} go: send large data in pieces`,
    )
    this.#giveUp(values, error)
  }

  #isPackable(message: readonly unknown[]): boolean {
    try {
      this.#codec.encode(message)
      return true
    } catch (error) {
      this.#giveUp(message, error as SzmqError)
      return false
    }
  }

  /** One message that cannot travel. Whoever waits for it as an answer hears why. */
  #giveUp(message: readonly unknown[], error: SzmqError): void {
    const [target, operation, , askId] = message as PackedMessage
    const selector = operation >> 1
    const isAnswer = target === RUNTIME_ID && selector === Signal.answer
    if (isAnswer && askId !== undefined) this.answererFor(askId).fail(error)
    else this.#onUndelivered({ target, selector, askId, reason: 'not-serializable', error })
  }

  #discard(values: readonly unknown[], reason: DeadLetterReason, error: SzmqError): void {
    forEachMessage(values, (message) => {
      const [target, operation, , askId] = message as PackedMessage
      this.#onUndelivered({ target, selector: operation >> 1, askId, reason, error })
    })
  }

  #wakeReadyWaiters(): void {
    const waiters = this.#readyWaiters
    if (waiters.length === 0) return
    this.#readyWaiters = []
    for (const wake of waiters) wake()
  }

  #backpressure(): SzmqError {
    return new SzmqError(
      'ERR_SZMQ_BACKPRESSURE',
      `${OUTBOX_CAPACITY} messages already wait for ${this.destination}, which takes them more slowly than they are sent; ` +
        `await ref.ready() between batches, or ask instead of tell`,
    )
  }
}

interface PackedBatch {
  readonly bytes: Uint8Array
  readonly values: unknown[]
}

type PackedMessage = [target: number, operation: number, payload: unknown, askId: number | undefined]

/** Calls `use` with the three or four places of each message in a flat batch. */
function forEachMessage(values: readonly unknown[], use: (message: readonly unknown[]) => void): void {
  for (let at = 0; at < values.length;) {
    const places = 3 + ((values[at + 1] as number) & 1)
    use(values.slice(at, at + places))
    at += places
  }
}

function countMessages(values: readonly unknown[]): number {
  let count = 0
  for (let at = 0; at < values.length; at += 3 + ((values[at + 1] as number) & 1)) count += 1
  return count
}

/** Roughly: only what makes a batch large is looked at. */
function estimateBytes(payload: unknown): number {
  if (typeof payload === 'string') return payload.length
  if (payload instanceof Uint8Array) return payload.byteLength
  if (typeof payload === 'object' && payload !== null) return estimateFields(payload)
  return 0
}

/** A getter of the payload may throw: packing meets it again, and says so to the right one. */
function orElse<Result>(look: (payload: unknown) => Result, payload: unknown, otherwise: Result): Result {
  try {
    return look(payload)
  } catch {
    return otherwise
  }
}

function estimateFields(payload: object): number {
  let bytes = 16
  for (const key in payload) {
    const field = (payload as Record<string, unknown>)[key]
    if (typeof field === 'string') bytes += field.length
    else if (field instanceof Uint8Array) bytes += field.byteLength
  }
  return bytes
}

/** The error that travelled as `payload`; whatever a peer sent there becomes a SzmqError. */
export function readFailure(payload: unknown): SzmqError {
  const { code, message } = (typeof payload === 'object' && payload !== null ? payload : {}) as Partial<FailurePayload>
  return new SzmqError(
    isSzmqErrorCode(code) ? code : 'ERR_SZMQ_HANDLER_FAILED',
    typeof message === 'string' ? message.slice(0, MAX_FAILURE_TEXT) : 'the other side reported a failure without a text',
  )
}
