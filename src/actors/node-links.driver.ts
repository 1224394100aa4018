import { isDeepStrictEqual } from 'node:util'
import { SzmqError } from '../shared/errors.ts'
import {
  connectToNode,
  createMessageCodec,
  createNodeEngines,
  describeIdentity,
  identityDigest,
  judgePeer,
  listenForNodes,
  type NodeCredentialSource,
  type FloodEvent,
  type LinkEvent,
  type LinkLimits,
  type NodeEngines,
  type NodeIdentity,
  type NodeLink,
  type NodeListener,
  type PeerIdentity,
} from '../transport/index.ts'
import { assertPort, authorityOf, parseAddress } from './address.ts'
import type { AskOptions } from './ask-table.ts'
import { Origin } from './origin.ts'
import type { RefShape } from './ref-shape.ts'
import { readResolveAnswer } from './resolve.ts'
import type { Runtime } from './runtime.ts'
import { RUNTIME_ID, Signal, type ResolvePayload } from './signal.ts'
import type { LinkPort, Switchboard } from './switchboard.ts'
import type { DoorInfo, LinkInfo, NodeOptions, SystemEvent } from './system.ts'
import { HOST_THREAD } from './thread-end.driver.ts'

export interface NodeLinksOptions {
  readonly node: NodeOptions
  /** Name of the system. */
  readonly system: string
  readonly local: NodeIdentity
  readonly credentials: NodeCredentialSource
  readonly switchboard: Switchboard
  readonly onEvent: (event: SystemEvent) => void
  readonly onNodeLost: (node: string, reason: string) => void
  /** The link to that node takes batches again. */
  readonly onNodeRoom: (node: string) => void
  /** A batch that the other node has not acknowledged before it was lost. */
  readonly bury: (batch: Uint8Array, to: string) => void
}

/** A link that is up, as the switchboard sees it. */
interface UpPort extends LinkPort {
  origin: Origin
}

/** One outgoing link: the node it leads to, once that is known. */
interface Outgoing {
  readonly up: Promise<LinkPort>
  readonly nodeLink: NodeLink
  /** Why the link is being ended by us, be it because the other side refused us. */
  dismissal: SzmqError | undefined
}

/** The links of one node to others, made by either side. */
export class NodeLinks {
  readonly #options: NodeLinksOptions
  readonly #engines: NodeEngines
  readonly #nodeLinks = new Set<NodeLink>()
  /** Links that are being ended because of what came over them. Nothing more of them is taken. */
  readonly #dismissed = new Map<NodeLink, SzmqError>()
  /** By the links that are up. */
  readonly #origins = new Map<NodeLink, Origin>()
  readonly #outgoing = new Map<string, Outgoing>()
  #listener: NodeListener | undefined
  #nextNumber = 1
  #onEmpty: (() => void) | undefined

  private constructor(options: NodeLinksOptions) {
    this.#options = options
    this.#engines = createNodeEngines(options.credentials, options.node)
  }

