import type { Tally } from './contender.ts'

/** What a sender tells the receiving thread or process besides messages. */
export type Command =
  /** Count anew, up to `count` messages; acknowledge every so many. */
  | { readonly kind: 'begin'; readonly count: number; readonly acknowledgeEvery: number }
  /** Echo each message from now on, until the next `begin`. */
  | { readonly kind: 'echo' }

/** What a receiver answers. */
export type Answer =
  | { readonly kind: 'up'; readonly endpoint?: string; readonly answers?: string }
  | { readonly kind: 'ready' }
  | { readonly kind: 'handled'; readonly messages: number }
  | { readonly kind: 'done'; readonly tally: Tally }
