import type { Instant } from '../shared/clock.ts'
import { messageOf, SzmqError } from '../shared/errors.ts'
import type { PeerIdentity, Reach } from '../transport/index.ts'
import type { Answerer } from './answerer.ts'
import type { ActorContext } from './context.ts'
import type { DeadLetterReason } from './dead-letters.ts'
import type { AnyDefinition } from './define-actor.ts'
import { Mailbox } from './mailbox.ts'
import { notAuthorized, type Origin } from './origin.ts'
import { FIRST_SELECTOR, parsePayload, type MessageType } from './protocol.ts'
import type { ActorAddress, ActorRef } from './ref.ts'
import { Signal } from './signal.ts'
import { RestartIntensity } from './supervision.ts'

/** What a cell asks of the thread it lives on. */
export interface CellHost {
  now(): Instant
  /** The cell has messages to handle. */
  schedule(cell: Cell): void
  /** The cell will not handle messages until it schedules itself again. */
  suspend(cell: Cell): void
  refTo(cell: Cell): ActorRef
  onHandled(): void
  onDeadLetter(reason: DeadLetterReason, message: string, to: string, peer: PeerIdentity | undefined): void
  onFailure(failure: ActorFailure): void
  onStopped(cell: Cell): void
}

/** A handler that threw, and what was done about it. */
export interface ActorFailure {
  readonly path: string
  readonly message: string
  readonly error: unknown
  readonly decision: 'restart' | 'resume' | 'stop'
  /** Who sent the message, if another node did. */
  readonly peer: PeerIdentity | undefined
}

/**
 * - `starting`: its module is being imported; messages wait.
 * - `active`: handles messages.
 * - `busy`: an async handler has not settled; messages wait.
 * - `stopped`: for ever.
 */
type Phase = 'starting' | 'active' | 'busy' | 'stopped'

/** An actor at run time: its mailbox, its state, and what happens when it fails. Handles one message at a time. */
export class Cell {
  readonly address: ActorAddress
  readonly #host: CellHost
  #mailbox = new Mailbox()
  readonly #intensity = new RestartIntensity()
  #phase: Phase = 'starting'
  #definition: AnyDefinition | undefined
  #state: unknown
  /** From one restart to the next. */
  #life: CellLife
  #isStopRequested = false
  #readyWaiters: (() => void)[] = []

  constructor(address: ActorAddress, host: CellHost) {
    this.address = address
    this.#host = host
    this.#life = new CellLife(this, host)
  }

  get path(): string {
    return this.address.path
  }

  get definition(): AnyDefinition | undefined {
    return this.#definition
  }

  get waiting(): number {
    return this.#mailbox.size
  }

  get isStopped(): boolean {
    return this.#phase === 'stopped'
  }

