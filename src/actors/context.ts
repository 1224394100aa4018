import type { PeerIdentity } from '../transport/index.ts'
import type { Protocol } from './protocol.ts'
import type { ActorRef } from './ref.ts'

/** What an actor knows about itself and its surroundings while it runs. */
export interface ActorContext<P extends Protocol = Protocol> {
  /** The actor's own ref, to be handed out in messages. */
  readonly self: ActorRef<P>
  /** `/name` */
  readonly path: string
  /**
   * Who sent the message in hand, as TLS verified it: the node at the far end of the link that the message came by. Undefined for messages of
   * this node. It belongs to this context: a handler that waits, or a callback that it leaves behind, still sees its own message's peer.
   */
  readonly peer: PeerIdentity | undefined
  /** Aborted when the actor stops or restarts: hand it to whatever the actor waits for. */
  readonly signal: AbortSignal
  /** Stops the actor behind the message that it handles now; what waits in its mailbox becomes dead letters. */
  stop(): void
}
