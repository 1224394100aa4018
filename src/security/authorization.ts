import { messageOf, SzmqError } from '../shared/errors.ts'
import { describeIdentity, type PeerIdentity } from './identity.ts'

/**
 * Allows a peer to reach some actors. Everything that no rule allows is denied; rules only ever add.
 *
 * An unknown field is refused: misspelt, `messages` would otherwise allow them all.
 */
export interface AccessRule {
  /**
   * Which actors, as `system/name`, segment by segment: a name stands for itself, `*` for any one segment, `**` at the end for one or more.
   * So `shop/counter` is one actor, `shop/*` all directly in `shop`, `**` every one. Nothing is matched by parts of a segment.
   */
  readonly path: string
  /** Names of the messages that may be told and asked. Default: all. With an empty list the actor may be resolved, and that is all. */
  readonly messages?: readonly string[]
}

/** `true`: everything. `false`, or a string with the reason (for our log, the peer never learns it): the peer is refused. Rules: what they allow. */
export type Access = boolean | string | { readonly allow: readonly AccessRule[] }

/** Decides what a peer, whose identity TLS has verified, may do here. Answer at once: a promise is refused like any other wrong answer. */
export type AuthorizePeer = (identity: PeerIdentity) => Access

/** Rules that one answer may hold. */
export const MAX_ACCESS_RULES = 1_000
/** Names of messages in all of them together. */
export const MAX_ACCESS_MESSAGES = 10_000
/** Characters of a rule's path, and of a path that is looked for. */
export const MAX_ACCESS_PATH_LENGTH = 1_024
const MAX_MESSAGE_LENGTH = 255
const MAX_REASON_LENGTH = 1_024

/** What an admitted peer may reach. Plain data: it may cross threads. */
export type Grant = 'everything' | readonly AccessRule[]

export type Judgement =
  | { readonly kind: 'admitted'; readonly grant: Grant }
  /** ERR_SZMQ_NOT_AUTHORIZED, or ERR_SZMQ_INVALID_ARGUMENT when the answer makes no sense. For our side only. */
  | { readonly kind: 'refused'; readonly error: SzmqError }

/**
 * Asks `authorize` about a peer. Never throws: an exception refuses, and so does an answer that is none.
 *
 * @param authorize default: whoever shows a certificate that our CA vouches for reaches everything, and nobody else gets in
 */
export function judgePeer(identity: PeerIdentity, authorize: AuthorizePeer = admitCertificates): Judgement {
  try {
    return readAnswer(authorize(identity), identity)
  } catch (cause) {
    return refuse(identity, `authorize threw: ${messageOf(cause)}`, cause)
  }
}

/** The messages that may be sent to an actor: all, or those of these names. */
export type Reach = 'all' | ReadonlySet<string>

/** Rules, ready to be asked about one path after another. */
export class AccessRules {
  readonly #rules: readonly { readonly segments: readonly string[]; readonly messages: readonly string[] | undefined }[]

  /** @param rules of a {@link Grant}, so they were checked before */
  constructor(rules: readonly AccessRule[]) {
    this.#rules = rules.map(({ path, messages }) => ({ segments: path.split('/'), messages }))
  }

  /** @param path `system/name`; may come from a peer @returns undefined when no rule allows anything there */
  reachOf(path: string): Reach | undefined {
    if (path.length > MAX_ACCESS_PATH_LENGTH) return undefined
    const segments = path.split('/')
    if (segments.includes('')) return undefined
    let names: Set<string> | undefined
    for (const rule of this.#rules) {
      if (!matches(rule.segments, segments)) continue
      if (rule.messages === undefined) return 'all'
      names ??= new Set()
      for (const message of rule.messages) names.add(message)
    }
    return names
  }
}

function matches(pattern: readonly string[], path: readonly string[]): boolean {
  const last = pattern.length - 1
  const isOpen = pattern[last] === '**'
  if (isOpen ? path.length <= last : path.length !== pattern.length) return false
  return pattern.every((segment, at) => (isOpen && at === last) || segment === '*' || segment === path[at])
}

const admitCertificates: AuthorizePeer = ({ verifiedBy }) =>
  verifiedBy === 'x509' || 'without `authorize` only peers with a certificate of our CA are let in'