  /** Its code is here: makes the state and begins with what waits already. */
  start(definition: AnyDefinition): void {
    // The system was stopped while the module was imported.
    if (this.#phase !== 'starting') return
    this.#definition = definition
    this.#checkWaiting()
    if (!this.#makeState(definition, 'start')) return
    this.#phase = 'active'
    if (this.#mailbox.size > 0) this.#host.schedule(this)
  }

  /** Its code could not be had. */
  failToStart(error: SzmqError): void {
    this.#end('spawn-failed', error)
  }

  /**
   * Puts a message or signal into the mailbox. Signals are never refused.
   * @returns false when the mailbox is full and its policy is to fail.
   */
  deliver(selector: number, payload: unknown, answerer: Answerer | undefined, peer?: PeerIdentity): boolean {
    if (this.#phase === 'stopped') {
      this.#refuse(selector, answerer, 'actor-stopped', this.#stoppedError(), peer)
      return true
    }
    const capacity = this.#definition?.mailbox.capacity ?? STARTING_CAPACITY
    if (this.#mailbox.size >= capacity && selector >= FIRST_SELECTOR && !this.#makeRoom()) {
      this.#refuse(selector, answerer, 'mailbox-full', this.#fullError(capacity), peer)
      return (this.#definition?.mailbox.policy ?? 'fail') !== 'fail'
    }
    this.#mailbox.put(selector, payload, answerer, peer)
    if (this.#phase === 'active') this.#host.schedule(this)
    return true
  }

  /** Like {@link deliver}, for what another node sent: whether it may, and whether it fits the schema, is checked first. */
  deliverForeign(selector: number, payload: unknown, answerer: Answerer | undefined, origin: Origin): void {
    const { identity } = origin
    const reach = origin.reachOf(this.address)
    if (reach === undefined) {
      this.#forbid(selector, answerer, identity)
    } else if (this.#phase === 'starting') {
      this.deliver(selector, new Unchecked(payload, reach), answerer, identity)
    } else {
      const checked = this.#check(selector, payload, reach, answerer, identity)
      if (checked !== undefined) this.deliver(selector, checked.payload, answerer, identity)
    }
  }

  /** Handles up to `budget` messages. @returns how many. */
  run(budget: number): number {
    let done = 0
    while (done < budget && this.#phase === 'active' && this.#mailbox.size > 0) {
      this.#mailbox.take(this.#handle)
      done += 1
    }
    if (this.#mailbox.size === 0) this.#wakeReadyWaiters()
    return done
  }

  /** Is there something that {@link run} would handle now? */
  get isRunnable(): boolean {
    return this.#phase === 'active' && this.#mailbox.size > 0
  }

  /** Resolves at once while less than half of the mailbox is taken, otherwise when it is empty again. */
  ready(): Promise<void> {
    const capacity = this.#definition?.mailbox.capacity ?? STARTING_CAPACITY
    if (this.#phase === 'stopped') return Promise.reject(this.#stoppedError())
    if (this.#mailbox.size * 2 < capacity) return Promise.resolve()
    return new Promise((resolve) => {
      this.#readyWaiters.push(resolve)
    })
  }

  /** Stops at once; what waits becomes dead letters. */
  stop(reason: DeadLetterReason = 'actor-stopped', error: SzmqError = this.#stoppedError()): void {
    this.#end(reason, error)
  }

  requestStop(): void {
    this.#isStopRequested = true
  }

  readonly #handle = (
    selector: number,
    payload: unknown,
    answerer: Answerer | undefined,
    peer: PeerIdentity | undefined,
  ): void => {
    if (selector < FIRST_SELECTOR) {
      this.#handleSignal(selector, answerer)
      return
    }
    const type = this.#messageType(selector)
    if (type === undefined) {
      this.#refuse(selector, answerer, 'unknown-message', this.#unknownError(selector), peer)
      return
    }
    this.#host.onHandled()
    const handler = this.#definition?.on[type.name] as (state: unknown, payload: unknown, context: ActorContext) => unknown
    try {
      const result = handler(this.#state, payload, this.#life.contextFor(peer))
      if (isPromiseLike(result)) this.#await(result, type, answerer, peer)
      else this.#settle(result, answerer)
    } catch (error) {
      this.#fail(error, type, answerer, peer)
    }
  }

  #handleSignal(selector: number, answerer: Answerer | undefined): void {
    if (selector === Signal.stop) {
      this.#end('actor-stopped', this.#stoppedError())
      answerer?.answer(undefined)
    } else {
      answerer?.fail(this.#unknownError(selector))
    }
  }

  #await(
    result: PromiseLike<unknown>,
    type: MessageType,
    answerer: Answerer | undefined,
    peer: PeerIdentity | undefined,
  ): void {
    this.#phase = 'busy'
    this.#host.suspend(this)
    // A thenable of someone else's may throw, or call back twice: a promise of ours does neither.
    Promise.resolve(result).then(
      (value) => {
        this.#goOn(() => {
          this.#settle(value, answerer)
        })
      },
      (error: unknown) => {
        this.#goOn(() => {
          this.#fail(error, type, answerer, peer)
        })
      },
    )
  }

  #goOn(settle: () => void): void {
    if (this.#phase === 'busy') this.#phase = 'active'
    settle()
    if (this.isRunnable) this.#host.schedule(this)
    else if (this.#mailbox.size === 0) this.#wakeReadyWaiters()
  }

  #settle(value: unknown, answerer: Answerer | undefined): void {
    answerer?.answer(value)
    if (this.#isStopRequested) this.#end('actor-stopped', this.#stoppedError())
  }

  #fail(error: unknown, type: MessageType, answerer: Answerer | undefined, peer: PeerIdentity | undefined): void {
    answerer?.fail(
      new SzmqError('ERR_SZMQ_HANDLER_FAILED', `${this.path} failed on '${type.name}': ${messageOf(error)}`, { cause: error }),
    )
    // It ended while its async handler ran.
    if (this.#phase === 'stopped' || this.#definition === undefined) return
    const decision = this.#intensity.decide(this.#definition.supervision, this.#host.now())
    this.#host.onFailure({ path: this.path, message: type.name, error, decision, peer })
    if (decision === 'stop' || this.#isStopRequested) {
      this.#end('actor-stopped', this.#stoppedError())
    } else if (decision === 'restart') {
      this.#life.end()
      this.#life = new CellLife(this, this.#host)
      this.#makeState(this.#definition, 'restart')
    }
  }

  #makeState(definition: AnyDefinition, occasion: 'start' | 'restart'): boolean {
    try {
      this.#state = definition.state(this.#life.contextFor(undefined))
    } catch (error) {
      const failure = new SzmqError(
        'ERR_SZMQ_SPAWN_FAILED',
        `${this.path} could not ${occasion}: making its state failed: ${messageOf(error)}`,
        { cause: error },
      )
      this.#host.onFailure({ path: this.path, message: occasion, error, decision: 'stop', peer: undefined })
      this.#end('spawn-failed', failure)
      return false
    }
    if (this.#isStopRequested) this.#end('actor-stopped', this.#stoppedError())
    return !this.isStopped
  }

  #end(reason: DeadLetterReason, error: SzmqError): void {
    if (this.#phase === 'stopped') return
    this.#phase = 'stopped'
    this.#state = undefined
    this.#life.end()
    this.#host.suspend(this)
    while (this.#mailbox.size > 0) {
      this.#mailbox.take((selector, _payload, answerer, peer) => {
        this.#refuse(selector, answerer, reason, error, peer)
      })
    }
    this.#wakeReadyWaiters()
    this.#host.onStopped(this)
  }

  /** What other nodes sent before the names and the schemas of the messages were here. */
  #checkWaiting(): void {
    const waiting = this.#mailbox
    this.#mailbox = new Mailbox()
    while (waiting.size > 0) {
      waiting.take((selector, payload, answerer, peer) => {
        const checked =
          payload instanceof Unchecked ? this.#check(selector, payload.payload, payload.reach, answerer, peer) : { payload }
        if (checked !== undefined) this.#mailbox.put(selector, checked.payload, answerer, peer)
      })
    }
  }

  /** The payload as its schema gives it out; undefined when the message was refused. */
  #check(
    selector: number,
    payload: unknown,
    reach: Reach,
    answerer: Answerer | undefined,
    peer: PeerIdentity | undefined,
  ): { readonly payload: unknown } | undefined {
    const type = this.#messageType(selector)
    if (reach !== 'all' && (type === undefined || !reach.has(type.name))) return this.#forbid(selector, answerer, peer)
    if (type === undefined || this.isStopped) return { payload }
    try {
      return { payload: parsePayload(type.spec.message, payload, `message '${type.name}' to ${this.path}`) }
    } catch (error) {
      this.#refuse(selector, answerer, 'bad-message', error as SzmqError, peer)
      return undefined
    }
  }

