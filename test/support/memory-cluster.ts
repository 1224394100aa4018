import type { ActorRef } from '../../src/index.ts'
import { FIRST_SELECTOR } from '../../src/actors/protocol.ts'
import type { Origin } from '../../src/actors/origin.ts'
import type { Peer, Source } from '../../src/actors/runtime.ts'
import type { Grant } from '../../src/transport/index.ts'
import { FakeClock } from '../../src/testing/fake-clock.ts'
import { createMessageCodec } from '../../src/transport/message.codec.ts'
import { createMemoryRuntime, type MemoryRuntime } from './memory-runtime.ts'
import { originOf } from './origins.ts'

/** Two threads of one node, and a thread of another. */
const PLACES = [
  { node: 'a', thread: 0 },
  { node: 'a', thread: 1 },
  { node: 'b', thread: 0 },
] as const
export const MEMBERS = [0, 1, 2] as const
export type Member = (typeof MEMBERS)[number]

const HOST_OF_A: Member = 0

/** What can be lost: the thread of node a that is not its host, or a node. */
export type Loss = 'thread' | 'a' | 'b'
const MEMBERS_OF: Readonly<Record<Loss, readonly Member[]>> = { thread: [1], a: [0, 1], b: [2] }

const codec = createMessageCodec()

/** The way from one runtime to another: batches that were taken, in order. */
class Way {
  readonly batches: Uint8Array[] = []
  isOpen = true
  /** Messages of users that went in at the front, whatever became of them. */
  told = 0
  carried = 0
  /** … that the outbox itself gave up: they could not be packed, or the destination was lost. */
  givenUp = 0

  /** In the outbox, as the sender sees it. */
  get held(): number {
    return this.told - this.carried - this.givenUp
  }

  get inFlight(): number {
    return this.batches.reduce((sum, batch) => sum + countMessages(batch), 0)
  }
}

/** Three runtimes in memory. Nothing moves between them, and no time passes, unless the test says so. */
export class MemoryCluster {
  readonly clock = new FakeClock()
  readonly members: readonly MemoryRuntime[]
  readonly #ways: readonly (readonly Way[])[] = MEMBERS.map(() => MEMBERS.map(() => new Way()))
  readonly lost = new Set<Member>()
  /** Messages in batches of a member that was lost before they arrived. */
  vanished = 0
  /** By receiving member and node: each thread has its own. */
  readonly #origins = new Map<string, Origin>()
  readonly #grants: Readonly<Partial<Record<'a' | 'b', Grant>>>

  /** @param grants what each node lets the other one reach; default: everything */
  constructor(grants: Readonly<Partial<Record<'a' | 'b', Grant>>> = {}) {
    this.#grants = grants
    this.members = MEMBERS.map((self) =>
      createMemoryRuntime(
        { ...PLACES[self], clock: this.clock },
        {
          carry: (peer, batch) => this.#carry(self, peer, batch),
          onDeadLetter: ({ to }) => {
            for (const other of MEMBERS) if (to.endsWith(` on ${this.#nameOf(self, other)}`)) this.way(self, other).givenUp += 1
          },
        },
      ),
    )
  }

  member(at: Member): MemoryRuntime {
    return this.members[at] as MemoryRuntime
  }

  way(from: Member, to: Member): Way {
    return this.#ways[from]?.[to] as Way
  }

  /** A ref to an actor of another member, as `from` would have got it in a message. */
  refFrom<Ref extends ActorRef<never>>(from: Member, ref: Ref): Ref {
    return this.member(from).runtime.createRef(ref.address, ref.shape) as unknown as Ref
  }

