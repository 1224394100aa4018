import type { StandardSchemaV1 } from '@standard-schema/spec'
import { messageOf, SzmqError } from '../shared/errors.ts'

/** A message without an answer. */
export interface TellSpec<Message extends StandardSchemaV1 = StandardSchemaV1> {
  readonly kind: 'tell'
  readonly message: Message
}

/** A message with an answer. */
export interface AskSpec<
  Message extends StandardSchemaV1 = StandardSchemaV1,
  Answer extends StandardSchemaV1 = StandardSchemaV1,
> {
  readonly kind: 'ask'
  readonly message: Message
  readonly answer: Answer
}

/** Every message an actor understands, by name: the one place where its messages are described. */
export type Protocol = Readonly<Record<string, TellSpec | AskSpec>>

/** A message that is told and not answered. @param message any Standard Schema (zod, valibot, arktype …). */
export function tell<Message extends StandardSchemaV1>(message: Message): TellSpec<Message> {
  return { kind: 'tell', message }
}

/** A message that is asked and answered. @param message its payload @param answer what comes back; both any Standard Schema. */
export function ask<Message extends StandardSchemaV1, Answer extends StandardSchemaV1>(
  message: Message,
  answer: Answer,
): AskSpec<Message, Answer> {
  return { kind: 'ask', message, answer }
}

/** Names of the messages that are told. */
export type TellNames<P extends Protocol> = { [Name in keyof P]: P[Name] extends TellSpec ? Name : never }[keyof P] & string
/** Names of the messages that are asked. */
export type AskNames<P extends Protocol> = { [Name in keyof P]: P[Name] extends AskSpec ? Name : never }[keyof P] & string
/** What a sender gives. */
export type PayloadOf<Spec> = Spec extends { readonly message: infer M extends StandardSchemaV1 }
  ? StandardSchemaV1.InferInput<M>
  : never
/** What a handler gets. */
export type ReceivedOf<Spec> = Spec extends { readonly message: infer M extends StandardSchemaV1 }
  ? StandardSchemaV1.InferOutput<M>
  : never
/** What a handler answers. */
export type AnswerOf<Spec> = Spec extends { readonly answer: infer A extends StandardSchemaV1 }
  ? StandardSchemaV1.InferInput<A>
  : never
/** What an asker gets. */
export type AnsweredOf<Spec> = Spec extends { readonly answer: infer A extends StandardSchemaV1 }
  ? StandardSchemaV1.InferOutput<A>
  : never

/** One message of a protocol, with the number that stands for its name on the way. */
export interface MessageType {
  readonly name: string
  readonly selector: number
  readonly spec: TellSpec | AskSpec
}

/** Numbers below are signals of szmq itself: {@link Signal}. */
export const FIRST_SELECTOR = 16

/** The messages of `protocol` in the order in which it names them; the selector of the first is {@link FIRST_SELECTOR}. */
export function messageTypesOf(protocol: Protocol): readonly MessageType[] {
  return Object.entries(protocol).map(([name, spec], at) => ({ name, spec, selector: FIRST_SELECTOR + at }))
}

/**
 * Checks what comes from another process against its schema.
 * @returns the schema's output, which may be transformed.
 * @throws ERR_SZMQ_BAD_MESSAGE with the schema's issues.
 */
export function parsePayload(schema: StandardSchemaV1, payload: unknown, what: string): unknown {
  const result = validate(schema, payload, what)
  if (result instanceof Promise) {
    throw new SzmqError(
      'ERR_SZMQ_BAD_MESSAGE',
      `${what}: its schema validates asynchronously; only synchronous schemas keep messages in order`,
    )
  }
  if (result.issues === undefined) return result.value
  throw new SzmqError('ERR_SZMQ_BAD_MESSAGE', `${what} does not fit its schema: ${result.issues.map(describeIssue).join('; ')}`)
}

/** A schema that throws, now or later, has refused. */
function validate(
  schema: StandardSchemaV1,
  payload: unknown,
  what: string,
): ReturnType<StandardSchemaV1['~standard']['validate']> {
  try {
    const result = schema['~standard'].validate(payload)
    if (result instanceof Promise) result.catch(() => {})
    return result
  } catch (error) {
    throw new SzmqError('ERR_SZMQ_BAD_MESSAGE', `${what}: its schema failed: ${messageOf(error)}`, { cause: error })
  }
}

function describeIssue({ message, path }: StandardSchemaV1.Issue): string {
  if (path === undefined || path.length === 0) return message
  const keys = path.map((segment) => String(typeof segment === 'object' ? segment.key : segment))
  return `${keys.join('.')}: ${message}`
}

/** Is a message of this schema complete without a payload? Then `ask.name(options)` is allowed in place of `ask.name(payload, options)`. */
export function needsNoPayload(schema: StandardSchemaV1): boolean {
  try {
    const result = validate(schema, undefined, 'nothing')
    return !(result instanceof Promise) && result.issues === undefined
  } catch {
    return false
  }
}
