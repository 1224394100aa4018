import type { SessionLimits } from '../../src/security/limits.ts'
import type { LinkLimits } from '../../src/transport/link.ts'
import { Dice } from './dice.ts'

/** What may become of each ZeroMQ message on its way. */
export const FRAME_FAULTS = ['drop', 'repeat', 'reorder', 'delay', 'corrupt'] as const
export type FrameFault = (typeof FRAME_FAULTS)[number]

/** What an intruder may put on the way. `QUIET` ones must change nothing; the others break a stream, as any bytes on a path can. */
export const QUIET_INJECTIONS = ['replay', 'replayAside', 'reflect', 'resetToServer', 'guess', 'noise', 'garbageAside'] as const
export const BREAKING_INJECTIONS = ['reset', 'hello', 'helloOnPath', 'transplant', 'garbage', 'gap'] as const
export type Injection = (typeof QUIET_INJECTIONS | typeof BREAKING_INJECTIONS)[number]

/** `up` is from the client to the server. */
export type Direction = 'up' | 'down'

/** What happens at a time of its own. `pair` and `node` count from 0. */
export type Happening = { readonly atMs: number } & (
  | { readonly kind: 'cut'; readonly pair: number; readonly forMs: number }
  | {
      readonly kind: 'partition'
      readonly pair: number
      readonly directions: readonly Direction[]
      readonly forMs: number
      /** Lost, or held until it is over. */
      readonly isLossy: boolean
    }
  | { readonly kind: 'slowReader' | 'stall' | 'crash'; readonly node: number; readonly forMs: number }
  | { readonly kind: 'bye' | 'destroy' | 'rekey'; readonly pair: number; readonly by: 'client' | 'server' }
  | { readonly kind: 'inject'; readonly pair: number; readonly what: Injection }
)

export interface Workload {
  /** Batches that each node sends to each other one before the network heals. */
  readonly batches: number
  readonly maxBurst: number
  readonly everyMs: number
  readonly sizes: readonly number[]
  /** Answers `room` within the event, or in a later turn. */
  readonly fillsAtOnce: boolean
  /** How long a thread takes to say `delivered`; 0: within the event. */
  readonly maxDeliveryMs: number
}

/** One run, whole: the same plan, the same run, byte by byte. */
export interface Plan {
  readonly seed: number
  /**
   * - `storm`: a random set of faults, also those that end links.
   * - `losses`: the network loses, repeats, reorders, delays and cuts, and threads are slow: no link may go down, for its patience is long.
   *   Nothing is damaged: where the length of a TLS record is, TLS waits for the rest, and only silence ends the link.
   * - `injections`: the network is faultless, and an intruder is on it: no link may go down.
   * - `calm`: nothing at all happens: nothing is reset, either.
   */
  readonly profile: 'storm' | 'losses' | 'injections' | 'calm'
  readonly nodes: 2 | 3
  readonly engineTiming: 'at once' | 'later'
  readonly highWaterMarkBytes: number
  readonly linkLimits: Partial<LinkLimits>
  readonly sessionLimits: Partial<SessionLimits>
  readonly latencyMs: readonly [low: number, high: number]
  /** Envelope parts of proxies on the way. */
  readonly proxies: number
  readonly rates: Readonly<Record<FrameFault, number>>
  readonly happenings: readonly Happening[]
  readonly workload: Workload
  /** A node that meets a peer on a new link gives its older links with it up at once; otherwise they end by themselves. */
  readonly givesUpOlderLinks: boolean
  /** From here on there are no faults. */
  readonly healAtMs: number
}

