import type { StandardSchemaV1 } from '@standard-schema/spec'
import { SzmqError } from '../shared/errors.ts'
import type { AskOptions } from './ask-table.ts'
import { facadesOf, type RefShape } from './ref-shape.ts'
import type { AnsweredOf, AskNames, PayloadOf, Protocol, TellNames } from './protocol.ts'

/** Arguments of a message: nothing to give for `z.void()`, the payload otherwise. */
type PayloadArguments<Payload> = undefined extends Payload ? [payload?: Payload] : [payload: Payload]

type AskArguments<Payload> = [Payload] extends [void | undefined]
  ? [options?: AskOptions]
  : undefined extends Payload
    ? [payload?: Payload, options?: AskOptions]
    : [payload: Payload, options?: AskOptions]

/** One function for each message that can be told. */
export type Tells<P extends Protocol> = {
  readonly [Name in TellNames<P>]: (...payload: PayloadArguments<PayloadOf<P[Name]>>) => void
}

/** One function for each message that can be asked. */
export type Asks<P extends Protocol> = {
  readonly [Name in AskNames<P>]: (...payload: AskArguments<PayloadOf<P[Name]>>) => Promise<AnsweredOf<P[Name]>>
}

/** Where a ref leads: plain data, valid for one incarnation of its node. */
export interface ActorAddress {
  /** Incarnation of the node: a node that starts again is another one. */
  readonly node: string
  readonly thread: number
  /** Never used again for another actor of that node. */
  readonly id: number
  readonly path: string
}

/** How a ref sends. The runtime makes it; which kind it is depends on where the actor lives. */
export interface Route {
  tell(selector: number, payload: unknown): void
  ask(selector: number, payload: unknown, message: string, options: AskOptions | undefined): Promise<unknown>
  ready(): Promise<void>
}

/**
 * A typed handle on an actor, wherever it lives. It stays valid across restarts, may be sent in messages, and leads to dead letters
 * when the actor is gone. The payload of a message belongs to szmq once it was sent: do not change it afterwards.
 */
export class ActorRef<P extends Protocol = Protocol> {
  readonly address: ActorAddress
  /** @internal */
  readonly shape: RefShape
  /** @internal */
  readonly route: Route
  /**
   * Sends without an answer; returns at once.
   * @throws ERR_SZMQ_MAILBOX_FULL (same thread) or ERR_SZMQ_BACKPRESSURE (others) when nothing more can wait: see {@link ready}.
   */
  readonly tell: Tells<P>
  /**
   * Sends and waits for the answer. Rejects with ERR_SZMQ_ASK_TIMEOUT, ERR_SZMQ_HANDLER_FAILED, ERR_SZMQ_NO_SUCH_ACTOR,
   * ERR_SZMQ_ACTOR_STOPPED, ERR_SZMQ_MAILBOX_FULL, ERR_SZMQ_BAD_MESSAGE, ERR_SZMQ_THREAD_LOST, ERR_SZMQ_NODE_LOST or
   * ERR_SZMQ_ABORTED; it never waits longer than its timeout.
   */
  readonly ask: Asks<P>

  /** @internal Refs are made by the runtime. */
  constructor(address: ActorAddress, shape: RefShape, route: Route) {
    this.address = address
    this.shape = shape
    this.route = route
    const { Tell, Ask } = facadesOf(shape)
    this.tell = new Tell(route) as unknown as Tells<P>
    this.ask = new Ask(route) as unknown as Asks<P>
  }

  get path(): string {
    return this.address.path
  }

  /** Resolves when the way to the actor takes messages; at once unless it is held up. Rejects when it is lost. */
  ready(): Promise<void> {
    return this.route.ready()
  }

  toString(): string {
    return `ActorRef(${this.path})`
  }
}

/**
 * A schema for a ref in a message: `tell(z.object({ … }))` takes plain schemas; for a ref alone use `tell(refTo(() => Counter))`.
 * The function allows definitions that name each other. Checks that the ref understands every message of the definition.
 */
export function refTo<P extends Protocol>(
  definition: () => { readonly name: string; readonly protocol: P },
): StandardSchemaV1<ActorRef<P>> {
  return {
    '~standard': {
      version: 1,
      vendor: 'szmq',
      validate: (value) => {
        const { name, protocol } = definition()
        if (!(value instanceof ActorRef)) return { issues: [{ message: `expected a ref to an actor '${name}'` }] }
        const missing = missingMessages(protocol, value.shape)
        return missing.length === 0
          ? { value: value as ActorRef<P> }
          : { issues: [{ message: `expected a ref to an actor '${name}'; ${value.path} has no ${missing.join(', ')}` }] }
      },
    },
  }
}

/** The messages of `protocol` that an actor of this shape does not understand, as `tell add` or `ask total`. */
export function missingMessages(protocol: Protocol, shape: RefShape): readonly string[] {
  const understood = new Set(shape.map(({ kind, name }) => `${kind} ${name}`))
  return Object.entries(protocol)
    .map(([name, { kind }]) => `${kind} ${name}`)
    .filter((message) => !understood.has(message))
}

/** @throws ERR_SZMQ_PROTOCOL_MISMATCH naming what is missing. */
export function assertUnderstands(protocol: Protocol, shape: RefShape, path: string): void {
  const missing = missingMessages(protocol, shape)
  if (missing.length === 0) return
  throw new SzmqError(
    'ERR_SZMQ_PROTOCOL_MISMATCH',
    `${path} does not understand ${missing.join(', ')}; it understands ${shape.map(({ kind, name }) => `${kind} ${name}`).join(', ')}. ` +
      `Do both nodes run the same version of the actor?`,
  )
}
