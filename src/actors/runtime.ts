import type { Clock } from '../shared/clock.ts'
import { messageOf, SzmqError } from '../shared/errors.ts'
import { MAX_NODE_BATCH_BYTES, MAX_THREAD_BATCH_BYTES, type MessageCodec, type PeerIdentity } from '../transport/index.ts'
import type { Answerer } from './answerer.ts'
import { AskTable, type AskOptions } from './ask-table.ts'
import { readBatch } from './batch.ts'
import { Cell, type ActorFailure, type CellHost } from './cell.ts'
import { DeadLetters, type DeadLetter, type DeadLetterReason } from './dead-letters.ts'
import { findDefinition, type AnyDefinition } from './define-actor.ts'
import { Dispatcher, MESSAGES_PER_TURN, type Turns } from './dispatcher.ts'
import { notAuthorized, type Origin } from './origin.ts'
import { Outbox, readFailure, type Undelivered } from './outbox.ts'
import { FIRST_SELECTOR, type MessageType } from './protocol.ts'
import { ActorRef, type ActorAddress, type Route } from './ref.ts'
import { shapeOf, type RefShape } from './ref-shape.ts'
import { RUNTIME_ID, Signal, type NodeLostPayload, type SpawnPayload, type ThreadStats } from './signal.ts'

/** Another thread of this node, or a thread of another node. */
export interface Peer {
  /** Undefined for this node. */
  readonly node: string | undefined
  readonly thread: number
}

/** Where a batch comes from: a thread of this node, or over a link, which knows who is at its far end. */
export type Source =
  | { readonly node: undefined; readonly thread: number }
  | { readonly node: string; readonly thread: number; readonly origin: Origin }

export interface RuntimeDependencies {
  readonly clock: Clock
  readonly turns: Turns
  /** Packs and unpacks batches; refs in messages become refs of this runtime. */
  readonly createCodec: (runtime: Runtime) => MessageCodec
  /** Puts a batch on its way to `peer`; false: not now, {@link Runtime.resumeTo} follows. */
  readonly carry: (peer: Peer, batch: Uint8Array) => boolean
  /** Evaluates a module, so that its definitions are known. */
  readonly importModule: (url: string) => Promise<void>
  /** The runtime has caught up and can take in more again after {@link Runtime.canTake} said no. */
  readonly onCaughtUp: () => void
  readonly onFailure: (failure: ActorFailure) => void
  readonly onActorStopped?: (address: ActorAddress) => void
  readonly onDeadLetter: (letter: DeadLetter) => void
  /** Answers what another node asks the runtime itself. Only the host thread can. */
  readonly onForeignRequest?: (selector: number, payload: unknown, answerer: Answerer, origin: Origin) => void
}

/** The actors of one thread, and everything that reaches or leaves them. Sans-IO. */
export class Runtime implements CellHost {
  /** Incarnation of the node. */
  readonly node: string
  readonly thread: number
  readonly #dependencies: RuntimeDependencies
  readonly #codec: MessageCodec
  readonly #dispatcher: Dispatcher
  readonly #asks: AskTable
  readonly #deadLetters: DeadLetters
  readonly #cells = new Map<number, Cell>()
  /** Actors whose module is still being imported: they will handle what waits for them as soon as it is. */
  readonly #starting = new Set<Cell>()
  readonly #outboxes = new Map<string, Outbox>()
  readonly #shapes = new WeakMap<readonly MessageType[], RefShape>()
  #dirty: Outbox[] = []
  #sent = 0
  #handled = 0
  #nextId = 1
  #wantsCatchUp = false
  #isClosed = false

