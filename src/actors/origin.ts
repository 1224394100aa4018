import { SzmqError } from '../shared/errors.ts'
import { AccessRules, type Grant, type PeerIdentity, type Reach } from '../transport/index.ts'
import type { ActorAddress } from './ref.ts'

/** What is known of the far end of one link. Plain data, so that other threads can be told. */
export interface OriginFacts {
  /** Incarnation of the node. */
  readonly node: string
  /** As TLS verified it in the handshake of that link; nothing that the peer says afterwards changes it. */
  readonly identity: PeerIdentity
  /** Name of our system, with which the paths of rules begin. */
  readonly system: string
  readonly grant: Grant
}

/** Decisions about actors that are remembered; the oldest is forgotten first, and made again when it is needed. */
const MAX_REMEMBERED_ACTORS = 10_000

/**
 * Where messages of another node come from: one for each link and thread. Messages only point to it, so what it knows costs nothing per
 * message.
 */
export class Origin {
  readonly facts: OriginFacts
  readonly node: string
  readonly identity: PeerIdentity
  readonly #rules: AccessRules | undefined
  /** By id of the actor, which is never given out twice. */
  readonly #reaches = new Map<number, Reach | undefined>()

  constructor(facts: OriginFacts) {
    const { node, identity, grant } = facts
    this.facts = facts
    this.node = node
    this.identity = freeze(identity)
    this.#rules = grant === 'everything' ? undefined : new AccessRules(grant)
  }

  /** @param path `system/name`, perhaps of an actor that does not exist @returns undefined: nothing there */
  reachOfPath(path: string): Reach | undefined {
    return this.#rules === undefined ? 'all' : this.#rules.reachOf(path)
  }

  /** What it may send to this actor of ours. */
  reachOf({ id, path }: ActorAddress): Reach | undefined {
    if (this.#rules === undefined) return 'all'
    if (this.#reaches.has(id)) return this.#reaches.get(id)
    const reach = this.#rules.reachOf(`${this.facts.system}${path}`)
    this.#reaches.set(id, reach)
    const [oldest] = this.#reaches.keys()
    if (this.#reaches.size > MAX_REMEMBERED_ACTORS && oldest !== undefined) this.#reaches.delete(oldest)
    return reach
  }

  /** May it know that there is no such actor (any more)? Only of one that it was allowed to reach before, or if it may reach all. */
  mayMiss(id: number): boolean {
    return this.#rules === undefined || this.#reaches.get(id) !== undefined
  }
}

/** For another node: the same text whether there is such an actor and such a message, or not. */
export function notAuthorized(): SzmqError {
  return new SzmqError(
    'ERR_SZMQ_NOT_AUTHORIZED',
    'the other node does not let us send this there, or it is not there; its `authorize` decides',
  )
}

/** Every actor that gets a message of that peer sees the same object. */
function freeze(identity: PeerIdentity): PeerIdentity {
  Object.freeze(identity.names)
  return Object.freeze(identity)
}