function readAnswer(answer: unknown, identity: PeerIdentity): Judgement {
  if (answer === true) return { kind: 'admitted', grant: 'everything' }
  if (answer === false) return refuse(identity, 'authorize said false')
  if (typeof answer === 'string') return refuse(identity, answer.slice(0, MAX_REASON_LENGTH))
  try {
    return { kind: 'admitted', grant: readRules(answer) }
  } catch (error) {
    return { kind: 'refused', error: error instanceof SzmqError ? error : badAnswer(messageOf(error)) }
  }
}

/** A copy: what the caller does to its own afterwards changes nothing. @throws ERR_SZMQ_INVALID_ARGUMENT */
function readRules(answer: unknown): readonly AccessRule[] {
  if (answer instanceof Promise) {
    answer.catch(() => {})
    throw badAnswer('a promise; it has to answer at once')
  }
  if (!isRecord(answer) || !hasOnly(answer, ['allow']) || !Array.isArray(answer['allow'])) throw badAnswer(describe(answer))
  const rules: readonly unknown[] = answer['allow']
  if (rules.length > MAX_ACCESS_RULES) throw badAnswer(`${rules.length} rules; at most ${MAX_ACCESS_RULES} are taken`)
  // Not `map`, which would leave holes of a sparse list as they are.
  const read = Array.from(rules, readRule)
  const names = read.reduce((sum, { messages }) => sum + (messages?.length ?? 0), 0)
  if (names > MAX_ACCESS_MESSAGES) {
    throw badAnswer(`rules with ${names} names of messages; at most ${MAX_ACCESS_MESSAGES} are taken`)
  }
  return read
}

function readRule(rule: unknown, at: number): AccessRule {
  if (!isRecord(rule) || !hasOnly(rule, ['path', 'messages'])) throw badRule(at, describe(rule))
  const path = rule['path']
  if (typeof path !== 'string' || !isPattern(path)) throw badRule(at, `path ${quote(path)}`)
  if (!Object.hasOwn(rule, 'messages')) return { path }
  const messages = rule['messages']
  if (!Array.isArray(messages)) throw badRule(at, `messages ${describe(messages)}`)
  return { path, messages: Array.from(messages, (message: unknown) => readMessage(message, at)) }
}

function readMessage(message: unknown, at: number): string {
  if (typeof message === 'string' && message.length >= 1 && message.length <= MAX_MESSAGE_LENGTH) return message
  throw badRule(at, `message ${quote(message)}`)
}

function isPattern(path: string): boolean {
  return path.length <= MAX_ACCESS_PATH_LENGTH && /^(?:(?:[\w.-]{1,64}|\*)\/)*(?:[\w.-]{1,64}|\*{1,2})$/.test(path)
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function hasOnly(value: object, fields: readonly string[]): boolean {
  return Object.keys(value).every((field) => fields.includes(field))
}

function refuse(identity: PeerIdentity, reason: string, cause?: unknown): Judgement {
  const text = `${describeIdentity(identity)} is not let in: ${reason === '' ? 'authorize gave no reason' : reason}`
  const options = cause === undefined ? undefined : { cause }
  return { kind: 'refused', error: new SzmqError('ERR_SZMQ_NOT_AUTHORIZED', text, options) }
}

function badAnswer(what: string): SzmqError {
  return new SzmqError(
    'ERR_SZMQ_INVALID_ARGUMENT',
    `authorize answered with ${what}; expected true, false, a reason, or { allow: [{ path, messages? }] }. The peer is refused`,
  )
}

function badRule(at: number, what: string): SzmqError {
  return badAnswer(
    `rule ${at} that has ${what}: a path is 'system/name' with '*' for one segment or '**' at the end, messages is a list of names`,
  )
}

function quote(value: unknown): string {
  return typeof value === 'string' ? `'${value.slice(0, 100)}'` : describe(value)
}

function describe(value: unknown): string {
  if (Array.isArray(value)) return 'a list'
  if (isRecord(value))
    return `an object with the fields ${Object.keys(value).slice(0, 10).join(', ').slice(0, 200) || '(none)'}`
  return `${value === null ? 'null' : typeof value}`
}
