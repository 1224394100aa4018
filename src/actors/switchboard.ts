import { encodeOrigin } from './origin.codec.ts'
import type { Origin } from './origin.ts'
import type { PipeHead } from './pipe-head.codec.ts'

/** A link to another node, as the host sees it. */
export interface LinkPort {
  /** Id of the node's incarnation. */
  readonly node: string
  /** Its name, for people. */
  readonly name: string
  /** Number of the link on this node, never given out twice. */
  readonly number: number
  /** Who is at the far end, as proved in the newest handshake. */
  readonly origin: Origin
  /** One batch from our thread `from` for their thread `to`; false: not now, {@link Switchboard.onLinkRoom} follows. */
  send(to: number, from: number, batch: Uint8Array): boolean
  /** The batch with this number was handed on: its room is free for the next one. */
  delivered(sequence: number): void
}

export interface SwitchboardDependencies {
  readonly threads: number
  /** Puts a batch into the pipe to a thread; false: not now. */
  readonly pipe: (thread: number, head: PipeHead, batch: Uint8Array) => boolean
  /** May the host's own runtime take more in? */
  readonly canDeliver: () => boolean
  readonly deliver: (origin: Origin, thread: number, batch: Uint8Array) => void
  /** A thread that is gone: batches for it lead nowhere. */
  readonly isLost: (thread: number) => boolean
  /** A batch that leads nowhere. @param origin of one that came over a link */
  readonly bury: (batch: Uint8Array, reason: 'node-lost' | 'thread-lost', node: string, origin: Origin | undefined) => void
  /** Thread `from` sends to a node to which there is no link. */
  readonly onUnreachable: (node: string, from: number) => void
  /** Pipes that were held back may be drained again. */
  readonly wakePipes: () => void
}

type Arrival =
  | {
      readonly kind: 'batch'
      readonly link: LinkPort
      readonly origin: Origin
      readonly sequence: number
      readonly from: number
      readonly batch: Uint8Array
    }
  /** The link is gone: the thread may forget it. */
  | { readonly kind: 'farewell'; readonly link: LinkPort }

/**
 * The host's crossing between pipes and links: batches pass through without being unpacked. Each queue in it is bounded by what
 * feeds it: arrivals by the links' windows, for a batch counts as delivered only when it was handed on; departures because a pipe
 * is not drained while a batch from it waits.
 */
export class Switchboard {
  readonly #dependencies: SwitchboardDependencies
  /** By node; more than one when both sides linked, or one linked by two addresses. The oldest carries what we send. */
  readonly #links = new Map<string, LinkPort[]>()
  /** Batches from links for each thread. */
  readonly #arrivals: Arrival[][]
  /** Who each thread was told is at the far end of a link: only threads that get batches of it are. */
  readonly #introduced: Map<LinkPort, Origin>[]
  /** One batch at most from each thread, waiting for its link. */
  readonly #departures = new Map<number, { readonly node: string; readonly to: number; readonly batch: Uint8Array }>()

  constructor(dependencies: SwitchboardDependencies) {
    this.#dependencies = dependencies
    this.#arrivals = Array.from({ length: dependencies.threads }, () => [])
    this.#introduced = Array.from({ length: dependencies.threads }, () => new Map<LinkPort, Origin>())
  }

  linkTo(node: string): LinkPort | undefined {
    return this.#links.get(node)?.[0]
  }

  addLink(link: LinkPort): void {
    const others = this.#links.get(link.node)
    if (others === undefined) this.#links.set(link.node, [link])
    else others.push(link)
  }

