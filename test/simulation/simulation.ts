import { assertNever } from '../../src/shared/assert-never.ts'
import { DEFAULT_SESSION_LIMITS } from '../../src/security/limits.ts'
import { FakeClock } from '../../src/testing/fake-clock.ts'
import { DEFAULT_LINK_LIMITS, type LinkEvent } from '../../src/transport/link.ts'
import { Dice } from './dice.ts'
import { Intruder } from './intruder.ts'
import { Model, type ModelCounters } from './model.ts'
import { Network, type NetworkCounters } from './network.ts'
import { PAIRS, SimulatedNode, WHIM, type NodeLink, type World } from './node.ts'
import { BREAKING_INJECTIONS, isQuiet, type Happening, type Plan } from './plan.ts'
import { Trace } from './trace.ts'
import { Violation } from './violation.ts'

export interface RunCounters {
  readonly batches: ModelCounters
  readonly network: NetworkCounters
  /** What happened, by kind; injections as `inject.…`. */
  readonly happenings: Record<string, number>
  links: number
  ups: number
  suspended: number
  resumed: number
  replayed: number
  /** Links that were up or a client's own, by code; `bye` without an error. */
  readonly downs: Record<string, number>
  /** From `suspended` to `resumed`. */
  longestResumeMs: number
  /** From the end of all faults until every link stood and had delivered everything. */
  recoveryMs: number
  simulatedMs: number
}

export interface RunResult {
  readonly plan: Plan
  /** Of everything that happened: equal hashes are equal runs. */
  readonly hash: string
  readonly counters: RunCounters
  readonly violation: Violation | undefined
  /** The last lines before the end. */
  readonly tail: readonly string[]
}

/** One run from its plan, to its end or to the first promise that does not hold. */
export function simulate(plan: Plan, onLine?: (line: string) => void): RunResult {
  const simulation = new Simulation(plan, new Trace(onLine))
  let violation: Violation | undefined
  try {
    simulation.run()
  } catch (error) {
    violation = Violation.of(error)
    simulation.note(`VIOLATION ${violation.message}`)
  }
  return { plan, hash: simulation.trace.hash, counters: simulation.counters, violation, tail: simulation.trace.tail }
}

class Simulation {
  readonly trace: Trace
  readonly counters: RunCounters
  readonly #plan: Plan
  readonly #clock = new FakeClock()
  readonly #model: Model
  readonly #network: Network
  readonly #intruder: Intruder
  readonly #world: World
  readonly #pairs: readonly (readonly [client: number, server: number])[]
  /** undefined while it is down. */
  readonly #nodes: (SimulatedNode | undefined)[] = []
  readonly #all: SimulatedNode[] = []
  readonly #isQuiet: boolean
  readonly #suspendedAt = new Map<NodeLink, number>()
  #stage: 'storm' | 'healing' | 'ending' = 'storm'

