import type { FakeClock } from '../../src/testing/fake-clock.ts'
import type { Dice } from './dice.ts'
import type { Direction, FrameFault, Plan } from './plan.ts'
import { Violation } from './violation.ts'

export type Parts = readonly Uint8Array[]

/** Where the messages of one ROUTER go; undefined while its process is not there. */
export interface RouterEnd {
  receive(message: Parts): void
}

/** One DEALER socket's way to one ROUTER. It lives as long as the socket, through any number of cuts. */
export class Connection {
  readonly pair: number
  /** What the ROUTER calls this connection; another one after each cut. */
  routingId: string | undefined
  /** What was sent before this is lost. */
  generation = 0
  isClosed = false
  /** ZeroMQ keeps for a DEALER what cannot leave yet. */
  readonly outbox: Parts[] = []
  readonly arrivesAfter: Record<Direction, number> = { up: 0, down: 0 }
  readonly receive: (message: Parts) => void

  constructor(pair: number, receive: (message: Parts) => void) {
    this.pair = pair
    this.receive = receive
  }
}

export interface NetworkCounters {
  sent: number
  delivered: number
  /** Nobody was there: cut, closed, crashed, or sent to a routing id that is gone. */
  undeliverable: number
  faults: Record<FrameFault, number>
}

/** Who sees each message as it arrives. */
export type Watcher = (connection: Connection, direction: Direction, parts: Parts) => void

interface Pair {
  readonly connections: Set<Connection>
  readonly blockedUntil: Record<Direction, number>
  isLossy: boolean
}

/** ZeroMQ between the nodes: a ROUTER at the server of each pair, a DEALER for each link of a client. Keeps order but for its faults. */
export class Network {
  readonly counters: NetworkCounters = {
    sent: 0,
    delivered: 0,
    undeliverable: 0,
    faults: { drop: 0, repeat: 0, reorder: 0, delay: 0, corrupt: 0 },
  }
  readonly #plan: Plan
  readonly #clock: FakeClock
  readonly #dice: Dice
  readonly #watch: Watcher
  readonly #pairs: readonly Pair[]
  /** By pair: the ROUTER at its server. */
  readonly #routers: (RouterEnd | undefined)[] = []
  readonly #routes = new Map<string, Connection>()
  #routingIds = 0
  #isCalm = false

