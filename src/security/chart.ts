import { StateMachine, type AnyStateMachine, type AnyStateNode, type AnyTransitionDefinition, type ContextFrom } from 'xstate'

/**
 * An xstate machine made ready for {@link ChartRun}: what does not depend on a run is worked out once, here. The machine stays the only truth;
 * what xstate keeps of it (targets, timers, assignments) is read, and nothing is said a second time.
 *
 * It knows what the charts of a session need: nested and parallel states, entry, `always`, `after`, guards, `assign`, `sendTo`, invoked machines,
 * final states at the top. {@link compileChart} refuses everything else.
 */
export interface Chart<Context extends object = object> {
  readonly id: string
  readonly makeContext: (args: { readonly input: unknown }) => Context
  readonly makeOutput: (moment: Moment) => unknown
  /** What is entered at the start, in this order. */
  readonly initial: readonly ChartState[]
}

export interface ChartEvent {
  readonly type: string
}

/** What guards, assignments and delays look at. */
export interface Moment {
  readonly context: object
  readonly event: ChartEvent
}

/** Children lie between a state and its `last` descendant in document order. */
export interface ChartState {
  /** `running.exchange.negotiating` */
  readonly name: string
  readonly order: number
  readonly last: number
  readonly isAtomic: boolean
  readonly isFinal: boolean
  readonly entry: readonly ChartAction[]
  readonly timers: readonly ChartTimer[]
  readonly invokes: readonly ChartInvoke[]
  readonly on: ReadonlyMap<string, readonly ChartTransition[]>
  readonly always: readonly ChartTransition[]
}

export interface ChartTransition {
  readonly isAllowed: ((moment: Moment) => boolean) | undefined
  readonly actions: readonly ChartAction[]
  /** Everything inside of it is left; undefined: the transition only acts. */
  readonly domain: ChartState | undefined
  /** In document order. */
  readonly enters: readonly ChartState[]
}

export type ChartAction =
  | { readonly kind: 'assign'; readonly change: (moment: Moment) => object }
  | { readonly kind: 'send'; readonly to: string; readonly eventOf: (moment: Moment) => ChartEvent }
  /** For whoever runs the chart. */
  | { readonly kind: 'perform'; readonly name: string }

export interface ChartTimer {
  readonly name: string
  readonly delayMs: (moment: Moment) => number
  readonly event: ChartEvent
}

export interface ChartInvoke {
  readonly id: string
  readonly chart: Chart
  readonly inputOf: (moment: Moment) => unknown
}

/** @throws TypeError for a machine that uses more of xstate than a chart here may */
export function compileChart<Machine extends AnyStateMachine>(machine: Machine): Chart<ContextFrom<Machine>> {
  const states = new Map<AnyStateNode, ChartState>()
  const { root } = machine
  const { context } = machine.config
  return {
    id: machine.id,
    makeContext: typeof context === 'function' ? context : () => ({ ...context }),
    makeOutput: orConstant(root.output),
    initial: [root, ...defaultsOf(root)].map((node) => compileState(node, states)),
  }
}

function compileState(node: AnyStateNode, states: Map<AnyStateNode, ChartState>): ChartState {
  const known = states.get(node)
  if (known !== undefined) return known
  requireKnownFeatures(node)
  const on = new Map<string, readonly ChartTransition[]>()
  const always: ChartTransition[] = []
  const state: ChartState = {
    name: node.path.join('.'),
    order: node.order,
    last: lastOrderOf(node),
    isAtomic: childrenOf(node).length === 0,
    isFinal: node.type === 'final',
    // As it was written: xstate adds its timers to its own list.
    entry: [node.config.entry ?? []].flat().map((action) => compileAction(action, node)),
    timers: node.after.map(({ delay, eventType }) => ({
      name: String(delay),
      delayMs: given(named(node, 'delays', delay)),
      event: { type: eventType },
    })),
    invokes: node.invoke.map(({ id, src, input }) => ({
      id,
      chart: compileInvoked(named(node, 'actors', src)),
      inputOf: orConstant(input),
    })),
    on,
    always,
  }
  states.set(node, state)
  const compile = (transition: AnyTransitionDefinition): ChartTransition => compileTransition(transition, states)
  for (const [type, transitions] of node.transitions) on.set(type, transitions.map(compile))
  always.push(...(node.always ?? []).map(compile))
  return state
}

const INVOKED = new WeakMap<AnyStateMachine, Chart>()

/** The same chart for the same machine, in however many states it is invoked. */
function compileInvoked(machine: unknown): Chart {
  if (!(machine instanceof StateMachine)) throw new TypeError('a chart here may only invoke other machines')
  const chart = INVOKED.get(machine) ?? compileChart(machine)
  INVOKED.set(machine, chart)
  return chart
}

function compileTransition(transition: AnyTransitionDefinition, states: Map<AnyStateNode, ChartState>): ChartTransition {
  const { source, target: targets = [], guard, actions } = transition
  const what = {
    isAllowed: guard === undefined ? undefined : given<boolean>(named(source, 'guards', guard)),
    actions: actions.map((action) => compileAction(action, source)),
  }
  const [target] = targets
  if (target === undefined) return { ...what, domain: undefined, enters: [] }
  const domain = domainOf(transition, target)
  const path = pathBetween(domain, target)
  if (targets.length > 1 || [domain, ...path].some(({ type }, at) => type === 'parallel' && at < path.length)) {
    refuse(source, 'a way to several states, or into the midst of a parallel one')
  }
  const enters = [...path, ...defaultsOf(target)].map((node) => compileState(node, states))
  return { ...what, domain: compileState(domain, states), enters }
}

