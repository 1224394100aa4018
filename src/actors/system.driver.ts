import { randomBytes } from 'node:crypto'
import { messageOf, SzmqError } from '../shared/errors.ts'
import { Board, openNodeCredentials, resolveLinkLimits, type NodeCredentialSource } from '../transport/index.ts'
import { assertName } from './address.ts'
import type { AskOptions } from './ask-table.ts'
import type { ActorDefinition, AnyDefinition } from './define-actor.ts'
import { createReporter, toSystemEvent } from './event-reporter.driver.ts'
import { createIncarnation, NodeLinks } from './node-links.driver.ts'
import { answerResolve } from './resolve.ts'
import type { Protocol } from './protocol.ts'
import { assertUnderstands, type ActorAddress, type ActorRef } from './ref.ts'
import { checkingAnswers, narrowShape } from './ref-shape.ts'
import { Signal, type ThreadStats } from './signal.ts'
import { Switchboard } from './switchboard.ts'
import {
  STOP_DEADLINE_MS,
  type ActorSystem,
  type DoorInfo,
  type LinkInfo,
  type SpawnOptions,
  type SystemEvent,
  type SystemOptions,
} from './system.ts'
import { deliverForeign, HOST_THREAD, openThreadEnd, type ThreadEnd } from './thread-end.driver.ts'
import { ThreadPool } from './thread-pool.driver.ts'
import { encodePipeHead } from './pipe-head.codec.ts'

let systemsStarted = 0

/**
 * Starts the actor system of this process. Dispose it (`await using`) or call `stop()`: its threads keep the process alive.
 *
 * @throws ERR_SZMQ_INVALID_ARGUMENT · ERR_SZMQ_BAD_CREDENTIALS · ERR_SZMQ_ADDRESS_IN_USE · ERR_SZMQ_ADDRESS_UNAVAILABLE ·
 *   ERR_SZMQ_INVALID_ENDPOINT · ERR_SZMQ_THREAD_LOST
 */
export async function startSystem(options: SystemOptions): Promise<ActorSystem> {
  assertName(options.name, 'system name')
  const { node } = options
  if (node?.link !== undefined) resolveLinkLimits(node.link)
  const report = createReporter(options.name, options.onEvent)
  const credentials =
    node === undefined
      ? undefined
      : await openNodeCredentials(node.tls, (event) => {
          report(toSystemEvent(event))
        })
  const system = new System(options, { report, credentials })
  try {
    await system.start()
  } catch (error) {
    await system.stop()
    throw error
  }
  return system
}

class System implements ActorSystem {
  readonly name: string
  readonly threads: number
  readonly #options: SystemOptions
  readonly #board: Board
  /** Unique in this process; inproc addresses begin with it. */
  readonly #inprocName: string
  readonly #node: string
  readonly #report: (event: SystemEvent) => void
  readonly #credentials: NodeCredentialSource | undefined
  readonly #end: ThreadEnd
  readonly #pool: ThreadPool
  readonly #switchboard: Switchboard
  #links: NodeLinks | undefined
  /** Actors by path, in the order of their start. */
  readonly #actors = new Map<string, ActorRef>()
  #nextThread = 0
  #stopping: Promise<void> | undefined

