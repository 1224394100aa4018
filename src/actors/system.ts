import type { SzmqErrorCode } from '../shared/errors.ts'
import type { AskOptions } from './ask-table.ts'
import type { DeadLetter } from './dead-letters.ts'
import type { ActorDefinition } from './define-actor.ts'
import type { Protocol } from './protocol.ts'
import type { ActorRef } from './ref.ts'
import type { ThreadStats } from './signal.ts'
import type {
  AuthorizePeer,
  CredentialEvent,
  GateCounters,
  GateLimits,
  Grant,
  LinkCounters,
  LinkLimits,
  NodeCredentials,
  NodeEngineOptions,
  PeerIdentity,
  Refusals,
  StreamCounters,
  StreamLimits,
  TlsFacts,
  WireCounters,
} from '../transport/index.ts'

export interface SystemOptions {
  /** Part of every address; nodes that work together share it. 1 to 64 letters, digits, `_`, `.` or `-`. */
  readonly name: string
  /** Worker threads besides the one that starts the system. Default 0; at most 63. */
  readonly threads?: number
  /** How this system is reached by, and reaches, other nodes. Without it there is no network. */
  readonly node?: NodeOptions
  /** Hears what happens in the system; default: lost threads, failed actors and credentials to renew go to `process.emitWarning`. */
  readonly onEvent?: (event: SystemEvent) => void
}

export interface NodeOptions extends NodeEngineOptions {
  /** For people: in errors and logs. Default: the system's name. */
  readonly name?: string
  /** Where other nodes can reach this one: `tcp://127.0.0.1:7000`, or port `*` for any free one. Default: nowhere. */
  readonly listen?: string
  /**
   * The certificate this node shows, its key, and the CAs whose nodes it accepts. Links are mutual TLS 1.3, always. Files are watched: new
   * sessions use what is written there, once it is whole and valid.
   */
  readonly tls: NodeCredentials
  /**
   * Who may link to this node, and what it may reach here; see `docs/authorization.md`. Called on the host thread once for each link when it
   * comes up, also for links that this node made, and again when the peer shows another certificate. Default: whoever our CA vouches for
   * reaches everything. A peer that is refused gets ERR_SZMQ_NOT_AUTHORIZED, and a `link.refused` event tells us why.
   */
  readonly authorize?: AuthorizePeer
  /** Bounds of each link: window, heartbeat, silence after which a node is lost. Defaults are documented at each. */
  readonly link?: Partial<LinkLimits>
  /** Bounds of what anybody may do at `listen` before he has proved who he is: handshakes, sessions, answers. See `docs/limits.md`. */
  readonly limits?: Partial<StreamLimits>
  /**
   * Looks at each connection before ZeroMQ gets it, and cuts those that could make ZeroMQ itself run out of memory or abort: true, or its limits.
   * Costs one more hop for each byte that comes in or goes out at `listen`. See `docs/limits.md`. Default: true, unless `listen` is a loopback
   * address. An interface by name (`tcp://eth0:7000`) is for ZeroMQ alone: give false, or its address.
   */
  readonly gate?: boolean | Partial<GateLimits>
}

/** What came to `listen` and was not taken. */
export interface DoorInfo {
  /** Messages, by reason. */
  readonly messages: Readonly<StreamCounters>
  /** Connections that were cut, by reason; undefined without a gate. */
  readonly connections: Readonly<GateCounters> | undefined
}

/** What happens in a system, for logs and supervision of the whole. */
export type SystemEvent =
  | {
      readonly kind: 'actor.failed'
      readonly path: string
      readonly message: string
      readonly error: string
      readonly decision: 'restart' | 'resume' | 'stop'
      /** Who sent the message, if another node did. */
      readonly peer: PeerIdentity | undefined
    }
  | { readonly kind: 'thread.lost'; readonly thread: number; readonly reason: string }
  | { readonly kind: 'link.up'; readonly link: LinkInfo }
  | {
      readonly kind: 'link.suspended'
      readonly peer: string
      /** Undefined before the peer has been let in. */
      readonly identity: PeerIdentity | undefined
      readonly reason: string
    }
  | { readonly kind: 'link.resumed'; readonly peer: string; readonly identity: PeerIdentity }
  /**
   * A peer proved who it is and was not let in: ERR_SZMQ_NOT_AUTHORIZED (`authorize` refused), ERR_SZMQ_INVALID_ARGUMENT (what `authorize`
   * answered makes no sense) or ERR_SZMQ_WRONG_NAME (it claims to be a node that is another's). `link.down` follows.
   */
  | {
      readonly kind: 'link.refused'
      /** The peer's name for itself, not proven. */
      readonly peer: string
      readonly identity: PeerIdentity
      readonly reason: string
      readonly code: SzmqErrorCode
    }
  /** `reason` and `code` are undefined when both sides said bye. */
  | {
      readonly kind: 'link.down'
      readonly peer: string
      /** Undefined when the peer never proved who it is. */
      readonly identity: PeerIdentity | undefined
      readonly reason: string | undefined
      readonly code: string | undefined
    }
  /**
   * More messages than `floodFromPerSecond` came to `listen` and were refused: so many, by reason. Told once for each flood, and once more when it is
   * over; honest peers get in meanwhile. See `docs/limits.md`.
   */
  | { readonly kind: 'door.flooded'; readonly refused: Refusals }
  | { readonly kind: 'door.calm'; readonly durationMs: number; readonly refused: Refusals }
  | { readonly kind: 'deadLetter'; readonly letter: DeadLetter }
  | CredentialSystemEvent