  constructor(plan: Plan, clock: FakeClock, dice: Dice, watch: Watcher) {
    this.#plan = plan
    this.#clock = clock
    this.#dice = dice
    this.#watch = watch
    this.#pairs = Array.from({ length: plan.nodes === 2 ? 1 : 3 }, () => ({
      connections: new Set<Connection>(),
      blockedUntil: { up: 0, down: 0 },
      isLossy: false,
    }))
  }

  /** From now on without faults. */
  heal(): void {
    this.#isCalm = true
    for (const { blockedUntil } of this.#pairs) blockedUntil.up = blockedUntil.down = 0
  }

  connect(pair: number, receive: (message: Parts) => void): Connection {
    const connection = new Connection(pair, receive)
    this.#pairs[pair]?.connections.add(connection)
    this.#bringOnline(connection)
    return connection
  }

  close(connection: Connection): void {
    connection.isClosed = true
    this.#pairs[connection.pair]?.connections.delete(connection)
    if (connection.routingId !== undefined) this.#routes.delete(connection.routingId)
  }

  /** The newest open connection of a pair. */
  connectionOf(pair: number): Connection | undefined {
    return [...(this.#pairs[pair]?.connections ?? [])].at(-1)
  }

  bind(pair: number, router: RouterEnd): void {
    this.#routers[pair] = router
    for (const connection of this.#pairs[pair]?.connections ?? []) this.#bringOnline(connection)
  }

  /** The ROUTER's process is gone. */
  unbind(pair: number): void {
    this.#routers[pair] = undefined
    for (const connection of this.#pairs[pair]?.connections ?? []) this.#bringOffline(connection)
  }

  /** Everything on its way is lost; the connection comes back under a new routing id. */
  cut(pair: number, forMs: number): void {
    for (const connection of this.#pairs[pair]?.connections ?? []) {
      this.#bringOffline(connection)
      this.#clock.setTimeout(() => {
        this.#bringOnline(connection)
      }, forMs)
    }
  }

  block(pair: number, directions: readonly Direction[], forMs: number, isLossy: boolean): void {
    const blocked = this.#pairs[pair]
    if (blocked === undefined) return
    blocked.isLossy = isLossy
    for (const direction of directions) blocked.blockedUntil[direction] = this.#clock.now() + forMs
  }

  sendUp(connection: Connection, parts: Parts): void {
    if (connection.isClosed) this.counters.undeliverable += 1
    else if (connection.routingId === undefined) connection.outbox.push(parts)
    else this.#transmit(connection, 'up', parts)
  }

  /** @param message the envelope first, as a ROUTER takes it */
  sendDown(message: Parts): void {
    const connection = this.#routes.get(decode(message[this.#plan.proxies]))
    if (connection === undefined) this.counters.undeliverable += 1
    else this.#transmit(connection, 'down', message.slice(this.#plan.proxies + 1))
  }

  /** To the ROUTER of a pair, by a connection of the intruder's own. */
  injectAside(pair: number, parts: Parts): void {
    this.#routers[pair]?.receive([...this.#envelope('intruder'), ...copy(parts)])
  }

  /** Into the very connection, as somebody on the path can. */
  injectOnPath(connection: Connection, direction: Direction, parts: Parts): void {
    const { routingId } = connection
    if (connection.isClosed || routingId === undefined) return
    if (direction === 'down') connection.receive(copy(parts))
    else this.#routers[connection.pair]?.receive([...this.#envelope(routingId), ...copy(parts)])
  }

  #transmit(connection: Connection, direction: Direction, parts: Parts): void {
    this.counters.sent += 1
    if (this.counters.sent > MAX_FRAMES) throw new Violation('traffic is bounded', `${MAX_FRAMES} frames in one run`)
    const pair = this.#pairs[connection.pair]
    const now = this.#clock.now()
    const blockedUntil = pair?.blockedUntil[direction] ?? 0
    if (blockedUntil > now && pair?.isLossy === true) {
      this.counters.undeliverable += 1
      return
    }
    if (this.#strikes('drop')) return
    const sent = this.#strikes('corrupt') ? this.#corrupt(parts) : parts
    const leavesAt = Math.max(now, blockedUntil) + (this.#strikes('delay') ? this.#dice.between(1, MAX_DELAY_MS) : 0)
    this.#schedule(connection, direction, sent, leavesAt)
    if (this.#strikes('repeat')) this.#schedule(connection, direction, sent, leavesAt)
  }

  #schedule(connection: Connection, direction: Direction, parts: Parts, leavesAt: number): void {
    const { generation } = connection
    const [low, high] = this.#plan.latencyMs
    let arrivesAt = leavesAt + this.#dice.between(low, high)
    if (this.#strikes('reorder')) arrivesAt += this.#dice.between(0, 2 * high + 1)
    else {
      arrivesAt = Math.max(arrivesAt, connection.arrivesAfter[direction])
      connection.arrivesAfter[direction] = arrivesAt
    }
    this.#clock.setTimeout(() => {
      if (generation === connection.generation) this.#deliver(connection, direction, parts)
      else this.counters.undeliverable += 1
    }, arrivesAt - this.#clock.now())
  }

  #deliver(connection: Connection, direction: Direction, parts: Parts): void {
    const router = this.#routers[connection.pair]
    const isThere = direction === 'down' ? !connection.isClosed : router !== undefined && connection.routingId !== undefined
    if (!isThere) {
      this.counters.undeliverable += 1
      return
    }
    this.counters.delivered += 1
    this.#watch(connection, direction, parts)
    if (direction === 'down') connection.receive(copy(parts))
    else router?.receive([...this.#envelope(connection.routingId ?? ''), ...copy(parts)])
  }

  #bringOffline(connection: Connection): void {
    connection.generation += 1
    if (connection.routingId !== undefined) this.#routes.delete(connection.routingId)
    connection.routingId = undefined
  }

  #bringOnline(connection: Connection): void {
    if (connection.isClosed || connection.routingId !== undefined || this.#routers[connection.pair] === undefined) return
    this.#routingIds += 1
    connection.routingId = `route-${this.#routingIds}`
    connection.arrivesAfter.up = connection.arrivesAfter.down = 0
    this.#routes.set(connection.routingId, connection)
    for (const parts of connection.outbox.splice(0)) this.#transmit(connection, 'up', parts)
  }

  /** What each proxy put in front, and the ROUTER's own part last; an answer goes back the same way. */
  #envelope(routingId: string): Parts {
    return [...Array.from({ length: this.#plan.proxies }, (_, at) => encode(`proxy-${at}`)), encode(routingId)]
  }

  #corrupt(parts: Parts): Parts {
    const damaged = parts.map((part) => part.slice())
    const part = this.#dice.pick(damaged)
    const at = this.#dice.integer(0, part.length - 1)
    switch (this.#dice.integer(0, 3)) {
      case 0:
        return damaged.slice(1)
      case 1:
        return damaged.map((whole) => (whole === part ? whole.subarray(0, at) : whole))
      default:
        part[at] = (part[at] ?? 0) ^ (1 << this.#dice.integer(0, 7))
        return damaged
    }
  }

  #strikes(fault: FrameFault): boolean {
    if (this.#isCalm || this.#plan.rates[fault] === 0) return false
    if (!this.#dice.chance(this.#plan.rates[fault])) return false
    this.counters.faults[fault] += 1
    return true
  }
}

function copy(parts: Parts): Parts {
  return parts.map((part) => part.slice())
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

function decode(bytes: Uint8Array | undefined): string {
  return new TextDecoder().decode(bytes)
}

const MAX_DELAY_MS = 1_000
/** Hundreds of times what a run needs. */
const MAX_FRAMES = 500_000
