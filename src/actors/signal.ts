import type { DeadLetterReason } from './dead-letters.ts'

/**
 * What szmq itself says between threads and nodes, in the same batches and in the same order as users' messages: selectors below
 * {@link FIRST_SELECTOR}. The first group goes to an actor, the others to the runtime of a thread, whose id is {@link RUNTIME_ID}.
 */
export const Signal = {
  /** To an actor: stop behind everything sent before. Asked, it answers when it has stopped. */
  stop: 0,

  /** To a runtime: the answer to an ask. */
  answer: 1,
  /** … or why there is none: {@link FailurePayload}. */
  failure: 2,
  /** Only from a thread of the same process: start an actor here. Payload: {@link SpawnPayload}. */
  spawn: 3,
  /** Asked by another node: who is at this path? Payload: {@link ResolvePayload}, answer: {@link ResolveAnswer}. */
  resolve: 4,
  /** Only from the host thread: this node is gone. Payload: {@link NodeLostPayload}. */
  nodeLost: 5,
  /** Only from the host thread, asked: what has been counted here? Answer: {@link ThreadStats}. */
  stats: 6,
  /** Between nodes, never to a runtime: we do not let you in. The link itself takes it, see `NodeLinks`. */
  refused: 7,
} as const

/** Id of a thread's runtime; actors' ids start above. */
export const RUNTIME_ID = 0

export interface FailurePayload {
  readonly code: string
  readonly message: string
}

export interface SpawnPayload {
  readonly id: number
  readonly path: string
  readonly moduleUrl: string
  readonly name: string
}

export interface ResolvePayload {
  readonly system: string
  readonly path: string
}

export interface ResolveAnswer {
  readonly thread: number
  readonly id: number
  /** The messages that the actor understands: see `RefShape`. */
  readonly messages: readonly string[]
}

export interface NodeLostPayload {
  readonly node: string
  readonly reason: string
}

/** What one thread counted since it started. `sent` = `handled` + dead letters + in flight, summed over all threads and nodes. */
export interface ThreadStats {
  /** Messages told or asked by code on this thread. */
  readonly sent: number
  /** Messages that a handler of this thread has seen, failing ones included. */
  readonly handled: number
  readonly deadLetters: number
  readonly deadLettersByReason: Readonly<Partial<Record<DeadLetterReason, number>>>
  /** Messages in the mailboxes of this thread. */
  readonly waiting: number
  readonly actors: number
}
