import type { PipeHead } from './pipe-head.codec.ts'

/** A link to another node, as the host sees it. */
export interface LinkPort {
  /** Id of the node's incarnation. */
  readonly node: string
  /** Its name, for people. */
  readonly name: string
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
  readonly deliver: (node: string, thread: number, batch: Uint8Array) => void
  /** A batch that leads nowhere. */
  readonly bury: (batch: Uint8Array, node: string) => void
  /** Thread `from` sends to a node to which there is no link. */
  readonly onUnreachable: (node: string, from: number) => void
  /** Pipes that were held back may be drained again. */
  readonly wakePipes: () => void
}

interface Arrival {
  readonly link: LinkPort
  readonly sequence: number
  readonly from: number
  readonly batch: Uint8Array
}

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
  /** One batch at most from each thread, waiting for its link. */
  readonly #departures = new Map<number, { readonly node: string; readonly to: number; readonly batch: Uint8Array }>()

  constructor(dependencies: SwitchboardDependencies) {
    this.#dependencies = dependencies
    this.#arrivals = Array.from({ length: dependencies.threads }, () => [])
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
    for (const queue of this.#arrivals) {
      const gone = queue.filter((arrival) => arrival.link === link)
      queue.splice(0, queue.length, ...queue.filter((arrival) => arrival.link !== link))
      for (const { batch } of gone) this.#dependencies.bury(batch, link.node)
    }
    if (others.length > 0) this.onLinkRoom(link.node)
    else this.#buryDepartures(link.node)
    this.#dependencies.wakePipes()
  }

  #buryDepartures(node: string): void {
    for (const [from, departure] of this.#departures) {
      if (departure.node !== node) continue
      this.#departures.delete(from)
      this.#dependencies.bury(departure.batch, node)
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
    if (queue === undefined) {
      // No such thread here: the peer is confused, or hostile.
      this.#dependencies.bury(batch, link.node)
      link.delivered(sequence)
      return
    }
    queue.push({ link, sequence, from, batch })
    if (queue.length === 1) this.handOn(to)
  }

  /** The pipe to `thread`, or the host's own runtime, can take more. */
  handOn(thread: number): void {
    const queue = this.#arrivals[thread] ?? []
    for (let next = queue[0]; next !== undefined; next = queue[0]) {
      const { link, sequence, from, batch } = next
      // Out of the queue first: handing on may end links, and with them what else waits here.
      queue.shift()
      if (!this.#handOnOne(thread, link.node, from, batch)) {
        queue.unshift(next)
        return
      }
      link.delivered(sequence)
    }
  }

  #refuse(node: string, from: number, batch: Uint8Array): true {
    this.#dependencies.bury(batch, node)
    this.#dependencies.onUnreachable(node, from)
    return true
  }

  #handOnOne(thread: number, node: string, from: number, batch: Uint8Array): boolean {
    if (thread !== 0) return this.#dependencies.pipe(thread, { kind: 'fromNode', node, thread: from }, batch)
    if (!this.#dependencies.canDeliver()) return false
    this.#dependencies.deliver(node, from, batch)
    return true
  }
}