/**
 * What becomes of this node's certificate, key, CAs and revocation lists while their files are watched: `credentials.rotated`,
 * `credentials.refused` (the last good ones stay in use), `credentials.expiring` and `credentials.expired`. See `docs/rotation.md`.
 */
export type CredentialSystemEvent = PrefixKind<CredentialEvent>

type PrefixKind<Event extends { readonly kind: string }> = Event extends { readonly kind: infer Kind extends string }
  ? Omit<Event, 'kind'> & { readonly kind: `credentials.${Kind}` }
  : never

/** A link to another node as it stands. */
export interface LinkInfo {
  /** The other node's name for itself. Not proven: `identity` is. */
  readonly peer: string
  /** Who the other node proved to be. */
  readonly identity: PeerIdentity
  /** What it may reach here: everything, or what these rules allow. */
  readonly access: Grant
  readonly tls: TlsFacts
  readonly handshakeMs: number
  /** Plain batches. */
  readonly batches: Readonly<LinkCounters>
  /** Ciphertext, all links of the socket together when this node was called. */
  readonly wire: Readonly<WireCounters>
}

export interface SpawnOptions {
  /** `here` (default): the thread that started the system. `any`: a worker thread, in turn. A number: that thread, 0 is here. */
  readonly thread?: 'here' | 'any' | number
}

/** The running system of one process: its threads, its actors, its links. */
export interface ActorSystem extends AsyncDisposable {
  readonly name: string
  /** Worker threads. */
  readonly threads: number
  /** `szmq://127.0.0.1:7000/shop` when it listens. */
  readonly address: string | undefined
  /**
   * Starts an actor. Its ref can be used at once: what is sent waits until the actor has started.
   * @throws ERR_SZMQ_NAME_TAKEN · ERR_SZMQ_INVALID_ARGUMENT · ERR_SZMQ_THREAD_LOST · ERR_SZMQ_INVALID_STATE after stop
   */
  spawn<P extends Protocol, State>(definition: ActorDefinition<P, State>, name: string, options?: SpawnOptions): ActorRef<P>
  /**
   * Finds an actor of another node, and links to that node first if need be. The node's certificate must carry the host of the
   * address as a name.
   * @throws ERR_SZMQ_NOT_AUTHORIZED (we do not let that node in, it does not let us in, or not to that actor: then it does not say whether
   *   there is one) · ERR_SZMQ_NO_SUCH_ACTOR · ERR_SZMQ_PROTOCOL_MISMATCH · ERR_SZMQ_CONNECT_TIMEOUT · certificate errors · ERR_SZMQ_ASK_TIMEOUT
   */
  resolve<P extends Protocol, State>(
    definition: ActorDefinition<P, State>,
    address: string,
    options?: AskOptions,
  ): Promise<ActorRef<P>>
  /** Stops an actor behind what this thread told it before; resolves when it has stopped. */
  stopActor(ref: ActorRef, options?: AskOptions): Promise<void>
  /** Links that are up. */
  links(): readonly LinkInfo[]
  /** What was refused at `listen` so far; undefined when it listens nowhere. */
  door(): DoorInfo | undefined
  /** What all threads of this node have counted. */
  stats(options?: AskOptions): Promise<ThreadStats>
  /**
   * Ends the system: stops the actors in reverse order of their start, each behind what it was told before; says bye to the other
   * nodes; ends the threads. Bounded by {@link STOP_DEADLINE_MS} for each of the three. Idempotent.
   */
  stop(): Promise<void>
}

/** How long each phase of a stop may take, in milliseconds. */
export const STOP_DEADLINE_MS = 5_000
