import type { StandardSchemaV1 } from '@standard-schema/spec'
import { SzmqError } from '../shared/errors.ts'
import type { AskOptions } from './ask-table.ts'
import { FIRST_SELECTOR, needsNoPayload, parsePayload, type MessageType, type Protocol } from './protocol.ts'
import type { Route } from './ref.ts'

/** One message as a ref knows it: enough to send it, without the actor's definition. */
export interface RefMessage {
  readonly name: string
  readonly kind: 'tell' | 'ask'
  /** The number that the receiving side has for this name. */
  readonly selector: number
  readonly needsNoPayload: boolean
}

export type RefShape = readonly RefMessage[]

/** Messages a ref may name when it comes from another process. */
const MAX_MESSAGES = 1_024
/** Shapes are remembered as long as they are not too many, and not longer than this: peers can send any. */
const MAX_REMEMBERED_SHAPES = 1_024
const MAX_REMEMBERED_LENGTH = 4_096

export function shapeOf(messageTypes: readonly MessageType[]): RefShape {
  return messageTypes.map(({ name, selector, spec }) => ({
    name,
    kind: spec.kind,
    selector,
    needsNoPayload: needsNoPayload(spec.message),
  }))
}

/** A shape as it travels, in the order of the selectors: `+add` is told, `?total` asked, `~total` asked and complete without payload. */
export function encodeShape(shape: RefShape): readonly string[] {
  return shape.map(({ kind, name, needsNoPayload: isBare }) => `${kind === 'tell' ? '+' : isBare ? '~' : '?'}${name}`)
}

/** @throws ERR_SZMQ_MALFORMED_MESSAGE */
export function decodeShape(encoded: unknown): RefShape {
  if (!Array.isArray(encoded) || encoded.length > MAX_MESSAGES || !encoded.every(isEncodedMessage) || hasTwice(encoded)) {
    throw new SzmqError(
      'ERR_SZMQ_MALFORMED_MESSAGE',
      'a list of messages that an actor understands does not have the expected form',
    )
  }
  const key = encoded.join('\n')
  let shape = decodedShapes.get(key)
  if (shape === undefined) {
    shape = encoded.map((text, at) => ({
      name: text.slice(1),
      kind: text.startsWith('+') ? ('tell' as const) : ('ask' as const),
      selector: FIRST_SELECTOR + at,
      needsNoPayload: text.startsWith('~'),
    }))
    if (decodedShapes.size >= MAX_REMEMBERED_SHAPES) decodedShapes.clear()
    if (key.length <= MAX_REMEMBERED_LENGTH) decodedShapes.set(key, shape)
  }
  return shape
}

const decodedShapes = new Map<string, RefShape>()

function isEncodedMessage(value: unknown): value is string {
  return typeof value === 'string' && value.length <= 256 && /^[+?~]/.test(value)
}

function hasTwice(encoded: readonly string[]): boolean {
  return new Set(encoded.map((text) => text.slice(1))).size < encoded.length
}

/** The shape of `protocol` over an actor that may understand more: its selectors, our names. Both were compared before. */
export function narrowShape(protocol: Protocol, shape: RefShape): RefShape {
  return shape.filter(({ name }) => Object.hasOwn(protocol, name))
}

/**
 * A route that checks every answer against the schema of its message: for actors on other nodes. Without it, a peer could answer
 * with anything.
 */
export function checkingAnswers(protocol: Protocol, path: string, route: Route): Route {
  const answers = new Map<string, StandardSchemaV1>()
  for (const [name, spec] of Object.entries(protocol)) if (spec.kind === 'ask') answers.set(name, spec.answer)
  return {
    tell: (selector, payload) => {
      route.tell(selector, payload)
    },
    ask: async (selector, payload, message, options) => {
      const answer = await route.ask(selector, payload, message, options)
      const schema = answers.get(message)
      return schema === undefined ? answer : parsePayload(schema, answer, `the answer of ${path} to '${message}'`)
    },
    ready: () => route.ready(),
  }
}

type Facade = new (route: Route) => object
interface Facades {
  readonly Tell: Facade
  readonly Ask: Facade
}

const facades = new WeakMap<RefShape, Facades>()

/** Classes with one method for each message, made once a shape: a ref then costs two small objects, not one closure a message. */
export function facadesOf(shape: RefShape): Facades {
  const known = facades.get(shape)
  if (known !== undefined) return known
  class Tell extends RouteHolder {}
  class Ask extends RouteHolder {}
  for (const message of shape) {
    if (message.kind === 'tell') defineMethod(Tell, message.name, tellMethod(message))
    else defineMethod(Ask, message.name, askMethod(message))
  }
  const made = { Tell, Ask }
  facades.set(shape, made)
  return made
}

/** Symbols, so that a message may have any name. */
const ROUTE = Symbol('route')

class RouteHolder {
  readonly [ROUTE]: Route
  constructor(route: Route) {
    this[ROUTE] = route
  }
}

function defineMethod(holder: Facade, name: string, value: (this: RouteHolder, ...values: never[]) => unknown): void {
  Object.defineProperty(holder.prototype, name, { value, enumerable: true })
}

function tellMethod({ selector }: RefMessage) {
  return function (this: RouteHolder, payload?: unknown): void {
    this[ROUTE].tell(selector, payload)
  }
}

function askMethod({ selector, name, needsNoPayload: isBare }: RefMessage) {
  return function (this: RouteHolder, ...values: unknown[]): Promise<unknown> {
    const hasOnlyOptions = isBare && values.length === 1 && isAskOptions(values[0])
    const [payload, options] = hasOnlyOptions ? [undefined, values[0]] : values
    return this[ROUTE].ask(selector, payload, name, options as AskOptions | undefined)
  }
}

/** Nothing but known options, and at least one: a payload that looks like this needs its options as second argument. */
function isAskOptions(value: unknown): value is AskOptions {
  if (typeof value !== 'object' || value === null) return false
  const keys = Object.keys(value)
  return keys.length > 0 && keys.every((key) => key === 'timeoutMs' || key === 'signal')
}
