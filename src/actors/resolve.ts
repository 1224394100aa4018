import { SzmqError } from '../shared/errors.ts'
import type { Answerer } from './answerer.ts'
import { notAuthorized, type Origin } from './origin.ts'
import type { ActorRef } from './ref.ts'
import { decodeShape, encodeShape, type RefShape } from './ref-shape.ts'
import type { ResolveAnswer, ResolvePayload } from './signal.ts'

/**
 * Answers another node that asks who is at a path. Says no more than it must: about a path where it may not reach anything the answer is
 * ERR_SZMQ_NOT_AUTHORIZED, whether or not there is an actor.
 */
export function answerResolve(
  payload: unknown,
  answerer: Answerer,
  system: string,
  actors: ReadonlyMap<string, ActorRef>,
  origin: Origin,
): void {
  const asked = (typeof payload === 'object' && payload !== null ? payload : {}) as Partial<ResolvePayload>
  if (typeof asked.path !== 'string' || typeof asked.system !== 'string') {
    answerer.fail(new SzmqError('ERR_SZMQ_MALFORMED_MESSAGE', 'a request to resolve a path does not have the expected form'))
    return
  }
  if (origin.reachOfPath(`${asked.system}${asked.path}`) === undefined) {
    answerer.fail(notAuthorized())
    return
  }
  if (asked.system !== system) {
    answerer.fail(
      new SzmqError('ERR_SZMQ_NO_SUCH_ACTOR', `this node runs system '${system}', not '${asked.system.slice(0, 64)}'`),
    )
    return
  }
  const ref = actors.get(asked.path)
  if (ref === undefined) {
    answerer.fail(new SzmqError('ERR_SZMQ_NO_SUCH_ACTOR', `no actor at ${asked.path.slice(0, 256)} in system '${system}'`))
    return
  }
  const { thread, id } = ref.address
  const answer: ResolveAnswer = { thread, id, messages: encodeShape(ref.shape) }
  answerer.answer(answer)
}

/** @throws ERR_SZMQ_MALFORMED_MESSAGE */
export function readResolveAnswer(answer: unknown): { readonly thread: number; readonly id: number; readonly shape: RefShape } {
  const { thread, id, messages } = (typeof answer === 'object' && answer !== null ? answer : {}) as Partial<ResolveAnswer>
  if (!isIndex(thread) || thread > 255 || !isIndex(id)) {
    throw new SzmqError('ERR_SZMQ_MALFORMED_MESSAGE', 'the answer to a resolve does not have the expected form')
  }
  return { thread, id, shape: decodeShape(messages) }
}

function isIndex(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}
