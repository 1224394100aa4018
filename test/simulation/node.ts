import { SzmqError } from '../../src/shared/errors.ts'
import type { FakeClock } from '../../src/testing/fake-clock.ts'
import { Link, type LinkEvent } from '../../src/transport/link.ts'
import type { ChannelEvent, SecureChannel } from '../../src/transport/secure-channel.ts'
import { StreamClient, StreamServer } from '../../src/transport/stream.ts'
import { BackPressure } from './back-pressure.ts'
import { boundEngine } from './bound-engine.ts'
import type { Dice } from './dice.ts'
import type { Batch, LinkRecord, Model } from './model.ts'
import type { Connection, Network } from './network.ts'
import type { Plan } from './plan.ts'
import { Scope } from './scope.ts'
import { Violation } from './violation.ts'

/** What all nodes of a run share. */
export interface World {
  readonly plan: Plan
  readonly clock: FakeClock
  readonly network: Network
  readonly model: Model
  readonly observe: (node: SimulatedNode, link: NodeLink, event: LinkEvent) => void
}

/** A link as the node that holds it sees it. */
export interface NodeLink {
  readonly link: Link
  readonly record: LinkRecord
  readonly channel: SecureChannel
  /** A server knows it once the link is up; -1 before. */
  pair: number
  readonly side: 'client' | 'server'
  /** The session asked to hold back, and has not said `drain` since. */
  isHeldBack: boolean
  /** Received, and not yet said to be delivered. */
  readonly waiting: Batch[]
  readonly connection: Connection | undefined
}

/** Which two nodes a pair is: the first one is the client. */
export const PAIRS: readonly (readonly [client: number, server: number])[] = [
  [0, 1],
  [0, 2],
  [1, 2],
]

/** One process of one node: links to all others, and threads that send and receive. Ends with {@link crash}. */
export class SimulatedNode {
  readonly index: number
  readonly incarnation: string
  /** Of links, sessions and engines. */
  readonly scope: Scope
  readonly links: NodeLink[] = []
  readonly #world: World
  readonly #dice: Dice
  /** Of the threads: kept apart, for only the library must leave no timers behind. */
  readonly #userScope: Scope
  readonly #server: StreamServer
  readonly #quota = new Map<number, number>()
  #linkCount = 0
  #slowUntil = 0
  #isQuiet = false
  #staysApart = false

  constructor(index: number, run: number, world: World, dice: Dice) {
    this.index = index
    this.incarnation = `n${index}.${run}`
    this.#world = world
    this.#dice = dice
    this.scope = new Scope(world.clock)
    this.#userScope = new Scope(world.clock)
    this.#server = this.#createServer()
  }