  /** The oldest batch on the way arrives; for a thread that is lost, at the host of its node. */
  arrive(from: Member, to: Member): void {
    const batch = this.way(from, to).batches.shift()
    if (batch === undefined) return
    if (this.lost.has(to)) this.member(HOST_OF_A).runtime.bury(batch, 'thread-lost', 'a thread that is lost')
    else this.member(to).runtime.deliver(batch, this.#sourceOf(to, from))
  }

  open(from: Member, to: Member): void {
    this.way(from, to).isOpen = true
    this.member(from).runtime.resumeTo(this.#peerOf(from, to))
  }

  block(from: Member, to: Member): void {
    this.way(from, to).isOpen = false
  }

  /** A thread or a node ends: what was on the way to it is buried by its sender, what was on the way from it is gone. */
  lose(what: Loss): void {
    const dead = MEMBERS_OF[what].filter((member) => !this.lost.has(member))
    for (const member of dead) {
      this.lost.add(member)
      this.member(member).runtime.close()
    }
    for (const member of dead) {
      for (const other of MEMBERS) {
        if (other === member) continue
        this.vanished += this.way(member, other).inFlight
        this.way(member, other).batches.length = 0
        if (!this.lost.has(other) && this.#knowsTheLossOf(other, member)) this.#mourn(other, member)
      }
    }
  }

  /** sent − (handled + dead letters + waiting + held up + on the way + vanished): 0, always. */
  get imbalance(): number {
    let balance = -this.vanished
    for (const { runtime } of this.members) {
      const { sent, handled, deadLetters, waiting } = runtime.stats
      balance += sent - handled - deadLetters - waiting
    }
    for (const from of MEMBERS) {
      for (const to of MEMBERS) {
        if (from === to) continue
        balance -= this.way(from, to).inFlight + this.way(from, to).held
      }
    }
    return balance
  }

  #mourn(survivor: Member, dead: Member): void {
    const { runtime } = this.member(survivor)
    for (const batch of this.way(survivor, dead).batches.splice(0)) runtime.bury(batch, 'node-lost', 'a member that is lost')
    const { node, thread } = this.#peerOf(survivor, dead)
    if (node === undefined) runtime.loseThread(thread, 'for a test')
    else runtime.loseNode(node, 'for a test')
  }

  /** That a thread is lost is known on its node; other nodes go on sending to it, and its host buries what comes. */
  #knowsTheLossOf(self: Member, other: Member): boolean {
    if (PLACES[self].node === PLACES[other].node) return this.lost.has(other)
    return MEMBERS.every((member) => PLACES[member].node !== PLACES[other].node || this.lost.has(member))
  }

  #carry(from: Member, peer: Peer, batch: Uint8Array): boolean {
    const to = MEMBERS.find((at) => PLACES[at].node === (peer.node ?? PLACES[from].node) && PLACES[at].thread === peer.thread)
    if (to === undefined) throw new Error(`nobody is at ${JSON.stringify(peer)}`)
    const way = this.way(from, to)
    if (!way.isOpen || this.lost.has(from)) return false
    way.carried += countMessages(batch)
    way.batches.push(batch.slice())
    // As the host does where there is no link (any more).
    if (this.#knowsTheLossOf(from, to)) {
      queueMicrotask(() => {
        this.#mourn(from, to)
      })
    }
    return true
  }

  #peerOf(self: Member, other: Member): Peer {
    const { node, thread } = PLACES[other]
    return { node: node === PLACES[self].node ? undefined : node, thread }
  }

  #sourceOf(self: Member, other: Member): Source {
    const { node, thread } = this.#peerOf(self, other)
    if (node === undefined) return { node, thread }
    const key = `${self} ${node}`
    const origin = this.#origins.get(key) ?? originOf(node, this.#grants[PLACES[self].node])
    this.#origins.set(key, origin)
    return { node, thread, origin }
  }

  #nameOf(self: Member, other: Member): string {
    const { node, thread } = this.#peerOf(self, other)
    return node === undefined ? `thread ${thread}` : `node ${node}, thread ${thread}`
  }
}

function countMessages(batch: Uint8Array): number {
  const values = codec.decode(batch)
  let count = 0
  for (let at = 0; at < values.length; at += 3 + ((values[at + 1] as number) & 1)) {
    if ((values[at + 1] as number) >> 1 >= FIRST_SELECTOR) count += 1
  }
  return count
}
