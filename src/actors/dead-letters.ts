import type { PeerIdentity } from '../transport/index.ts'

/** Why a message found no actor. */
export type DeadLetterReason =
  | 'no-such-actor'
  | 'actor-stopped'
  | 'mailbox-full'
  | 'unknown-message'
  | 'bad-message'
  | 'not-serializable'
  | 'spawn-failed'
  | 'thread-lost'
  | 'node-lost'
  | 'refused'
  /** Another node sent it, and `authorize` does not let that node send this to that actor. */
  | 'not-authorized'
  | 'system-stopped'

/** A message that was sent and not handled. Never leaves the process; the payload is not kept. */
export interface DeadLetter {
  readonly reason: DeadLetterReason
  /** Name of the message, or its selector where the name is not known. */
  readonly message: string
  /** Path or address of the receiver. */
  readonly to: string
  /** Who sent it, if another node did; undefined for messages of this node. */
  readonly peer: PeerIdentity | undefined
}

/** Counts every dead letter of a thread by reason, and tells whoever listens. */
export class DeadLetters {
  readonly #counts: Partial<Record<DeadLetterReason, number>> = {}
  #total = 0
  readonly #listener: (letter: DeadLetter) => void

  constructor(listener: (letter: DeadLetter) => void) {
    this.#listener = listener
  }

  get total(): number {
    return this.#total
  }

  get counts(): Readonly<Partial<Record<DeadLetterReason, number>>> {
    return { ...this.#counts }
  }

  add(letter: DeadLetter): void {
    this.#total += 1
    this.#counts[letter.reason] = (this.#counts[letter.reason] ?? 0) + 1
    this.#listener(letter)
  }
}