  #forbid(selector: number, answerer: Answerer | undefined, peer: PeerIdentity | undefined): undefined {
    this.#refuse(selector, answerer, 'not-authorized', notAuthorized(), peer)
  }

  /** Drops the oldest message if the policy says so; not a signal, behind which nothing will be handled anyway. */
  #makeRoom(): boolean {
    if (this.#definition?.mailbox.policy !== 'drop-old' || (this.#mailbox.nextSelector ?? 0) < FIRST_SELECTOR) return false
    this.#mailbox.take((selector, _payload, answerer, peer) => {
      this.#refuse(selector, answerer, 'mailbox-full', this.#fullError(this.#mailbox.size + 1), peer)
    })
    return true
  }

  #refuse(
    selector: number,
    answerer: Answerer | undefined,
    reason: DeadLetterReason,
    error: SzmqError,
    peer: PeerIdentity | undefined,
  ): void {
    if (selector === Signal.stop) answerer?.answer(undefined)
    else {
      this.#host.onDeadLetter(reason, this.#messageType(selector)?.name ?? `#${selector}`, this.path, peer)
      answerer?.fail(error)
    }
  }

  #messageType(selector: number): MessageType | undefined {
    return this.#definition?.messageTypes[selector - FIRST_SELECTOR]
  }

  #wakeReadyWaiters(): void {
    if (this.#readyWaiters.length === 0) return
    const waiters = this.#readyWaiters
    this.#readyWaiters = []
    for (const wake of waiters) wake()
  }

  #stoppedError(): SzmqError {
    return new SzmqError('ERR_SZMQ_ACTOR_STOPPED', `${this.path} has stopped`)
  }

  #fullError(capacity: number): SzmqError {
    return new SzmqError(
      'ERR_SZMQ_MAILBOX_FULL',
      `the mailbox of ${this.path} is full: ${capacity} messages wait. Await ref.ready() between batches, ask instead of tell, ` +
        `or give the actor a larger mailbox`,
    )
  }

  #unknownError(selector: number): SzmqError {
    return new SzmqError(
      'ERR_SZMQ_UNKNOWN_MESSAGE',
      `${this.path} has no message number ${selector}: do both sides run the same version?`,
    )
  }
}

