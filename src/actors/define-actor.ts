import { SzmqError } from '../shared/errors.ts'
import type { ActorContext } from './context.ts'
import {
  messageTypesOf,
  type AnswerOf,
  type AskSpec,
  type MessageType,
  type Protocol,
  type ReceivedOf,
  type TellSpec,
} from './protocol.ts'
import { DEFAULT_SUPERVISION, type Supervision } from './supervision.ts'

/** What an actor does with one message. It may be async: the next message waits until it has settled. */
export type Handler<State, Spec, P extends Protocol> = Spec extends AskSpec
  ? (state: State, payload: ReceivedOf<Spec>, context: ActorContext<P>) => AnswerOf<Spec> | Promise<AnswerOf<Spec>>
  : Spec extends TellSpec
    ? (state: State, payload: ReceivedOf<Spec>, context: ActorContext<P>) => void | Promise<void>
    : never

export interface MailboxOptions {
  /** Messages that may wait; default 10 000. */
  readonly capacity: number
  /**
   * What happens to a message for a full mailbox: `fail` (default) makes it a dead letter, answers an ask with
   * ERR_SZMQ_MAILBOX_FULL and, on the same thread, throws at the teller; `drop-new` only makes it a dead letter; `drop-old` makes
   * the oldest waiting message one and takes the new.
   */
  readonly policy: 'fail' | 'drop-new' | 'drop-old'
}

export const DEFAULT_MAILBOX: MailboxOptions = { capacity: 10_000, policy: 'fail' }

export interface ActorOptions<P extends Protocol, State> {
  /** Unique in its module; shown in errors and in the inspector. */
  readonly name: string
  readonly protocol: P
  /** Makes the state at the start and anew at every restart. */
  readonly state: (context: ActorContext<P>) => State
  readonly on: { readonly [Name in keyof P]: Handler<State, P[Name], P> }
  /** What happens when a handler throws; by default {@link DEFAULT_SUPERVISION}. */
  readonly supervise?: Partial<Supervision>
  /** Default {@link DEFAULT_MAILBOX}. */
  readonly mailbox?: Partial<MailboxOptions>
}

/** An actor's definition: what {@link defineActor} gives and `spawn`, `resolve` take. */
export interface ActorDefinition<P extends Protocol = Protocol, State = unknown> {
  readonly name: string
  /** URL of the module that defines it, without query: another thread imports it from there. */
  readonly moduleUrl: string
  readonly protocol: P
  readonly messageTypes: readonly MessageType[]
  readonly state: (context: ActorContext<P>) => State
  readonly on: { readonly [Name in keyof P]: Handler<State, P[Name], P> }
  readonly supervision: Supervision
  readonly mailbox: MailboxOptions
}

/** A definition seen by the runtime, which knows no types of messages. */
export type AnyDefinition = Omit<ActorDefinition, 'state' | 'on'> & {
  readonly state: (context: ActorContext) => unknown
  readonly on: Readonly<Record<string, (state: never, payload: never, context: ActorContext) => unknown>>
}

const definitions = new Map<string, AnyDefinition>()

/**
 * Defines an actor. Call it at the top level of a module and export the result: a thread that is to run the actor imports that
 * module, because closures cannot cross a thread. Code is never shipped.
 *
 * @param meta `import.meta` of the calling module.
 * @throws ERR_SZMQ_INVALID_ARGUMENT for a handler without message, a message without handler, or a name used twice in a module.
 */
export function defineActor<const P extends Protocol, State>(
  meta: { readonly url: string },
  { name, protocol, state, on, supervise, mailbox }: ActorOptions<P, State>,
): ActorDefinition<P, State> {
  const moduleUrl = withoutQuery(meta.url)
  const definition: ActorDefinition<P, State> = {
    name,
    moduleUrl,
    protocol,
    messageTypes: messageTypesOf(protocol),
    state,
    on,
    supervision: { ...DEFAULT_SUPERVISION, ...supervise },
    mailbox: { ...DEFAULT_MAILBOX, ...mailbox },
  }
  const untyped = definition as unknown as AnyDefinition
  assertHandlersMatch(untyped)
  assertMailbox(untyped)
  const key = keyOf(moduleUrl, name)
  // The same module evaluated again (a test runner, a query in the URL) replaces its own definition; another protocol is a mistake.
  const earlier = definitions.get(key)
  if (earlier !== undefined && !hasSameMessages(earlier, untyped)) {
    throw new SzmqError(
      'ERR_SZMQ_INVALID_ARGUMENT',
      `two actors named '${name}' in ${moduleUrl}: a name is unique in its module`,
    )
  }
  definitions.set(key, untyped)
  return definition
}

/** The definition that the module at `moduleUrl` made under `name`, if that module was evaluated on this thread. */
export function findDefinition(moduleUrl: string, name: string): AnyDefinition | undefined {
  return definitions.get(keyOf(moduleUrl, name))
}

function keyOf(moduleUrl: string, name: string): string {
  return `${moduleUrl}#${name}`
}

function withoutQuery(url: string): string {
  return url.replace(/[?#].*$/s, '')
}

function hasSameMessages(one: AnyDefinition, other: AnyDefinition): boolean {
  const namesOf = ({ messageTypes }: AnyDefinition): string => messageTypes.map(({ name }) => name).join()
  return namesOf(one) === namesOf(other)
}

function assertHandlersMatch({ name, protocol, on }: AnyDefinition): void {
  if (!/^[\w.-]{1,64}$/.test(name)) {
    throw new SzmqError('ERR_SZMQ_INVALID_ARGUMENT', `actor name '${name}': expected 1 to 64 letters, digits, '_', '.' or '-'`)
  }
  const missing = Object.keys(protocol).filter((message) => !Object.hasOwn(on, message))
  const unknown = Object.keys(on).filter((message) => !Object.hasOwn(protocol, message))
  if (missing.length > 0 || unknown.length > 0) {
    throw new SzmqError(
      'ERR_SZMQ_INVALID_ARGUMENT',
      `actor '${name}': ${[
        ...missing.map((message) => `message '${message}' has no handler`),
        ...unknown.map((message) => `handler '${message}' has no message in the protocol`),
      ].join(', ')}`,
    )
  }
}

function assertMailbox({ name, mailbox }: AnyDefinition): void {
  if (!(mailbox.capacity >= 1)) {
    throw new SzmqError(
      'ERR_SZMQ_INVALID_ARGUMENT',
      `actor '${name}': a mailbox of ${mailbox.capacity} messages; expected 1 or more`,
    )
  }
}