  constructor(plan: Plan, trace: Trace) {
    this.#plan = plan
    this.#isQuiet = isQuiet(plan)
    this.trace = trace
    this.#pairs = PAIRS.slice(0, plan.nodes === 2 ? 1 : 3)
    this.#model = new Model(plan.linkLimits, { isOrderedAcrossLinks: plan.givesUpOlderLinks })
    this.#intruder = new Intruder(new Dice(plan.seed, 'intruder'), () => this.#network)
    this.#network = new Network(plan, this.#clock, new Dice(plan.seed, 'network'), (connection, direction, parts) => {
      const [header, bytes] = parts
      this.trace.bytes(header ?? NOTHING)
      this.note(`frame of pair ${connection.pair} ${direction}: ${describeFrame(header)}, ${bytes?.length ?? 0} bytes`)
      this.#intruder.watch(connection, direction, parts)
    })
    this.#world = {
      plan,
      clock: this.#clock,
      network: this.#network,
      model: this.#model,
      observe: (node, link, event) => {
        this.#observe(node, link, event)
      },
    }
    this.counters = {
      batches: this.#model.counters,
      network: this.#network.counters,
      happenings: {},
      links: 0,
      ups: 0,
      suspended: 0,
      resumed: 0,
      replayed: 0,
      downs: {},
      longestResumeMs: 0,
      recoveryMs: 0,
      simulatedMs: 0,
    }
  }

  note(what: string): void {
    this.trace.note(this.#clock.now(), what)
  }

  run(): void {
    // Servers first, as users do; clients would only wait.
    for (let index = this.#plan.nodes - 1; index >= 0; index -= 1) this.#start(index, 1)
    for (const happening of this.#plan.happenings) {
      this.#clock.setTimeout(() => {
        this.#happen(happening)
      }, happening.atMs)
    }
    this.#advance(this.#plan.healAtMs)
    this.#heal()
    this.#probe()
    this.#sayBye()
    this.#checkEnd()
  }

  // ---- stages --------------------------------------------------------------------------------------------------------------------

  /** After the last fault every link stands again, or a new one in its place, and everything accepted is handed on or given back. */
  #heal(): void {
    this.note('healing')
    this.#stage = 'healing'
    this.#network.heal()
    for (const node of this.#living()) node.quieten()
    const healedAt = this.#clock.now()
    this.#settle()
    this.counters.recoveryMs = this.#clock.now() - healedAt
  }

  /** Every link still works. A frame that was lost just before the calm is only missed now, so there may be one more reset. */
  #probe(): void {
    this.note('probing')
    for (let round = 0; round < PROBES; round += 1) {
      for (const link of this.#standing()) if (!link.record.isRefused) this.#nodeOf(link).send(link)
      this.#advance(2 * (this.#plan.linkLimits.heartbeatMs ?? DEFAULT_LINK_LIMITS.heartbeatMs) + 1)
      this.#settle()
    }
  }

  /** Calm water and nothing under way: both sides end without an error, and nothing is given back. */
  #sayBye(): void {
    this.note('saying bye')
    this.#stage = 'ending'
    for (const node of this.#living()) node.stayApart()
    const standing = this.#standing()
    const dice = new Dice(this.#plan.seed, 'bye')
    for (const { link, side } of standing) if (side === 'client' || dice.chance(0.3)) link.close()
    this.#advance(BYE_MS)
    for (const { record } of standing) {
      if (record.state !== 'down') throw new Violation('a bye ends', `${record.name} is ${record.state} after ${BYE_MS} ms`)
    }
  }

  #checkEnd(): void {
    const model = this.#model
    for (const node of this.#living()) node.close()
    const living = model.links.filter(({ state }) => state !== 'down' && state !== 'gone')
    if (living.length > 0) throw new Violation('everything ends', living.map(({ name, state }) => `${name} ${state}`).join())
    for (const node of this.#all) {
      const { pendingTimers } = node.scope
      if (pendingTimers > 0) throw new Violation('no timer is left', `${pendingTimers} of ${node.incarnation}`)
      for (const { link, record } of node.links) {
        this.counters.replayed += link.counters.replayed
        if (link.counters.duplicates > 0)
          throw new Violation('nothing is sent twice without need', `${link.counters.duplicates} duplicates at ${record.name}`)
      }
    }
    const { batches } = this.counters
    if (batches.accepted !== batches.received + batches.givenBack + batches.lostWithSender) {
      throw new Violation('conservation', `at the end: ${JSON.stringify(batches)}`)
    }
    if (this.#plan.profile !== 'storm' && batches.received !== batches.accepted) {
      throw new Violation(`${this.#plan.profile} lose nothing`, `${batches.accepted} accepted, ${batches.received} received`)
    }
    this.#checkCost()
    this.counters.links = model.links.length
    this.counters.simulatedMs = this.#clock.now()
  }

  /** What an intruder breaks is broken once: both ends reset, and what is replayed later changes nothing. */
  #checkCost(): void {
    if (this.#plan.profile !== 'injections') return
    const { suspended, happenings } = this.counters
    const broken = BREAKING_INJECTIONS.reduce((sum, what) => sum + (happenings[`inject.${what}`] ?? 0), 0)
    if (suspended > 2 * broken)
      throw new Violation('an injection costs one reset', `${broken} of them, ${suspended} links suspended`)
  }

  // ---- time ----------------------------------------------------------------------------------------------------------------------

  /** Instant by instant; the model is checked after each one. */
  #advance(byMs: number): void {
    const until = this.#clock.now() + byMs
    for (let next = this.#clock.nextDeadline; next !== undefined && next <= until; next = this.#clock.nextDeadline) {
      // A bit more than the difference, which may be rounded down.
      this.#clock.advance(Math.max(0, next - this.#clock.now()) + INSTANT_MS)
      this.#model.check()
    }
    this.#clock.advance(Math.max(0, until - this.#clock.now()))
  }

  #settle(): void {
    const boundMs = recoveryBoundMs(this.#plan)
    const startedAt = this.#clock.now()
    for (let unsettled = this.#whyUnsettled(); unsettled !== undefined; unsettled = this.#whyUnsettled()) {
      if (this.#clock.now() - startedAt >= boundMs)
        throw new Violation('recovery is bounded', `${boundMs} ms after the last fault ${unsettled}`)
      this.#advance(SETTLE_STEP_MS)
    }
  }

  #whyUnsettled(): string | undefined {
    for (const pair of this.#pairs.keys()) {
      const [client, server] = (this.#pairs[pair] ?? []).map((index) => this.#nodes[index]?.linkOf(pair)?.record)
      if (client?.state !== 'up' || server?.state !== 'up' || client.sessionId !== server.sessionId) {
        const stateOf = (record: typeof client): string => (record === undefined ? 'missing' : `${record.name} ${record.state}`)
        return `pair ${pair} does not stand: ${stateOf(client)}, ${stateOf(server)}`
      }
      for (const { name, isRefused, accepted, handedOn } of [client, server]) {
        if (isRefused) return `${name} waits for room`
        if (accepted.length > handedOn) return `${accepted.length - handedOn} batches of ${name} are on their way`
      }
    }
    const standing = new Set(this.#standing().map(({ record }) => record))
    const isPatient = this.#plan.profile === 'losses'
    const rest = this.#model.links.find(
      (link) =>
        link.state !== 'down' &&
        link.state !== 'gone' &&
        !standing.has(link) &&
        // Its client gave its first handshake up; only silence ends it, and here that takes minutes.
        !(isPatient && link.state === 'new'),
    )
    return rest === undefined ? undefined : `${rest.name} is still ${rest.state}`
  }

  // ---- what happens --------------------------------------------------------------------------------------------------------------

  #happen(happening: Happening): void {
    this.note(JSON.stringify(happening))
    if (!this.#apply(happening)) return
    const name = happening.kind === 'inject' ? `inject.${happening.what}` : happening.kind
    this.counters.happenings[name] = (this.counters.happenings[name] ?? 0) + 1
  }

  /** @returns was there something that it could happen to? */
  #apply(happening: Happening): boolean {
    switch (happening.kind) {
      case 'cut':
        this.#network.cut(happening.pair, happening.forMs)
        return true
      case 'partition':
        this.#network.block(happening.pair, happening.directions, happening.forMs, happening.isLossy)
        return true
      case 'slowReader':
        this.#nodes[happening.node]?.readSlowly(happening.forMs)
        return true
      case 'stall':
        this.#nodes[happening.node]?.stall(happening.forMs)
        return true
      case 'crash':
        return this.#crash(happening.node, happening.forMs)
      case 'bye':
      case 'destroy':
      case 'rekey':
        return this.#disturb(happening.kind, happening.pair, happening.by)
      case 'inject':
        return this.#intruder.inject(happening.pair, happening.what)
      default:
        return assertNever(happening)
    }
  }

  #crash(index: number, forMs: number): boolean {
    const node = this.#nodes[index]
    if (node === undefined) return false
    node.crash()
    this.#nodes[index] = undefined
    const run = this.#all.filter((other) => other.index === index).length + 1
    this.#clock.setTimeout(() => {
      this.#start(index, run)
    }, forMs)
    return true
  }

  #disturb(kind: 'bye' | 'destroy' | 'rekey', pair: number, by: 'client' | 'server'): boolean {
    const node = this.#nodes[this.#pairs[pair]?.[by === 'client' ? 0 : 1] ?? -1]
    const nodeLink = node?.linkOf(pair)
    if (node === undefined || nodeLink === undefined) return false
    node.scope.run(() => {
      if (kind === 'bye') nodeLink.link.close()
      else if (kind === 'destroy') nodeLink.link.destroy(WHIM)
      else if (nodeLink.channel.status.kind === 'open') nodeLink.channel.rekey()
    })
    return true
  }

  #start(index: number, run: number): void {
    const node = new SimulatedNode(index, run, this.#world, new Dice(this.#plan.seed, `node ${index} ${run}`))
    this.#nodes[index] = node
    this.#all.push(node)
    node.start()
    if (this.#stage !== 'storm') node.quieten()
  }

  #observe(node: SimulatedNode, nodeLink: NodeLink, event: LinkEvent): void {
    const { record } = nodeLink
    this.note(`${record.name} ${describeEvent(event)}`)
    const { counters } = this
    const { profile } = this.#plan
    switch (event.kind) {
      case 'up':
        counters.ups += 1
        this.#checkPeer(node, event.peer.incarnation)
        return
      case 'suspended':
        counters.suspended += 1
        if (!this.#suspendedAt.has(nodeLink)) this.#suspendedAt.set(nodeLink, this.#clock.now())
        if (this.#isQuiet)
          throw new Violation('what must change nothing resets nothing', `${record.name}: ${event.error.message}`)
        return
      case 'resumed': {
        counters.resumed += 1
        const since = this.#suspendedAt.get(nodeLink) ?? this.#clock.now()
        counters.longestResumeMs = Math.max(counters.longestResumeMs, this.#clock.now() - since)
        this.#suspendedAt.delete(nodeLink)
        return
      }
      case 'down': {
        // What never was a link, and was not ours to begin with: an intruder's.
        if (record.state === 'new' && nodeLink.side === 'server') return
        const code = event.error?.code ?? 'bye'
        counters.downs[code] = (counters.downs[code] ?? 0) + 1
        if (this.#stage === 'ending') this.#checkBye(nodeLink, event)
        else if (!mayGoDown(this.#plan, record.state === 'new'))
          throw new Violation(`${profile} end no link`, `${record.name} went down: ${event.error?.message}`)
        return
      }
      case 'batch':
      case 'room':
    }
  }

  #checkPeer(node: SimulatedNode, incarnation: string): void {
    if (this.#all.some((other) => other.incarnation === incarnation && other.index !== node.index)) return
    throw new Violation('a peer is who it says', `${node.incarnation} met ${incarnation}`)
  }

  #checkBye({ record }: NodeLink, { error, unacknowledged }: Extract<LinkEvent, { kind: 'down' }>): void {
    if (error !== undefined) throw new Violation('a bye in calm water is clean', `${record.name}: ${error.message}`)
    if (unacknowledged.length > 0)
      throw new Violation('a bye in calm water is clean', `${record.name} gave ${unacknowledged.length} batches back`)
  }

  #living(): readonly SimulatedNode[] {
    return this.#nodes.filter((node) => node !== undefined)
  }

  /** The newest link of each pair, at both ends. */
  #standing(): readonly NodeLink[] {
    return [...this.#pairs.entries()].flatMap(([pair, ends]) => ends.flatMap((index) => this.#nodes[index]?.linkOf(pair) ?? []))
  }

  #nodeOf(link: NodeLink): SimulatedNode {
    const node = this.#living().find(({ links }) => links.includes(link))
    if (node === undefined) throw new RangeError(`${link.record.name} belongs to nobody`)
    return node
  }
}

/** A first handshake may fail over a single loss: it is final, and the next one is a link of its own. */
function mayGoDown({ profile }: Plan, isNew: boolean): boolean {
  return profile === 'storm' || (profile === 'losses' && isNew)
}

/** One wait of each kind that may have begun just before the calm: a handshake, its repetition, a back-off, a reset request, silence. */
function recoveryBoundMs({ profile, linkLimits, sessionLimits, workload }: Plan): number {
  const session = { ...DEFAULT_SESSION_LIMITS, ...sessionLimits }
  const link = { ...DEFAULT_LINK_LIMITS, ...linkLimits }
  return (
    2 * (session.handshakeTimeoutMs + session.backOffMaxMs + session.refusalGraceMs) +
    session.renotifyMs +
    link.heartbeatMs +
    // Where links go down: one end may be lost to silence, and only then fall silent for the other one.
    (profile === 'losses' ? 0 : 2 * link.silenceMs) +
    workload.maxDeliveryMs * workload.batches +
    SLACK_MS
  )
}

function describeFrame(header: Uint8Array | undefined): string {
  if (header?.length !== 32) return 'no header'
  const view = new DataView(header.buffer, header.byteOffset)
  return `${view.getUint8(3) % 0x80 === 1 ? 'tls' : 'reset'} ${view.getUint32(20)}:${view.getUint32(28)}`
}

function describeEvent(event: LinkEvent): string {
  switch (event.kind) {
    case 'up':
      return `up with ${event.peer.incarnation}`
    case 'batch':
      return `batch #${event.sequence} of ${event.body.length} bytes`
    case 'suspended':
      return `suspended: ${event.error.message}`
    case 'down':
      return `down, ${event.unacknowledged.length} given back: ${event.error?.code ?? 'bye'} ${event.error?.message ?? ''}`
    case 'room':
    case 'resumed':
      return event.kind
    default:
      return assertNever(event)
  }
}

const NOTHING = new Uint8Array(0)
const PROBES = 2
const BYE_MS = 2_000
const INSTANT_MS = 1e-6
const SETTLE_STEP_MS = 50
/** Ways of the network, reconnections. */
const SLACK_MS = 5_000