/** Until the definition is here and says otherwise. */
const STARTING_CAPACITY = 10_000

/** A payload from another node that waits for its schema, and for the name of its message. */
class Unchecked {
  readonly payload: unknown
  /** What its sender may send to this actor. */
  readonly reach: Reach

  constructor(payload: unknown, reach: Reach) {
    this.payload = payload
    this.reach = reach
  }
}

/** What all contexts of an actor share until it restarts. */
class CellLife {
  readonly cell: Cell
  readonly #host: CellHost
  #self: ActorRef | undefined
  #abort: AbortController | undefined
  #isOver = false
  readonly #local = new CellContext(this, undefined)
  /** For the node that sent last. */
  #foreign: CellContext | undefined

  constructor(cell: Cell, host: CellHost) {
    this.cell = cell
    this.#host = host
  }

  contextFor(peer: PeerIdentity | undefined): CellContext {
    if (peer === undefined) return this.#local
    if (this.#foreign?.peer !== peer) this.#foreign = new CellContext(this, peer)
    return this.#foreign
  }

  get self(): ActorRef {
    this.#self ??= this.#host.refTo(this.cell)
    return this.#self
  }

  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController()
      if (this.#isOver) this.#abort.abort()
    }
    return this.#abort.signal
  }

  end(): void {
    this.#isOver = true
    this.#abort?.abort()
  }
}

/** Never changes: whatever a handler leaves behind still sees the peer of its own message. */
class CellContext implements ActorContext {
  readonly #life: CellLife
  readonly peer: PeerIdentity | undefined

  constructor(life: CellLife, peer: PeerIdentity | undefined) {
    this.#life = life
    this.peer = peer
  }

  get self(): ActorRef {
    return this.#life.self
  }

  get path(): string {
    return this.#life.cell.path
  }

  get signal(): AbortSignal {
    return this.#life.signal
  }

  stop(): void {
    this.#life.cell.requestStop()
  }
}

function isPromiseLike(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
}