  constructor({ node, thread }: { readonly node: string; readonly thread: number }, dependencies: RuntimeDependencies) {
    this.node = node
    this.thread = thread
    this.#dependencies = dependencies
    this.#codec = dependencies.createCodec(this)
    this.#asks = new AskTable(dependencies.clock)
    this.#deadLetters = new DeadLetters(dependencies.onDeadLetter)
    this.#dispatcher = new Dispatcher(dependencies.turns, () => {
      this.#afterRun()
    })
  }

  get stats(): ThreadStats {
    let waiting = 0
    for (const cell of this.#cells.values()) waiting += cell.waiting
    return {
      sent: this.#sent,
      handled: this.#handled,
      deadLetters: this.#deadLetters.total,
      deadLettersByReason: this.#deadLetters.counts,
      waiting,
      actors: this.#cells.size,
    }
  }

  /** An id for an actor that this thread spawns, here or elsewhere: never given out twice in the node's life. */
  createId(): number {
    const id = this.#nextId * ID_STRIDE + this.thread
    this.#nextId += 1
    return id
  }

  /** Starts an actor on this thread. */
  spawnHere(definition: AnyDefinition, path: string, id = this.createId()): ActorRef {
    const cell = this.#createCell(id, path)
    cell.start(definition)
    return this.refTo(cell, definition)
  }

  /** Asks another thread of this node to start an actor; what is sent to the ref waits there until it has started. */
  spawnAt(thread: number, definition: AnyDefinition, path: string): ActorRef {
    const id = this.createId()
    const payload: SpawnPayload = { id, path, moduleUrl: definition.moduleUrl, name: definition.name }
    this.#outboxTo({ node: undefined, thread }).push(RUNTIME_ID, Signal.spawn, payload)
    return this.createRef({ node: this.node, thread, id, path }, this.#shapeOf(definition.messageTypes))
  }

  /** A ref to any actor, wherever `address` leads. */
  createRef(address: ActorAddress, shape: RefShape, route = this.#routeTo(address)): ActorRef {
    return new ActorRef(address, shape, route)
  }

  refTo(cell: Cell, definition = cell.definition): ActorRef {
    return this.createRef(cell.address, this.#shapeOf(definition?.messageTypes ?? []))
  }

  /** Stops the actor behind everything that this thread sent to it before. */
  async stopActor(address: ActorAddress, options: AskOptions): Promise<void> {
    await this.#routeTo(address).ask(Signal.stop, undefined, 'stop', options)
  }

  /** Tells the runtime of another thread of this node. */
  signalThread(thread: number, selector: number, payload: unknown): void {
    this.#outboxTo({ node: undefined, thread }).push(RUNTIME_ID, selector, payload)
  }

  /** Asks the runtime of another thread or node. */
  askRuntime(peer: Peer, selector: number, payload: unknown, what: string, options: AskOptions): Promise<unknown> {
    const outbox = this.#outboxTo(peer)
    const { id, promise } = this.#asks.open(outbox, () => what, options)
    outbox.push(RUNTIME_ID, selector, payload, id)
    return promise
  }

  /** May more batches come in? If not, {@link RuntimeDependencies.onCaughtUp} says when. */
  canTake(): boolean {
    if (!this.#isBacklogged()) return true
    this.#wantsCatchUp = true
    return false
  }

  /**
   * Takes a batch in. What its messages may reach, and who the handlers are told has sent them, is decided by `source` alone.
   * @throws ERR_SZMQ_MALFORMED_MESSAGE; what stood in front of the fault was delivered.
   */
  deliver(batch: Uint8Array, source: Source): void {
    const values = this.#codec.decode(batch)
    const outbox = this.#outboxTo({ node: source.node, thread: source.thread })
    const origin = source.node === undefined ? undefined : source.origin
    readBatch(values, outbox.destination, (target, selector, payload, askId) => {
      if (target === RUNTIME_ID) this.#takeSignal(selector, payload, askId, outbox, origin)
      else if (origin === undefined) this.#deliverTo(target, selector, payload, askId, outbox)
      else this.#deliverForeign(target, selector, payload, askId, outbox, origin)
    })
  }

  /** The way to `peer` is free again. */
  resumeTo(peer: Peer): void {
    this.#outboxes.get(keyOf(peer))?.resume()
  }

  /** The way to the host, and with it to all other nodes, is free again. */
  resumeToNodes(node?: string): void {
    for (const [key, outbox] of this.#outboxes) {
      if (!key.startsWith('/') && (node === undefined || key.startsWith(`${node}/`))) outbox.resume()
    }
  }

  /** A thread of this node is gone. */
  loseThread(thread: number, reason: string): void {
    const error = new SzmqError('ERR_SZMQ_THREAD_LOST', `thread ${thread} is gone: ${reason}`)
    this.#lose(this.#outboxTo({ node: undefined, thread }), 'thread-lost', error)
  }

  /** A node is gone. */
  loseNode(node: string, reason: string): void {
    const error = new SzmqError('ERR_SZMQ_NODE_LOST', reason)
    for (const [key, outbox] of this.#outboxes) {
      if (!key.startsWith(`${node}/`)) continue
      this.#lose(outbox, 'node-lost', error)
      // Nodes come and go by the thousands. A ref that still leads there finds no link, and is told so.
      this.#outboxes.delete(key)
    }
  }

  /** Counts what a batch held that could not be delivered. What cannot be read counts as one message. */
  bury(batch: Uint8Array, reason: DeadLetterReason, to: string, peer?: PeerIdentity): void {
    try {
      readBatch(this.#codec.decode(batch), to, (_target, selector) => {
        if (selector >= FIRST_SELECTOR) this.onDeadLetter(reason, `#${selector}`, to, peer)
      })
    } catch {
      this.onDeadLetter('bad-message', 'unreadable', to, peer)
    }
  }

  /** Everything told so far leaves now, if the way is free. */
  flush(): void {
    const dirty = this.#dirty
    this.#dirty = []
    for (const outbox of dirty) {
      try {
        outbox.flush()
      } catch (error) {
        // Whatever it is, the other outboxes still have to leave.
        outbox.lose(
          'refused',
          new SzmqError('ERR_SZMQ_INVALID_STATE', `nothing can be sent there: ${messageOf(error)}`, { cause: error }),
        )
      }
    }
  }

  /** Stops every actor at once and fails every ask. Idempotent. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    const error = systemStopped()
    for (const cell of [...this.#cells.values()]) cell.stop('system-stopped', error)
    this.flush()
    for (const outbox of this.#outboxes.values()) outbox.lose('system-stopped', error)
    this.#asks.failAll((what) => new SzmqError('ERR_SZMQ_INVALID_STATE', `${what}: the system was stopped`))
    this.#asks.close()
  }

  now(): number {
    return this.#dependencies.clock.now()
  }

  schedule(cell: Cell): void {
    this.#dispatcher.schedule(cell)
  }

  suspend(cell: Cell): void {
    this.#dispatcher.suspend(cell)
  }

  onHandled(): void {
    this.#handled += 1
  }

  onDeadLetter(reason: DeadLetterReason, message: string, to: string, peer?: PeerIdentity): void {
    this.#deadLetters.add({ reason, message, to, peer })
  }

  onFailure(failure: ActorFailure): void {
    this.#dependencies.onFailure(failure)
  }

  onStopped(cell: Cell): void {
    this.#cells.delete(cell.address.id)
    this.#dependencies.onActorStopped?.(cell.address)
  }

  #createCell(id: number, path: string): Cell {
    const cell = new Cell({ node: this.node, thread: this.thread, id, path }, this)
    this.#cells.set(id, cell)
    return cell
  }

  #shapeOf(messageTypes: readonly MessageType[]): RefShape {
    let shape = this.#shapes.get(messageTypes)
    if (shape === undefined) {
      shape = shapeOf(messageTypes)
      this.#shapes.set(messageTypes, shape)
    }
    return shape
  }

  #routeTo(address: ActorAddress): Route {
    const isHere = address.node === this.node && address.thread === this.thread
    return isHere ? this.#localRoute(address) : this.#outboundRoute(address)
  }

  #localRoute({ id, path }: ActorAddress): Route {
    let cell = this.#cells.get(id)
    const find = (): Cell | undefined => {
      if (cell?.isStopped !== false) cell = this.#cells.get(id)
      return cell
    }
    return {
      tell: (selector, payload) => {
        this.#sent += 1
        const receiver = find()
        if (receiver === undefined) this.onDeadLetter(this.#isClosed ? 'system-stopped' : 'no-such-actor', `#${selector}`, path)
        else if (!receiver.deliver(selector, payload, undefined)) throw mailboxFull(path)
      },
      ask: (selector, payload, message, options) => {
        const { id: askId, promise } = this.#asks.open(this, () => `${path} asked for '${message}'`, options)
        if (selector >= FIRST_SELECTOR) this.#sent += 1
        const answerer = this.#asks.answererOf(askId, this)
        const receiver = find()
        if (receiver !== undefined) receiver.deliver(selector, payload, answerer)
        else if (selector === Signal.stop) answerer.answer(undefined)
        else {
          this.onDeadLetter('no-such-actor', message, path)
          answerer.fail(this.#isClosed ? systemStopped() : noSuchActor(path))
        }
        return promise
      },
      ready: () => find()?.ready() ?? Promise.reject(noSuchActor(path)),
    }
  }

  #outboundRoute({ node, thread, id, path }: ActorAddress): Route {
    // Not before something is sent: refs come in messages, and a peer could name any number of nodes in them.
    let known: Outbox | undefined
    const findOutbox = (): Outbox => (known ??= this.#outboxTo({ node: node === this.node ? undefined : node, thread }))
    return {
      tell: (selector, payload) => {
        findOutbox().push(id, selector, payload)
        this.#sent += 1
      },
      ask: (selector, payload, message, options) => {
        const outbox = findOutbox()
        const { id: askId, promise } = this.#asks.open(
          outbox,
          () => `${path} on ${outbox.destination} asked for '${message}'`,
          options,
        )
        if (selector >= FIRST_SELECTOR) this.#sent += 1
        try {
          outbox.push(id, selector, payload, askId)
        } catch (error) {
          if (selector >= FIRST_SELECTOR) this.#sent -= 1
          this.#asks.fail(askId, outbox, error as SzmqError)
        }
        return promise
      },
      ready: () => findOutbox().ready(),
    }
  }

  #outboxTo(peer: Peer): Outbox {
    const key = keyOf(peer)
    let outbox = this.#outboxes.get(key)
    if (outbox === undefined) {
      const destination = peer.node === undefined ? `thread ${peer.thread}` : `node ${peer.node}, thread ${peer.thread}`
      const made: Outbox = new Outbox({
        destination,
        codec: this.#codec,
        carry: (batch) => this.#dependencies.carry(peer, batch),
        maxBatchBytes: peer.node === undefined ? MAX_THREAD_BATCH_BYTES : MAX_NODE_BATCH_BYTES,
        markDirty: (dirty) => {
          this.#markDirty(dirty)
        },
        onUndelivered: (letter) => {
          this.#onUndelivered(letter, made)
        },
      })
      outbox = made
      this.#outboxes.set(key, made)
    }
    return outbox
  }

  #markDirty(outbox: Outbox): void {
    if (this.#dirty.length === 0) {
      this.#dependencies.turns.soon(() => {
        this.flush()
      })
    }
    this.#dirty.push(outbox)
  }

  #onUndelivered({ target, selector, askId, reason, error }: Undelivered, outbox: Outbox): void {
    if (selector >= FIRST_SELECTOR) this.onDeadLetter(reason, `#${selector}`, `actor ${target} on ${outbox.destination}`)
    const isAnswer = target === RUNTIME_ID && (selector === Signal.answer || selector === Signal.failure)
    if (askId !== undefined && !isAnswer) this.#asks.fail(askId, outbox, error)
  }

  #lose(outbox: Outbox, reason: DeadLetterReason, error: SzmqError): void {
    outbox.lose(reason, error)
    this.#asks.failAllTo(outbox, (what) => new SzmqError(error.code, `${what}: ${error.message}. The outcome is unknown`))
  }

  #deliverTo(target: number, selector: number, payload: unknown, askId: number | undefined, outbox: Outbox): void {
    const cell = this.#cells.get(target)
    const answerer = askId === undefined ? undefined : outbox.answererFor(askId)
    if (cell !== undefined) {
      cell.deliver(selector, payload, answerer)
    } else if (selector >= FIRST_SELECTOR) {
      this.onDeadLetter('no-such-actor', `#${selector}`, `actor ${target}`)
      answerer?.fail(noSuchActor(`the actor with id ${target}`))
    } else {
      answerer?.answer(undefined)
    }
  }

  /** Whether there is such an actor is told only to those who may know. */
  #deliverForeign(
    target: number,
    selector: number,
    payload: unknown,
    askId: number | undefined,
    outbox: Outbox,
    origin: Origin,
  ): void {
    const answerer = askId === undefined ? undefined : outbox.answererFor(askId)
    const cell = this.#cells.get(target)
    if (selector < FIRST_SELECTOR) {
      answerer?.fail(refused(`signal ${selector}`))
    } else if (cell !== undefined) {
      cell.deliverForeign(selector, payload, answerer, origin)
    } else {
      this.onDeadLetter('no-such-actor', `#${selector}`, `actor ${target}`, origin.identity)
      answerer?.fail(origin.mayMiss(target) ? noSuchActor(`the actor with id ${target}`) : notAuthorized())
    }
  }

  #takeSignal(selector: number, payload: unknown, askId: number | undefined, outbox: Outbox, origin: Origin | undefined): void {
    switch (selector) {
      case Signal.answer:
        if (askId !== undefined) this.#asks.settle(askId, outbox, payload)
        return
      case Signal.failure:
        if (askId !== undefined) this.#asks.fail(askId, outbox, readFailure(payload))
        return
      default:
        if (origin === undefined) this.#takeOwnSignal(selector, payload, askId, outbox)
        else this.#takeForeignRequest(selector, payload, askId, outbox, origin)
    }
  }

  /** What another node may ask of the runtime is little, and only the host decides about it. */
  #takeForeignRequest(selector: number, payload: unknown, askId: number | undefined, outbox: Outbox, origin: Origin): void {
    if (askId === undefined) return
    const answerer = outbox.answererFor(askId)
    if (selector === Signal.resolve && this.#dependencies.onForeignRequest !== undefined) {
      this.#dependencies.onForeignRequest(selector, payload, answerer, origin)
    } else {
      answerer.fail(refused(`request ${selector}`))
    }
  }

  #takeOwnSignal(selector: number, payload: unknown, askId: number | undefined, outbox: Outbox): void {
    switch (selector) {
      case Signal.spawn:
        this.#spawnForOther(payload as SpawnPayload)
        return
      case Signal.nodeLost: {
        const { node, reason } = payload as NodeLostPayload
        this.loseNode(node, reason)
        return
      }
      case Signal.stats:
        if (askId !== undefined) outbox.answererFor(askId).answer(this.stats)
        return
      default:
        if (askId !== undefined) outbox.answererFor(askId).fail(refused(`signal ${selector}`))
    }
  }

  #spawnForOther({ id, path, moduleUrl, name }: SpawnPayload): void {
    const cell = this.#createCell(id, path)
    const known = findDefinition(moduleUrl, name)
    if (known !== undefined) {
      cell.start(known)
      return
    }
    this.#starting.add(cell)
    this.#dependencies.importModule(moduleUrl).then(
      () => {
        this.#starting.delete(cell)
        const definition = findDefinition(moduleUrl, name)
        if (definition === undefined) cell.failToStart(notInModule(path, moduleUrl, name))
        else cell.start(definition)
        this.#noticeCatchUp()
      },
      (error: unknown) => {
        this.#starting.delete(cell)
        cell.failToStart(cannotImport(path, moduleUrl, error))
        this.#noticeCatchUp()
      },
    )
  }

  #afterRun(): void {
    this.flush()
    this.#noticeCatchUp()
  }

  #noticeCatchUp(): void {
    if (!this.#wantsCatchUp || this.#isBacklogged()) return
    this.#wantsCatchUp = false
    this.#dependencies.onCaughtUp()
  }

  #isBacklogged(): boolean {
    if (this.#dispatcher.isBacklogged) return true
    for (const cell of this.#starting) if (cell.waiting >= MESSAGES_PER_TURN) return true
    return false
  }
}