  start(): void {
    for (const pair of this.#pairs()) {
      this.#quota.set(pair, this.#world.plan.workload.batches)
      if (PAIRS[pair]?.[0] === this.index) this.#connect(pair)
      else {
        this.#world.network.bind(pair, {
          receive: (message) => {
            this.scope.run(() => {
              this.#server.receive(message)
            })
          },
        })
      }
      this.#scheduleTick(pair)
    }
  }

  /** The process is gone. */
  crash(): void {
    this.scope.end()
    this.#userScope.end()
    for (const { record, connection } of this.links) {
      this.#world.model.gone(record)
      if (connection !== undefined) this.#world.network.close(connection)
    }
    for (const pair of this.#pairs()) if (PAIRS[pair]?.[1] === this.index) this.#world.network.unbind(pair)
  }

  /** The event loop stands still. */
  stall(forMs: number): void {
    this.scope.stall(forMs)
    this.#userScope.stall(forMs)
  }

  /** Its threads say `delivered` for nothing before that. */
  readSlowly(forMs: number): void {
    this.#slowUntil = this.scope.now() + forMs
  }

  /** Sends nothing more by itself, and reads quickly. */
  quieten(): void {
    this.#isQuiet = true
    this.#slowUntil = 0
  }

  /** Makes no new links. */
  stayApart(): void {
    this.#staysApart = true
  }

  /** Listens no more. */
  close(): void {
    this.#server.destroy()
  }

  /** The newest link of a pair, unless it is over. */
  linkOf(pair: number): NodeLink | undefined {
    return this.links.findLast(({ pair: other, record }) => other === pair && record.state !== 'down' && record.state !== 'new')
  }

  /** @returns was it taken? */
  send(nodeLink: NodeLink): boolean {
    const { link, record, isHeldBack } = nodeLink
    const { model, plan } = this.#world
    const batch = {
      length: this.#dice.pick(plan.workload.sizes),
      to: this.#dice.integer(0, 255),
      from: this.#dice.integer(0, 255),
    }
    const body = model.nextBody(batch.length)
    const isAccepted = link.send(batch.to, batch.from, body)
    if (isAccepted && isHeldBack) throw new Violation('a link holds back until drain', record.name)
    // It was copied, so this is ours again.
    body.fill(0xee)
    model.sent(record, batch, isAccepted)
    return isAccepted
  }

  #connect(pair: number): void {
    const { network, plan } = this.#world
    const connection: Connection = network.connect(pair, (message) => {
      this.scope.run(() => {
        client.receive(message)
      })
    })
    const client: StreamClient = new StreamClient(
      { engine: this.#engine('client'), sessionLimits: plan.sessionLimits },
      { clock: this.scope, random: this.#dice.random },
      ({ parts }) => {
        network.sendUp(connection, parts)
      },
      (event) => {
        passOn(nodeLink, event)
      },
    )
    const nodeLink = this.#addLink(client.channel, pair, connection)
    client.open()
  }

  #createServer(): StreamServer {
    const { network, plan } = this.#world
    return new StreamServer(
      { engine: this.#engine('server'), sessionLimits: plan.sessionLimits },
      { clock: this.scope, random: this.#dice.random },
      ({ envelope, parts }) => {
        network.sendDown([...envelope, ...parts])
      },
      (channel) => {
        const nodeLink = this.#addLink(channel, -1, undefined)
        return (event) => {
          passOn(nodeLink, event)
        }
      },
    )
  }

  #engine(role: 'client' | 'server') {
    const { engineTiming, highWaterMarkBytes } = this.#world.plan
    const later = engineTiming === 'later' ? { laterBy: this.scope, highWaterMarkBytes } : {}
    return boundEngine({ role, name: `n${this.index}`, ...later }, this.#dice.random)
  }

  #addLink(channel: SecureChannel, pair: number, connection: Connection | undefined): NodeLink {
    const { model, plan } = this.#world
    this.#linkCount += 1
    const local = { name: `n${this.index}`, incarnation: this.incarnation }
    const link = new Link({ local, limits: plan.linkLimits }, { clock: this.scope, random: this.#dice.random }, (event) => {
      this.#onEvent(nodeLink, event)
    })
    const nodeLink: NodeLink = {
      link,
      record: model.add(`${this.incarnation}/${this.#linkCount}`, channel.id, this.incarnation),
      channel,
      pair,
      side: connection === undefined ? 'server' : 'client',
      isHeldBack: false,
      waiting: [],
      connection,
    }
    link.attach(new BackPressure(channel, nodeLink))
    this.links.push(nodeLink)
    return nodeLink
  }

  #onEvent(nodeLink: NodeLink, event: LinkEvent): void {
    const { model, network, observe } = this.#world
    const { record, link } = nodeLink
    observe(this, nodeLink, event)
    switch (event.kind) {
      case 'up':
        model.up(record, event.peer.incarnation)
        this.#settlePair(nodeLink, event.peer.name)
        return
      case 'batch':
        nodeLink.waiting.push(model.received(record, event))
        this.#deliverSoon(nodeLink)
        return
      case 'room':
        model.room(record)
        if (this.#world.plan.workload.fillsAtOnce) this.#burst(nodeLink)
        return
      case 'suspended':
        model.suspended(record)
        return
      case 'resumed':
        model.resumed(record)
        return
      case 'down':
        model.down(record, event.error, event.unacknowledged)
        if (link.send(0, 0, new Uint8Array(4))) throw new Violation('send is refused unless the link is up', record.name)
        if (nodeLink.connection === undefined) return
        network.close(nodeLink.connection)
        this.#reconnect(nodeLink.pair)
    }
  }

  #settlePair(nodeLink: NodeLink, peerName: string): void {
    const peer = Number(peerName.slice(1))
    const pair = PAIRS.findIndex(
      ([client, server]) => (client === peer && server === this.index) || (client === this.index && server === peer),
    )
    nodeLink.pair = pair
    if (!this.#world.plan.givesUpOlderLinks) return
    for (const older of this.links.slice(0, this.links.indexOf(nodeLink))) {
      if (older.pair === pair && older.record.state !== 'down') older.link.destroy(REPLACED)
    }
  }

  #reconnect(pair: number): void {
    if (this.#staysApart) return
    this.#userScope.setTimeout(
      () => {
        if (!this.#staysApart) this.#connect(pair)
      },
      this.#dice.between(0, MAX_RECONNECT_MS),
    )
  }

  #scheduleTick(pair: number): void {
    const { everyMs } = this.#world.plan.workload
    this.#userScope.setTimeout(
      () => {
        if (this.#isQuiet) return
        const link = this.linkOf(pair)
        if (link !== undefined) this.#burst(link)
        this.#scheduleTick(pair)
      },
      this.#dice.between(0, 2 * everyMs),
    )
  }

  /** Some batches, until one is refused: then not before `room`. */
  #burst(link: NodeLink): void {
    const { pair, record } = link
    for (let left = this.#dice.integer(1, this.#world.plan.workload.maxBurst); left > 0; left -= 1) {
      const quota = this.#quota.get(pair) ?? 0
      if (this.#isQuiet || quota === 0 || record.isRefused || record.state === 'down' || record.state === 'gone') return
      if (this.send(link)) this.#quota.set(pair, quota - 1)
    }
  }

  #deliverSoon(nodeLink: NodeLink): void {
    const { maxDeliveryMs } = this.#world.plan.workload
    const waitMs = Math.max(this.#slowUntil - this.scope.now(), maxDeliveryMs === 0 ? 0 : this.#dice.between(0, maxDeliveryMs))
    if (waitMs <= 0) this.#deliverSome(nodeLink)
    else this.#userScope.setTimeout(() => this.#deliverSome(nodeLink), waitMs)
  }

  /** The oldest ones, for there is one timer for each batch and later ones must not overtake. */
  #deliverSome(nodeLink: NodeLink): void {
    if (this.scope.now() < this.#slowUntil) {
      this.#userScope.setTimeout(() => this.#deliverSome(nodeLink), this.#slowUntil - this.scope.now())
      return
    }
    const batch = nodeLink.waiting.shift()
    if (batch === undefined) return
    this.#world.model.handedOn(batch)
    nodeLink.link.delivered(batch.sequence)
  }

  #pairs(): readonly number[] {
    return PAIRS.slice(0, this.#world.plan.nodes === 2 ? 1 : 3).flatMap((ends, pair) =>
      ends.includes(this.index) ? [pair] : [],
    )
  }
}

function passOn(nodeLink: NodeLink, event: ChannelEvent): void {
  if (event.kind !== 'message') nodeLink.isHeldBack = false
  nodeLink.link.onChannelEvent(event)
}

/** Why links are destroyed in the middle, when the plan says so. */
export const WHIM = new SzmqError('ERR_SZMQ_ABORTED', 'the owner did not want it any more')
const REPLACED = new SzmqError('ERR_SZMQ_ABORTED', 'a newer link to the same node is up')
const MAX_RECONNECT_MS = 300