  static async open(options: NodeLinksOptions): Promise<NodeLinks> {
    const links = new NodeLinks(options)
    const { listen, limits: streamLimits = {}, gate } = options.node
    if (listen !== undefined) {
      assertPort(listen)
      links.#listener = await listenForNodes({
        endpoint: listen,
        engines: links.#engines,
        local: options.local,
        ...limitsOf(options.node),
        streamLimits,
        ...(gate === undefined ? {} : { gate }),
        onFlood: (event) => {
          options.onEvent(toDoorEvent(event))
        },
        onLink: (nodeLink) => links.#follow(nodeLink, 'a node that calls'),
      })
    }
    return links
  }

  /** `127.0.0.1:7000` when it listens. */
  get authority(): string | undefined {
    return this.#listener === undefined ? undefined : authorityOf(this.#listener.endpoint)
  }

  get door(): DoorInfo | undefined {
    if (this.#listener === undefined) return undefined
    const { counters, gate } = this.#listener
    return { messages: { ...counters }, connections: gate === undefined ? undefined : { ...gate } }
  }

  infos(): readonly LinkInfo[] {
    const infos: LinkInfo[] = []
    for (const nodeLink of this.#nodeLinks) {
      const info = this.#dismissed.has(nodeLink) ? undefined : this.#infoOf(nodeLink)
      if (info !== undefined) infos.push(info)
    }
    return infos
  }

  /** Links to the node of `address` if there is no link yet, and asks it who is there. */
  async resolve(
    address: string,
    runtime: Runtime,
    options: AskOptions,
  ): Promise<{
    readonly node: string
    readonly thread: number
    readonly id: number
    readonly path: string
    readonly shape: RefShape
  }> {
    const { host, port, system, path } = parseAddress(address)
    const outgoing = this.#linkTo(host, port)
    const link = await within(outgoing.up, `resolving ${address}`, options)
    const payload: ResolvePayload = { system, path }
    const answer = await runtime
      .askRuntime({ node: link.node, thread: HOST_THREAD }, Signal.resolve, payload, `resolving ${address}`, options)
      .catch((error: unknown) => {
        // That the link is gone says less than why.
        const isLost = error instanceof SzmqError && error.code === 'ERR_SZMQ_NODE_LOST'
        throw isLost ? (outgoing.dismissal ?? error) : error
      })
    return { node: link.node, path, ...readResolveAnswer(answer) }
  }

  /** Ends the link to a node that broke the protocol: by a bye, so that it does not come back with the same. */
  dismiss(node: string, error: SzmqError): void {
    for (const nodeLink of this.#nodeLinks) if (nodeLink.link.peer?.incarnation === node) this.#dismissLink(nodeLink, error)
  }

  #dismissLink(nodeLink: NodeLink, error: SzmqError): void {
    if (this.#dismissed.has(nodeLink)) return
    this.#dismissed.set(nodeLink, error)
    nodeLink.link.close()
  }

  /** Says bye to every node, waits for theirs, and closes the sockets. */
  async close(deadlineMs: number): Promise<void> {
    if (this.#nodeLinks.size > 0) {
      const empty = new Promise<void>((resolve) => {
        this.#onEmpty = resolve
      })
      for (const { link } of [...this.#nodeLinks]) link.close()
      const timer = setTimeout(() => {
        for (const { link } of [...this.#nodeLinks]) {
          link.destroy(new SzmqError('ERR_SZMQ_TRUNCATED', `the other node did not answer our bye within ${deadlineMs} ms`))
        }
      }, deadlineMs)
      if (this.#nodeLinks.size > 0) await empty
      clearTimeout(timer)
    }
    // One more turn: the last frames of a bye are still on their way to the socket.
    await new Promise((resolve) => setTimeout(resolve, FAREWELL_MS))
    this.#listener?.close()
    for (const { nodeLink } of this.#outgoing.values()) nodeLink.dispose()
  }

  #linkTo(host: string, port: number): Outgoing {
    const key = `${host}:${port}`
    const known = this.#outgoing.get(key)
    if (known !== undefined) return known
    let settle: { readonly resolve: (port: LinkPort) => void; readonly reject: (error: SzmqError) => void } | undefined
    const up = new Promise<LinkPort>((resolve, reject) => {
      settle = { resolve, reject }
    })
    up.catch(() => {})
    let follow: ((event: LinkEvent) => void) | undefined
    const nodeLink = connectToNode(
      { host, port, engines: this.#engines, local: this.#options.local, ...limitsOf(this.#options.node) },
      (event) => {
        follow?.(event)
        const dismissal = this.#dismissed.get(nodeLink)
        if (dismissal !== undefined) {
          outgoing.dismissal = dismissal
          settle?.reject(dismissal)
        } else if (event.kind === 'up') {
          const link = this.#options.switchboard.linkTo(event.peer.incarnation)
          if (link !== undefined) settle?.resolve(link)
        }
        if (event.kind === 'down') {
          this.#outgoing.delete(key)
          nodeLink.dispose()
          settle?.reject(event.error ?? new SzmqError('ERR_SZMQ_NODE_LOST', `${key} said bye`))
        }
      },
    )
    follow = this.#follow(nodeLink, key)
    const outgoing: Outgoing = { up, nodeLink, dismissal: undefined }
    this.#outgoing.set(key, outgoing)
    return outgoing
  }

  /** What happens on one link, from its first event to `down`. */
  #follow(nodeLink: NodeLink, who: string): (event: LinkEvent) => void {
    const { switchboard, onEvent, onNodeLost, onNodeRoom, bury } = this.#options

    let port: UpPort | undefined
    this.#nodeLinks.add(nodeLink)
    return (event) => {
      switch (event.kind) {
        case 'up': {
          const origin = this.#judge(event.peer, event.facts.peer)
          if (origin instanceof SzmqError) {
            this.#refuse(nodeLink, event.peer.name, event.facts.peer, origin)
            return
          }
          this.#origins.set(nodeLink, origin)
          port = portTo(nodeLink, event.peer, this.#nextNumber, origin)
          this.#nextNumber += 1
          switchboard.addLink(port)
          const info = this.#infoOf(nodeLink)
          if (info !== undefined) onEvent({ kind: 'link.up', link: info })
          return
        }
        case 'batch':
          if (port === undefined || this.#dismissed.has(nodeLink)) return
          if (event.to === REFUSAL_THREAD) {
            this.#dismissLink(nodeLink, refusedBy(port.name))
            return
          }
          switchboard.onArrival(port, event.sequence, event.to, event.from, event.body)
          return
        case 'room':
          if (port === undefined) return
          switchboard.onLinkRoom(port.node)
          onNodeRoom(port.node)
          return
        case 'suspended':
          onEvent({
            kind: 'link.suspended',
            peer: port?.name ?? who,
            identity: port?.origin.identity,
            reason: event.error.message,
          })
          return
        case 'resumed':
          if (port === undefined || this.#dismissed.has(nodeLink) || !this.#recognize(nodeLink, port)) return
          onEvent({ kind: 'link.resumed', peer: port.name, identity: port.origin.identity })
          return
        case 'down': {
          this.#nodeLinks.delete(nodeLink)
          this.#origins.delete(nodeLink)
          const peer = port?.name ?? who
          const error = this.#dismissed.get(nodeLink) ?? event.error
          this.#dismissed.delete(nodeLink)
          const identity = port?.origin.identity ?? nodeLink.link.facts?.peer
          if (port !== undefined) {
            switchboard.removeLink(port)
            for (const batch of event.unacknowledged) bury(batch, `node ${peer}`)
            onNodeLost(port.node, lossOf(peer, error))
          }
          onEvent({ kind: 'link.down', peer, identity, reason: error?.message, code: error?.code })
          if (this.#nodeLinks.size === 0) this.#onEmpty?.()
          return
        }
      }
    }
  }

  /** Is the peer the node that it says, and what may it reach? */
  #judge({ incarnation }: NodeIdentity, identity: PeerIdentity): Origin | SzmqError {
    const forged = whyForged(incarnation, identity)
    if (forged !== undefined) return forged
    const { node, system } = this.#options
    const judgement = judgePeer(identity, node.authorize)
    if (judgement.kind === 'refused') return judgement.error
    return new Origin({ node: incarnation, identity, system, grant: judgement.grant })
  }

  /** A peer that comes back from a reset may show a renewed certificate: the same names, so the same node, but it is judged anew. */
  #recognize(nodeLink: NodeLink, port: UpPort): boolean {
    const { peer, facts } = nodeLink.link
    if (peer === undefined || facts === undefined || isDeepStrictEqual(facts.peer, port.origin.identity)) return true
    const origin = this.#judge(peer, facts.peer)
    if (origin instanceof SzmqError) {
      this.#refuse(nodeLink, peer.name, facts.peer, origin)
      return false
    }
    port.origin = origin
    this.#origins.set(nodeLink, origin)
    return true
  }

  /** The peer is told that it is refused, not why. */
  #refuse(nodeLink: NodeLink, peer: string, identity: PeerIdentity, error: SzmqError): void {
    this.#options.onEvent({ kind: 'link.refused', peer, identity, reason: error.message, code: error.code })
    nodeLink.link.send(REFUSAL_THREAD, HOST_THREAD, REFUSAL)
    this.#dismissLink(nodeLink, error)
  }

  #infoOf(nodeLink: NodeLink): LinkInfo | undefined {
    const { link, wire } = nodeLink
    const { peer, facts, handshakeMs } = link
    const origin = this.#origins.get(nodeLink)
    if (origin === undefined || peer === undefined || facts === undefined || handshakeMs === undefined) return undefined
    const { identity, grant } = origin.facts
    const batches = { ...link.counters }
    return { peer: peer.name, identity, access: grant, tls: facts, handshakeMs, batches, wire: { ...wire } }
  }
}

/** Gives up at the asker's deadline or signal; the link is still made, for the next one who wants it. */
async function within<T>(promise: Promise<T>, what: string, { timeoutMs, signal }: AskOptions): Promise<T> {
  const limits = [
    ...(timeoutMs === undefined ? [] : [AbortSignal.timeout(timeoutMs)]),
    ...(signal === undefined ? [] : [signal]),
  ]
  if (limits.length === 0) return promise
  const limit = AbortSignal.any(limits)
  let giveUp = (): void => {}
  const given = new Promise<never>((_resolve, reject) => {
    giveUp = () => {
      reject(
        signal?.aborted === true
          ? new SzmqError('ERR_SZMQ_ABORTED', `${what}: given up by its AbortSignal`)
          : new SzmqError('ERR_SZMQ_ASK_TIMEOUT', `${what}: no link to that node within ${timeoutMs} ms`),
      )
    }
    if (limit.aborted) giveUp()
    else limit.addEventListener('abort', giveUp, { once: true })
  })
  try {
    return await Promise.race([promise, given])
  } finally {
    limit.removeEventListener('abort', giveUp)
  }
}

/** Time for ZeroMQ to put the last frames on the wire before the socket closes. */
const FAREWELL_MS = 50

function limitsOf({ link }: NodeOptions): { readonly limits?: Partial<LinkLimits> } {
  return link === undefined ? {} : { limits: link }
}

function toDoorEvent(event: FloodEvent): SystemEvent {
  if (event.kind === 'begins') return { kind: 'door.flooded', refused: event.refused }
  return { kind: 'door.calm', durationMs: event.durationMs, refused: event.refused }
}

/** A node's incarnation ends in the digest of its identity: nobody can speak for another node, and a renewed certificate changes nothing. */
export function createIncarnation(nonce: string, identity: PeerIdentity | undefined): string {
  return identity === undefined ? nonce : `${nonce}.${identityDigest(identity)}`
}

function whyForged(incarnation: string, identity: PeerIdentity): SzmqError | undefined {
  if (isIncarnation(incarnation) && incarnation.endsWith(`.${identityDigest(identity)}`)) return undefined
  return new SzmqError(
    'ERR_SZMQ_WRONG_NAME',
    `a peer that proved to be ${describeIdentity(identity)} claims to be node ${incarnation}, which does not belong to its certificate`,
  )
}

/** Nothing that could be taken for another destination, or that does not fit the head of a batch. */
function isIncarnation(text: string): boolean {
  return /^[\w.-]{1,64}$/.test(text)
}

/**
 * A batch for this thread, which no node has, says: you are refused. A thread of its own, so that it is seen at once, and a batch without
 * messages, so that it counts for nothing where it is not understood.
 */
const REFUSAL_THREAD = 255
const REFUSAL = createMessageCodec().encode([RUNTIME_ID, Signal.refused * 2, undefined])

function refusedBy(peer: string): SzmqError {
  return new SzmqError(
    'ERR_SZMQ_NOT_AUTHORIZED',
    `node ${peer} knows who we are and does not let us in; its \`authorize\` decides, and its log says why`,
  )
}

function portTo({ link }: NodeLink, { incarnation, name }: NodeIdentity, number: number, origin: Origin): UpPort {
  return {
    node: incarnation,
    name,
    number,
    origin,
    send: (to, from, batch) => link.send(to, from, batch),
    delivered: (sequence) => {
      link.delivered(sequence)
    },
  }
}

function lossOf(peer: string, error: SzmqError | undefined): string {
  return error === undefined ? `node ${peer} said bye` : `node ${peer} is lost: ${error.message}`
}