/** What the transition leaves everything inside of: its source, if it stays inside; else the nearest state around source and target. */
function domainOf({ source, reenter }: AnyTransitionDefinition, target: AnyStateNode): AnyStateNode {
  const isInside = target === source || isBelow(target, source)
  if (isInside && !reenter) return source
  let domain = target.parent
  while (domain !== undefined && !isBelow(source, domain)) domain = domain.parent
  return domain ?? refuse(source, 'a way that leaves the whole machine')
}

/** What is entered inside `node` by itself, in document order. */
function defaultsOf(node: AnyStateNode): readonly AnyStateNode[] {
  if (node.type === 'parallel') return childrenOf(node).flatMap((child) => [child, ...defaultsOf(child)])
  if (node.type !== 'compound') return []
  return (node.initial.target ?? []).flatMap((child) => [child, ...defaultsOf(child)])
}

/** From below `outer` down to `inner`, both of one branch. */
function pathBetween(outer: AnyStateNode, inner: AnyStateNode): readonly AnyStateNode[] {
  return inner === outer || inner.parent === undefined ? [] : [...pathBetween(outer, inner.parent), inner]
}

function compileAction(action: unknown, node: AnyStateNode): ChartAction {
  const done = named(node, 'actions', action)
  if (typeOf(done) === 'xstate.assign' && hasField(done, 'assignment')) {
    return { kind: 'assign', change: toChange(done.assignment) }
  }
  if (typeOf(done) === 'xstate.sendTo' && hasField(done, 'to') && hasField(done, 'event') && typeof done.to === 'string') {
    return { kind: 'send', to: done.to, eventOf: given(done.event) }
  }
  if (typeof action === 'string' && typeOf(done) === undefined) return { kind: 'perform', name: action }
  return refuse(node, 'an action without a name that is neither assign nor sendTo')
}

/** What the machine calls by a name, or the thing itself. */
function named(node: AnyStateNode, kind: 'actions' | 'actors' | 'delays' | 'guards', thing: unknown): unknown {
  if (typeof thing !== 'string') return thing
  const found: unknown = node.machine.implementations[kind][thing]
  if (found === undefined) throw new TypeError(`#${node.id} names ${thing}, which is not among the ${kind} of its machine`)
  return found
}

/** `assign` takes a function, or for each field a value or a function. */
function toChange(assignment: unknown): (moment: Moment) => object {
  if (typeof assignment !== 'object' || assignment === null) return given(assignment)
  const fields = Object.entries(assignment).map(([name, value]) => [name, orConstant(value)] as const)
  return (moment) => {
    const change: Record<string, unknown> = {}
    for (const [name, valueOf] of fields) change[name] = valueOf(moment)
    return change
  }
}

/** What the function gives was checked where the machine was written: `setup` types it. */
function given<Result>(thing: unknown): (moment: Moment) => Result {
  if (isFunctionTo<Result>(thing)) return thing
  throw new TypeError(`a chart here takes a function, not ${String(thing)}`)
}

function orConstant(thing: unknown): (moment: Moment) => unknown {
  return isFunctionTo<unknown>(thing) ? thing : () => thing
}

function isFunctionTo<Result>(thing: unknown): thing is (moment: Moment) => Result {
  return typeof thing === 'function'
}

function requireKnownFeatures(node: AnyStateNode): void {
  const { type, config, parent, invoke } = node
  if (type === 'history' || config.exit !== undefined || config.onDone !== undefined) refuse(node, 'history, exit or onDone')
  if (type === 'final' && parent?.parent !== undefined) refuse(node, 'an end inside of a state')
  if (type === 'compound' && node.initial.actions.length > 0) refuse(node, 'actions of its initial state')
  if ([...node.transitions.keys()].some((event) => event.includes('*'))) refuse(node, 'a wildcard')
  if (invoke.some(({ onError, onSnapshot }) => onError !== undefined || onSnapshot !== undefined)) {
    refuse(node, 'onError or onSnapshot')
  }
  if (type === 'parallel' && haveCommon(childrenOf(node).map(({ events }) => events))) refuse(node, 'an event of two regions')
}

function refuse({ id }: AnyStateNode, feature: string): never {
  throw new TypeError(`#${id} uses ${feature}: charts here do without`)
}

function haveCommon(lists: readonly (readonly string[])[]): boolean {
  const all = lists.flat()
  return new Set(all).size < all.length
}

function childrenOf(node: AnyStateNode): readonly AnyStateNode[] {
  return Object.values(node.states)
}

function lastOrderOf(node: AnyStateNode): number {
  return Math.max(node.order, ...childrenOf(node).map(lastOrderOf))
}

function isBelow(node: AnyStateNode, other: AnyStateNode): boolean {
  return node.order > other.order && node.order <= lastOrderOf(other)
}

/** Of xstate's own actions; undefined for those that were written here. */
function typeOf(action: unknown): unknown {
  return hasField(action, 'resolve') && hasField(action, 'type') ? action.type : undefined
}

function hasField<Name extends string>(value: unknown, name: Name): value is Record<Name, unknown> {
  return typeof value === 'function' && name in value
}