/** Actors' ids are multiples of this plus the spawning thread: threads need not ask each other for ids. */
const ID_STRIDE = 64

function keyOf({ node, thread }: Peer): string {
  return `${node ?? ''}/${thread}`
}

function noSuchActor(path: string): SzmqError {
  return new SzmqError('ERR_SZMQ_NO_SUCH_ACTOR', `${path} does not exist (any more)`)
}

function mailboxFull(path: string): SzmqError {
  return new SzmqError(
    'ERR_SZMQ_MAILBOX_FULL',
    `the mailbox of ${path} is full; await ref.ready() between batches, ask instead of tell, or give the actor a larger mailbox`,
  )
}

function systemStopped(): SzmqError {
  return new SzmqError('ERR_SZMQ_ACTOR_STOPPED', 'the system was stopped')
}

function refused(what: string): SzmqError {
  return new SzmqError('ERR_SZMQ_UNKNOWN_MESSAGE', `${what} is not something that another node may send here`)
}

function notInModule(path: string, moduleUrl: string, name: string): SzmqError {
  return new SzmqError(
    'ERR_SZMQ_DEFINITION_NOT_FOUND',
    `${path} cannot start on its thread: ${moduleUrl} defines no actor named '${name}' when it is imported. ` +
      `Call defineActor at the top level of the module, with its own import.meta`,
  )
}

function cannotImport(path: string, moduleUrl: string, cause: unknown): SzmqError {
  return new SzmqError(
    'ERR_SZMQ_SPAWN_FAILED',
    `${path} cannot start on its thread: importing ${moduleUrl} failed: ${cause instanceof Error ? cause.message : String(cause)}`,
    { cause },
  )
}