/** Swarm testing: each run draws its own limits, and a subset of the faults with rates of their own. */
export function planOf(seed: number, nodes?: 2 | 3): Plan {
  const dice = new Dice(seed, 'plan')
  const profile = drawProfile(dice.random.fraction())
  const drawnNodes = dice.pick([2, 2, 3] as const)
  const count = nodes ?? drawnNodes
  const healAtMs = profile === 'injections' ? dice.between(5_000, 40_000) : dice.between(1_000, 15_000)
  const maxBatchBytes = dice.pick([64, 600, 20_000, 60_000])
  return {
    seed,
    profile,
    nodes: count,
    engineTiming: dice.pick(['at once', 'later'] as const),
    highWaterMarkBytes: dice.pick([200, 5_000, 65_536]),
    ...drawLimits(dice, profile, maxBatchBytes),
    latencyMs: dice.pick([
      [0, 0],
      [0, 1],
      [1, 5],
      [10, 40],
    ] as const),
    proxies: dice.pick([0, 0, 1, 3]),
    ...DRAW_FAULTS[profile](dice, count, healAtMs),
    workload: {
      batches: dice.integer(5, 150),
      maxBurst: dice.pick([1, 4, 40]),
      everyMs: dice.pick([20, 100, 500]),
      sizes: [4, 5, dice.integer(4, maxBatchBytes), maxBatchBytes - 1, maxBatchBytes],
      fillsAtOnce: dice.chance(0.5),
      maxDeliveryMs: dice.pick([0, 1, 30, 300]),
    },
    givesUpOlderLinks: dice.chance(0.5),
    healAtMs,
  }
}

/** Nothing that the intruder does may as much as reset a session: nobody but the network could notice. */
export function isQuiet({ profile, happenings }: Plan): boolean {
  if (profile === 'calm') return true
  const quiet: readonly string[] = QUIET_INJECTIONS
  return (
    profile === 'injections' && happenings.every((happening) => happening.kind === 'inject' && quiet.includes(happening.what))
  )
}

function drawProfile(fraction: number): Plan['profile'] {
  if (fraction < 0.5) return 'storm'
  if (fraction < 0.7) return 'losses'
  return fraction < 0.95 ? 'injections' : 'calm'
}

function drawLimits(dice: Dice, profile: Plan['profile'], maxBatchBytes: number): Pick<Plan, 'linkLimits' | 'sessionLimits'> {
  const window = {
    maxBatchBytes,
    maxUnackedBatches: dice.pick([1, 2, 8, 64, 512]),
    maxUnackedBytes: dice.pick([100, 1_000, 30_000, 1_000_000]),
    ackEveryBatches: dice.pick([1, 3, 32]),
    ackDelayMs: dice.pick([1, 5, 50]),
  }
  // What an intruder does must cost nothing with the times of production.
  if (profile === 'injections' || profile === 'calm') return { linkLimits: window, sessionLimits: {} }
  if (profile === 'losses') {
    return {
      linkLimits: { ...window, heartbeatMs: dice.pick([200, 1_000]), silenceMs: 300_000 },
      sessionLimits: {
        handshakeTimeoutMs: 1_000,
        backOffMaxMs: 500,
        maxResetAttempts: 1_000,
        peerHelloTimeoutMs: 300_000,
        maxResetMs: 300_000,
      },
    }
  }
  return {
    linkLimits: { ...window, heartbeatMs: dice.pick([200, 1_000]), silenceMs: dice.pick([2_000, 10_000, 30_000]) },
    sessionLimits: {
      handshakeTimeoutMs: dice.pick([1_000, 10_000]),
      backOffMinMs: dice.pick([10, 50]),
      backOffMaxMs: dice.pick([500, 5_000]),
      maxResetAttempts: dice.pick([2, 10]),
      maxResetMs: dice.pick([5_000, 120_000]),
      byeTimeoutMs: dice.pick([500, 5_000]),
    },
  }
}

type Faults = Pick<Plan, 'rates' | 'happenings'>

function drawCalm(): Faults {
  return { rates: NO_RATES, happenings: [] }
}

function drawRates(dice: Dice): Readonly<Record<FrameFault, number>> {
  const isOn = new Set(dice.some(FRAME_FAULTS))
  const rateOf = (fault: FrameFault): number => (isOn.has(fault) ? 10 ** dice.between(-3.5, -1.2) : 0)
  return Object.fromEntries(FRAME_FAULTS.map((fault) => [fault, rateOf(fault)])) as Record<FrameFault, number>
}