  constructor(
    options: SystemOptions,
    {
      report,
      credentials,
    }: { readonly report: (event: SystemEvent) => void; readonly credentials: NodeCredentialSource | undefined },
  ) {
    this.#report = report
    this.#options = options
    this.#credentials = credentials
    this.#node = createIncarnation(randomBytes(12).toString('hex'), credentials?.current.identity)
    this.name = options.name
    this.threads = options.threads ?? 0
    systemsStarted += 1
    this.#inprocName = `${options.name}-${systemsStarted}`
    this.#board = Board.create(this.threads + 1)
    this.#board.setLife(HOST_THREAD, 'live')
    this.#pool = new ThreadPool(this.#board, (_thread, message) => {
      if (message.kind === 'deadLetter') this.#report(message)
      else if (message.kind === 'actor.failed') this.#report(message)
      else if (message.kind === 'actor.stopped') this.#forgetActor(message)
      else if (message.kind === 'violation') this.#dismiss(message.node, new SzmqError(message.code, message.message))
    })
    this.#switchboard = this.#createSwitchboard()
    this.#end = this.#openHostEnd()
  }

  get address(): string | undefined {
    const authority = this.#links?.authority
    return authority === undefined ? undefined : `szmq://${authority}/${this.name}`
  }

  /** @internal */
  async start(): Promise<void> {
    const starts = []
    for (let thread = 1; thread <= this.threads; thread += 1) {
      starts.push(this.#pool.start({ system: this.#inprocName, node: this.#node, thread, board: this.#board.share }))
    }
    await Promise.all(starts)
    const { node } = this.#options
    if (node === undefined || this.#credentials === undefined) return
    this.#links = await NodeLinks.open({
      node,
      system: this.name,
      local: { name: node.name ?? this.name, incarnation: this.#node },
      credentials: this.#credentials,
      switchboard: this.#switchboard,
      onEvent: (event) => {
        this.#report(event)
      },
      onNodeLost: (id, reason) => {
        this.#loseNode(id, reason)
      },
      onNodeRoom: (id) => {
        this.#end.runtime.resumeToNodes(id)
      },
      bury: (batch, to) => {
        this.#end.runtime.bury(batch, 'node-lost', to)
      },
    })
  }

  spawn<P extends Protocol, State>(
    definition: ActorDefinition<P, State>,
    name: string,
    { thread = 'here' }: SpawnOptions = {},
  ): ActorRef<P> {
    this.#assertRunning()
    assertName(name, 'actor name')
    const path = `/${name}`
    if (this.#actors.has(path)) {
      throw new SzmqError(
        'ERR_SZMQ_NAME_TAKEN',
        `${path} exists already in system '${this.name}'; give the new actor another name`,
      )
    }
    const slot = this.#place(thread)
    const untyped = definition as unknown as AnyDefinition
    const { runtime } = this.#end
    const ref = slot === HOST_THREAD ? runtime.spawnHere(untyped, path) : runtime.spawnAt(slot, untyped, path)
    this.#actors.set(path, ref)
    return ref as unknown as ActorRef<P>
  }

  async resolve<P extends Protocol, State>(
    definition: ActorDefinition<P, State>,
    address: string,
    options: AskOptions = {},
  ): Promise<ActorRef<P>> {
    this.#assertRunning()
    if (this.#links === undefined) {
      throw new SzmqError(
        'ERR_SZMQ_INVALID_STATE',
        `cannot resolve ${address}: system '${this.name}' was started without \`node\`, so it has no certificate to show`,
      )
    }
    const { path, node, thread, id, shape } = await this.#links.resolve(address, this.#end.runtime, options)
    assertUnderstands(definition.protocol, shape, address)
    const narrowed = narrowShape(definition.protocol, shape)
    const ref = this.#end.runtime.createRef({ node, thread, id, path }, narrowed)
    return this.#end.runtime.createRef(
      ref.address,
      narrowed,
      checkingAnswers(definition.protocol, address, ref.route),
    ) as unknown as ActorRef<P>
  }

  async stopActor({ address }: ActorRef, options: AskOptions = {}): Promise<void> {
    await this.#end.runtime.stopActor(address, options)
    this.#forgetActor(address)
  }

  /** Its name is free again. */
  #forgetActor({ id, path }: Pick<ActorAddress, 'id' | 'path'>): void {
    if (this.#actors.get(path)?.address.id === id) this.#actors.delete(path)
  }

  links(): readonly LinkInfo[] {
    return this.#links?.infos() ?? []
  }

  door(): DoorInfo | undefined {
    return this.#links?.door
  }

  async stats(options: AskOptions = {}): Promise<ThreadStats> {
    this.#assertRunning()
    const asked = []
    for (let thread = 1; thread <= this.threads; thread += 1) {
      if (this.#board.lifeOf(thread) !== 'live') continue
      const answer = this.#end.runtime.askRuntime(
        { node: undefined, thread },
        Signal.stats,
        undefined,
        `the counters of thread ${thread}`,
        options,
      )
      asked.push(answer as Promise<ThreadStats>)
    }
    return [this.#end.runtime.stats, ...(await Promise.all(asked))].reduce(addStats)
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  async #stop(): Promise<void> {
    await this.#stopActors()
    await this.#links?.close(STOP_DEADLINE_MS)
    await this.#credentials?.[Symbol.asyncDispose]()
    await this.#pool.end()
    this.#end.close()
  }

  /** In reverse order of their start, each when the one before has ended. */
  async #stopActors(): Promise<void> {
    const deadline = AbortSignal.timeout(STOP_DEADLINE_MS)
    for (const { address } of [...this.#actors.values()].reverse()) {
      if (deadline.aborted) return
      // A thread that is gone, or an actor that does not end in time: the threads are ended next, whatever is still there.
      await this.#end.runtime.stopActor(address, { signal: deadline }).catch(() => {})
    }
  }

  #place(thread: 'here' | 'any' | number): number {
    if (thread === 'here') return HOST_THREAD
    if (thread === 'any') return this.#nextLiveThread()
    if (!Number.isInteger(thread) || thread < 0 || thread > this.threads) {
      throw new SzmqError('ERR_SZMQ_INVALID_ARGUMENT', `thread ${thread}: expected 'here', 'any' or 0 to ${this.threads}`)
    }
    if (this.#board.lifeOf(thread) === 'lost') {
      throw new SzmqError('ERR_SZMQ_THREAD_LOST', `thread ${thread} is gone: ${this.#pool.describeLoss(thread)}`)
    }
    return thread
  }

  #nextLiveThread(): number {
    for (let tried = 0; tried < this.threads; tried += 1) {
      this.#nextThread = (this.#nextThread % this.threads) + 1
      if (this.#board.lifeOf(this.#nextThread) === 'live') return this.#nextThread
    }
    throw this.threads === 0
      ? new SzmqError(
          'ERR_SZMQ_INVALID_ARGUMENT',
          `thread 'any': system '${this.name}' was started without threads; give startSystem \`threads\``,
        )
      : new SzmqError('ERR_SZMQ_THREAD_LOST', `thread 'any': all ${this.threads} threads of system '${this.name}' are gone`)
  }

  #loseNode(node: string, reason: string): void {
    this.#end.runtime.loseNode(node, reason)
    for (let thread = 1; thread <= this.threads; thread += 1) {
      if (this.#board.lifeOf(thread) === 'live') this.#end.runtime.signalThread(thread, Signal.nodeLost, { node, reason })
    }
  }

  #createSwitchboard(): Switchboard {
    return new Switchboard({
      threads: this.threads + 1,
      isLost: (thread) => this.#end.mesh.isLost(thread),
      pipe: (thread, head, batch) => this.#end.mesh.send(thread, encodePipeHead(head), batch),
      canDeliver: () => this.#end.runtime.canTake(),
      deliver: (origin, thread, batch) => {
        deliverForeign(this.#end.runtime, batch, origin, thread, (of, error) => {
          this.#dismiss(of, error)
        })
      },
      bury: (batch, reason, node, origin) => {
        const to = reason === 'thread-lost' ? 'a thread that is gone' : `node ${node}`
        this.#end.runtime.bury(batch, reason, to, origin?.identity)
      },
      onUnreachable: (node, from) => {
        this.#answerUnreachable(node, from)
      },
      wakePipes: () => {
        this.#end.mesh.wake()
      },
    })
  }

  #dismiss(node: string, error: SzmqError): void {
    this.#links?.dismiss(node, error)
  }

  /** Somebody holds a ref to a node that is gone, or never was: whoever waits must hear of it. */
  #answerUnreachable(node: string, from: number): void {
    const reason = `there is no link to node ${node} (any more)`
    if (from !== HOST_THREAD) this.#end.runtime.signalThread(from, Signal.nodeLost, { node, reason })
    // Not within the call that sends: the outbox is just being emptied.
    else
      queueMicrotask(() => {
        this.#end.runtime.loseNode(node, reason)
      })
  }

  #openHostEnd(): ThreadEnd {
    return openThreadEnd(
      { system: this.#inprocName, node: this.#node, thread: HOST_THREAD, board: this.#board.share },
      {
        forward: ({ node, thread }, from, batch) => {
          if (from === HOST_THREAD) return this.#switchboard.sendOwn(node, thread, from, batch)
          this.#switchboard.forward(node, thread, from, batch)
          return true
        },
        mayForward: (from) => this.#switchboard.mayForward(from),
        onRoom: (thread) => {
          this.#switchboard.handOn(thread)
        },
        onCaughtUp: () => {
          this.#switchboard.handOn(HOST_THREAD)
        },
        onThreadLost: (thread) => {
          this.#forgetThread(thread)
        },
        onForeignRequest: (_selector, payload, answerer, origin) => {
          answerResolve(payload, answerer, this.name, this.#actors, origin)
        },
        onViolation: (node, error) => {
          this.#dismiss(node, error)
        },
        onActorStopped: (address) => {
          this.#forgetActor(address)
        },
        onFailure: ({ path, message, error, decision, peer }) => {
          this.#report({
            kind: 'actor.failed',
            path,
            message,
            decision,
            error: messageOf(error),
            peer,
          })
        },
        onDeadLetter: (letter) => {
          this.#report({ kind: 'deadLetter', letter })
        },
        describeLoss: (thread) => this.#pool.describeLoss(thread),
      },
    )
  }

  #forgetThread(thread: number): void {
    for (const [path, { address }] of this.#actors) if (address.thread === thread) this.#actors.delete(path)
    this.#switchboard.handOn(thread)
    this.#report({ kind: 'thread.lost', thread, reason: this.#pool.describeLoss(thread) })
  }

  #assertRunning(): void {
    if (this.#stopping !== undefined) throw new SzmqError('ERR_SZMQ_INVALID_STATE', `system '${this.name}' was stopped`)
  }
}

function addStats(one: ThreadStats, other: ThreadStats): ThreadStats {
  const byReason: Record<string, number> = { ...one.deadLettersByReason }
  for (const [reason, count] of Object.entries(other.deadLettersByReason)) byReason[reason] = (byReason[reason] ?? 0) + count
  return {
    sent: one.sent + other.sent,
    handled: one.handled + other.handled,
    deadLetters: one.deadLetters + other.deadLetters,
    deadLettersByReason: byReason,
    waiting: one.waiting + other.waiting,
    actors: one.actors + other.actors,
  }
}
