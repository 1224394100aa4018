import type { ContextFrom } from 'xstate'
import type { Clock } from '../shared/clock.ts'
import type { Random } from '../shared/random.ts'
import { ChartRun, type ChartHost } from './chart-run.ts'
import { compileChart } from './chart.ts'
import type { ErrorReference } from './error-reference.ts'
import { backOffMs } from './limits.ts'
import { sessionMachine, type SessionInput, type SessionMachineEvent } from './session.machine.ts'

const EFFECTS = [
  'startEpoch',
  'beginHandshake',
  'sendAccept',
  'reportOpen',
  'reportResetting',
  'discard',
  'requestReset',
  'notifyRefusal',
  'sendEnd',
  'disconnect',
  'release',
  'reportClosed',
  'reportFailed',
] as const

/** What the charts ask for, with what they knew when they asked. */
export interface SessionEffect {
  readonly name: (typeof EFFECTS)[number]
  readonly epoch: number
  readonly error: ErrorReference
}

const CHARTS = ['session', 'handshake', 'reset', 'bye'] as const

export interface ChartMove {
  readonly chart: (typeof CHARTS)[number]
  /** Empty for a chart that begins. */
  readonly from: string
  readonly to: string
}

const SESSION = compileChart(sessionMachine)

/**
 * The session chart and those that it holds, for one session. Sans-IO: events go in, and what they moved and what they ask for is fetched
 * afterwards, in order.
 */
export class SessionCharts implements ChartHost {
  readonly clock: ChartHost['clock']
  readonly #random: Random
  readonly #session: ChartRun<ContextFrom<typeof sessionMachine>>
  readonly #moves: ChartMove[] = []
  readonly #effects: SessionEffect[] = []

  /** @param inTurn runs what a timer brings when nothing else is going on */
  constructor(
    input: SessionInput,
    { clock, random }: { readonly clock: Clock; readonly random: Random },
    inTurn: (timer: () => void) => void,
  ) {
    this.clock = {
      setTimeout: (callback, delayMs) =>
        clock.setTimeout(() => {
          inTurn(callback)
        }, delayMs),
      clearTimeout: (handle) => {
        clock.clearTimeout(handle)
      },
    }
    this.#random = random
    this.#session = new ChartRun(SESSION, input, this)
    this.#session.start()
    this.#moves.length = 0
  }

  /** Of the session chart: `resetting.handshaking` */
  get state(): string {
    return this.#session.state
  }

  get context(): ContextFrom<typeof sessionMachine> {
    return this.#session.context
  }

  get isOver(): boolean {
    return this.#session.isOver
  }

  send(event: SessionMachineEvent): void {
    this.#session.send(event)
  }

  nextMove(): ChartMove | undefined {
    return this.#moves.shift()
  }

  nextEffect(): SessionEffect | undefined {
    return this.#effects.shift()
  }

  perform(action: string): void {
    const name = EFFECTS.find((effect) => effect === action)
    if (name === undefined) throw new TypeError(`the charts ask for ${action}, which no session can do`)
    const { epoch, error } = this.#session.context
    this.#effects.push({ name, epoch, error })
  }

  moved(chart: string, from: string, to: string): void {
    const name = CHARTS.find((known) => known === chart)
    if (name === undefined) throw new TypeError(`the chart ${chart} is none of a session`)
    this.#moves.push({ chart: name, from, to })
  }

  /** The machine knows no chance; a session spreads its clients. */
  delayMs(name: string): number | undefined {
    if (name !== 'backOff') return undefined
    const { backOffStep, limits } = this.#session.context
    return backOffMs(backOffStep, limits, this.#random.fraction())
  }
}
