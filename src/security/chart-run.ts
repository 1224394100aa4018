import type { Clock, TimerHandle } from '../shared/clock.ts'
import type { Chart, ChartAction, ChartEvent, ChartState, ChartTransition, Moment } from './chart.ts'

/** Where a chart runs. Called in the midst of a step: what is asked for is best done after it. An event sent from here waits for its turn. */
export interface ChartHost {
  readonly clock: Pick<Clock, 'setTimeout' | 'clearTimeout'>
  /** An action that the machine only names. */
  perform(action: string): void
  /** `from` is empty at the start. The states of parallel regions stand with a blank between. */
  moved(chart: string, from: string, to: string): void
  /** Instead of what the machine says of the delay `name`; undefined leaves it as it is. */
  delayMs(name: string, moment: Moment): number | undefined
}

/**
 * One run of a chart and of those that it invokes: what xstate's actor does with the same machine, step by step the same, in a fraction of the
 * time and memory. A session has up to four charts, and its handshake some two dozen transitions.
 */
export class ChartRun<Context extends object> {
  readonly #chart: Chart<Context>
  readonly #host: ChartHost
  readonly #onDone: ((output: unknown) => void) | undefined
  #context: Context
  /** In document order. */
  readonly #active: ChartState[] = []
  #state = ''
  #output: unknown
  #isOver = false
  #isBusy = false
  readonly #mailbox: ChartEvent[] = []
  /** For invoked charts: what begins and what is sent once the step is complete. */
  readonly #afterStep: (() => void)[] = []
  #timers: { readonly state: ChartState; readonly handle: TimerHandle }[] = []
  #children: { readonly id: string; readonly state: ChartState; readonly run: ChartRun<object> }[] = []

  constructor(chart: Chart<Context>, input: unknown, host: ChartHost, onDone?: (output: unknown) => void) {
    this.#chart = chart
    this.#host = host
    this.#onDone = onDone
    this.#context = chart.makeContext({ input })
  }

  /** `running.exchange.negotiating running.refusal.unheard`; empty before `start`. */
  get state(): string {
    return this.#state
  }

  get context(): Context {
    return this.#context
  }

  /** In a final state, or stopped: deaf from now on. */
  get isOver(): boolean {
    return this.#isOver
  }

  /** Once, before any event. Does nothing once stopped. */
  start(): void {
    if (!this.#isOver) this.#process({ type: 'xstate.init' })
  }

  send(event: ChartEvent): void {
    if (this.#isOver) return
    if (this.#isBusy) this.#mailbox.push(event)
    else this.#process(event)
  }

  /** Without reaching an end of its own. */
  stop(): void {
    this.#isOver = true
    this.#leave(this.#active)
  }

  #process(first: ChartEvent): void {
    this.#isBusy = true
    for (let event: ChartEvent | undefined = first; event !== undefined && !this.#isOver; event = this.#mailbox.shift()) {
      this.#step(event)
    }
    this.#isBusy = false
  }

  #step(event: ChartEvent): void {
    if (this.#state === '') this.#enter(this.#chart.initial, 0, event)
    else this.#take(this.#select(event), event)
    while (!this.#isOver && this.#take(this.#select(event, true), event));
    this.#tellMove()
    for (let next = this.#afterStep.shift(); next !== undefined; next = this.#afterStep.shift()) next()
    if (!this.#isOver) return
    this.#leave(this.#active)
    this.#onDone?.(this.#output)
  }

  /** Inner states before outer ones. Regions have no event in common, so that there is never more than one. */
  #select(event: ChartEvent, isEventless = false): ChartTransition | undefined {
    for (let at = this.#active.length - 1; at >= 0; at -= 1) {
      const state = this.#active[at]
      for (const transition of (isEventless ? state?.always : state?.on.get(event.type)) ?? []) {
        if (transition.isAllowed?.(this.#moment(event)) ?? true) return transition
      }
    }
    return undefined
  }

  /** @returns whether there was one to take */
  #take(transition: ChartTransition | undefined, event: ChartEvent): boolean {
    if (transition === undefined) return false
    const { domain, actions, enters } = transition
    if (domain === undefined) {
      this.#act(actions, event)
      return true
    }
    const from = this.#active.indexOf(domain) + 1
    let to = from
    while ((this.#active[to]?.order ?? Infinity) <= domain.last) to += 1
    this.#leave(this.#active.splice(from, to - from))
    this.#act(actions, event)
    this.#enter(enters, from, event)
    return true
  }

  #leave(states: readonly ChartState[]): void {
    this.#timers = this.#timers.filter(({ state, handle }) => {
      if (!states.includes(state)) return true
      this.#host.clock.clearTimeout(handle)
      return false
    })
    this.#children = this.#children.filter(({ state, run }) => {
      if (!states.includes(state)) return true
      run.stop()
      return false
    })
  }

  #enter(states: readonly ChartState[], at: number, event: ChartEvent): void {
    this.#active.splice(at, 0, ...states)
    for (const state of states) {
      this.#act(state.entry, event)
      this.#setTimers(state, event)
      this.#invoke(state, event)
      if (!state.isFinal) continue
      this.#isOver = true
      this.#output = this.#chart.makeOutput(this.#moment(event))
    }
  }

  #setTimers(state: ChartState, event: ChartEvent): void {
    for (const timer of state.timers) {
      const moment = this.#moment(event)
      const delayMs = this.#host.delayMs(timer.name, moment) ?? timer.delayMs(moment)
      const handle = this.#host.clock.setTimeout(() => {
        this.#timers = this.#timers.filter((set) => set.handle !== handle)
        this.send(timer.event)
      }, delayMs)
      this.#timers.push({ state, handle })
    }
  }

  #invoke(state: ChartState, event: ChartEvent): void {
    for (const { id, chart, inputOf } of state.invokes) {
      const run = new ChartRun(chart, inputOf(this.#moment(event)), this.#host, (output) => {
        const done = { type: `xstate.done.actor.${id}`, output }
        this.send(done)
      })
      this.#children.push({ id, state, run })
      this.#afterStep.push(() => {
        run.start()
      })
    }
  }

  #act(actions: readonly ChartAction[], event: ChartEvent): void {
    for (const action of actions) {
      if (action.kind === 'perform') this.#host.perform(action.name)
      else if (action.kind === 'assign') this.#context = { ...this.#context, ...action.change(this.#moment(event)) }
      else this.#forward(action.to, action.eventOf(this.#moment(event)))
    }
  }

  #forward(to: string, event: ChartEvent): void {
    const child = this.#children.find(({ id }) => id === to)
    this.#afterStep.push(() => child?.run.send(event))
  }

  #moment(event: ChartEvent): Moment {
    return { context: this.#context, event }
  }

  #tellMove(): void {
    const from = this.#state
    let to = ''
    for (const { isAtomic, name } of this.#active) if (isAtomic) to = to === '' ? name : `${to} ${name}`
    if (from === to) return
    this.#state = to
    this.#host.moved(this.#chart.id, from, to)
  }
}
