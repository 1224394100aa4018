import type { SzmqErrorCode } from '../shared/errors.ts'
import type { PeerIdentity } from '../transport/index.ts'
import type { DeadLetter } from './dead-letters.ts'

/** What a worker thread tells the host over its port. */
export type FromThread =
  | { readonly kind: 'ready' }
  | { readonly kind: 'deadLetter'; readonly letter: DeadLetter }
  | { readonly kind: 'actor.stopped'; readonly id: number; readonly path: string }
  /** A node sent what cannot be read: the host ends the link to it. */
  | { readonly kind: 'violation'; readonly node: string; readonly code: SzmqErrorCode; readonly message: string }
  | {
      readonly kind: 'actor.failed'
      readonly path: string
      readonly message: string
      readonly decision: 'restart' | 'resume' | 'stop'
      readonly error: string
      readonly peer: PeerIdentity | undefined
    }

/** What the host tells a worker thread. */
export type ToThread = { readonly kind: 'end' }