function drawLosses(dice: Dice, nodes: number, healAtMs: number): Faults {
  const kinds = dice.some(['cut', 'partition', 'slowReader', 'stall'] as const)
  const happenings = kinds.flatMap((kind) =>
    Array.from({ length: dice.integer(1, 5) }, () => drawHappening(dice, kind, nodes, healAtMs)),
  )
  return { rates: { ...drawRates(dice), corrupt: 0 }, happenings: inOrder(happenings) }
}

function drawStorm(dice: Dice, nodes: number, healAtMs: number): Faults {
  const rates = drawRates(dice)
  const happenings = dice
    .some(['cut', 'partition', 'slowReader', 'stall', 'crash', 'bye', 'destroy', 'rekey', 'inject'] as const)
    .flatMap((kind) =>
      Array.from({ length: dice.integer(1, kind === 'inject' ? 20 : 5) }, () => drawHappening(dice, kind, nodes, healAtMs)),
    )
  return { rates, happenings: inOrder(happenings) }
}

/** From when every link is up. What breaks streams comes seldom enough for a handshake to be complete in between. */
function drawInjections(dice: Dice, nodes: number, healAtMs: number): Faults {
  const pairs = nodes === 2 ? 1 : 3
  const draw = (
    kinds: readonly Injection[],
    everyMs: number,
    count = Math.floor((healAtMs - UP_BY_MS) / everyMs),
  ): Happening[] =>
    Array.from({ length: count }, () => ({
      atMs: dice.between(UP_BY_MS, healAtMs),
      kind: 'inject',
      pair: dice.integer(0, pairs - 1),
      what: dice.pick(kinds),
    }))
  const quiet = dice.some(QUIET_INJECTIONS)
  const breaking = dice.some(BREAKING_INJECTIONS)
  return {
    rates: NO_RATES,
    happenings: inOrder([
      ...(quiet.length > 0 ? draw(quiet, dice.pick([100, 500])) : []),
      ...(breaking.length > 0 ? draw(breaking, dice.pick([3_000, 10_000])) : []),
    ]),
  }
}

function drawHappening(dice: Dice, kind: Happening['kind'], nodes: number, healAtMs: number): Happening {
  const atMs = dice.between(0, healAtMs)
  const forMs = Math.min(healAtMs - atMs, 10 ** dice.between(0, 4))
  const pair = dice.integer(0, nodes === 2 ? 0 : 2)
  switch (kind) {
    case 'cut':
      return { atMs, kind, pair, forMs: dice.chance(0.5) ? 0 : forMs }
    case 'partition': {
      const directions = dice.pick([['up'], ['down'], ['up', 'down']] as const)
      return { atMs, kind, pair, directions, forMs, isLossy: dice.chance(0.5) }
    }
    case 'slowReader':
    case 'stall':
    case 'crash':
      return { atMs, kind, node: dice.integer(0, nodes - 1), forMs }
    case 'bye':
    case 'destroy':
    case 'rekey':
      return { atMs, kind, pair, by: dice.pick(['client', 'server'] as const) }
    case 'inject':
      return { atMs, kind, pair, what: dice.pick([...QUIET_INJECTIONS, ...BREAKING_INJECTIONS]) }
  }
}

function inOrder(happenings: readonly Happening[]): readonly Happening[] {
  return happenings.toSorted((a, b) => a.atMs - b.atMs)
}

const DRAW_FAULTS = { storm: drawStorm, losses: drawLosses, injections: drawInjections, calm: drawCalm }
const NO_RATES: Readonly<Record<FrameFault, number>> = { drop: 0, repeat: 0, reorder: 0, delay: 0, corrupt: 0 }
/** A handshake and its hellos take six ways of at most 40 ms. */
const UP_BY_MS = 1_000