  /** What came over that link and waits, and what waits for its node if it was the last one, leads nowhere any more. */
  removeLink(link: LinkPort): void {
    const others = (this.#links.get(link.node) ?? []).filter((other) => other !== link)
    if (others.length > 0) this.#links.set(link.node, others)
    else this.#links.delete(link.node)
    for (const [thread, queue] of this.#arrivals.entries()) {
      const gone = queue.filter((arrival) => arrival.link === link)
      queue.splice(0, queue.length, ...queue.filter((arrival) => arrival.link !== link))
      for (const arrival of gone) {
        if (arrival.kind === 'batch') this.#dependencies.bury(arrival.batch, 'node-lost', link.node, arrival.origin)
      }
      if (this.#introduced[thread]?.delete(link) === true) this.#enqueue(thread, queue, { kind: 'farewell', link })
    }
    if (others.length > 0) this.onLinkRoom(link.node)
    else this.#buryDepartures(link.node)
    this.#dependencies.wakePipes()
  }

  #buryDepartures(node: string): void {
    for (const [from, departure] of this.#departures) {
      if (departure.node !== node) continue
      this.#departures.delete(from)
      this.#dependencies.bury(departure.batch, 'node-lost', node, undefined)
    }
  }

  /** May a pipe be drained whose batches may be for other nodes? */
  mayForward(from: number): boolean {
    return !this.#departures.has(from)
  }

  /** From the host's own runtime. @returns false: not now. */
  sendOwn(node: string, to: number, from: number, batch: Uint8Array): boolean {
    const link = this.linkTo(node)
    if (link === undefined) return this.#refuse(node, from, batch)
    return link.send(to, from, batch)
  }

  /** From another thread, out of its pipe. */
  forward(node: string, to: number, from: number, batch: Uint8Array): void {
    const link = this.linkTo(node)
    if (link === undefined) this.#refuse(node, from, batch)
    else if (!link.send(to, from, batch)) this.#departures.set(from, { node, to, batch })
  }

  /** A link takes batches again. */
  onLinkRoom(node: string): void {
    const link = this.linkTo(node)
    for (const [from, { node: of, to, batch }] of this.#departures) {
      if (of !== node || link === undefined) continue
      if (!link.send(to, from, batch)) return
      this.#departures.delete(from)
    }
    this.#dependencies.wakePipes()
  }

  /** A batch came over a link. */
  onArrival(link: LinkPort, sequence: number, to: number, from: number, batch: Uint8Array): void {
    const queue = this.#arrivals[to]
    const { origin } = link
    if (queue === undefined) {
      // No such thread here: the peer is confused, or hostile.
      this.#dependencies.bury(batch, 'node-lost', link.node, origin)
      link.delivered(sequence)
      return
    }
    this.#enqueue(to, queue, { kind: 'batch', link, origin, sequence, from, batch })
  }

  /** The pipe to `thread`, or the host's own runtime, can take more. */
  handOn(thread: number): void {
    const queue = this.#arrivals[thread] ?? []
    for (let next = queue[0]; next !== undefined; next = queue[0]) {
      // Out of the queue first: handing on may end links, and with them what else waits here.
      queue.shift()
      if (!this.#handOnOne(thread, next)) {
        queue.unshift(next)
        return
      }
      if (next.kind === 'batch') next.link.delivered(next.sequence)
    }
  }

  #enqueue(thread: number, queue: Arrival[], arrival: Arrival): void {
    queue.push(arrival)
    if (queue.length === 1) this.handOn(thread)
  }

  #refuse(node: string, from: number, batch: Uint8Array): true {
    this.#dependencies.bury(batch, 'node-lost', node, undefined)
    this.#dependencies.onUnreachable(node, from)
    return true
  }

  #handOnOne(thread: number, arrival: Arrival): boolean {
    const { pipe, canDeliver, deliver, isLost, bury } = this.#dependencies
    if (isLost(thread)) {
      if (arrival.kind === 'batch') bury(arrival.batch, 'thread-lost', arrival.link.node, arrival.origin)
      return true
    }
    const link = arrival.link.number
    if (arrival.kind === 'farewell') return pipe(thread, { kind: 'originGone', link }, NOTHING)
    const { origin, from, batch } = arrival
    if (thread === HOST_THREAD) {
      if (!canDeliver()) return false
      deliver(origin, from, batch)
      return true
    }
    return this.#introduce(thread, arrival.link, origin) && pipe(thread, { kind: 'fromLink', link, thread: from }, batch)
  }

  /** In front of the first batch: whoever gets it knows who sent it. @returns false: not now */
  #introduce(thread: number, link: LinkPort, origin: Origin): boolean {
    const introduced = this.#introduced[thread]
    if (introduced?.get(link) === origin) return true
    if (!this.#dependencies.pipe(thread, { kind: 'origin', link: link.number }, encodeOrigin(origin))) return false
    introduced?.set(link, origin)
    return true
  }
}

const HOST_THREAD = 0
const NOTHING = new Uint8Array(0)
