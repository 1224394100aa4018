/** The front door: actors. */
export { DEFAULT_ASK_TIMEOUT_MS, type AskOptions } from './actors/ask-table.ts'
export type { ActorContext } from './actors/context.ts'
export type { DeadLetter, DeadLetterReason } from './actors/dead-letters.ts'
export {
  DEFAULT_MAILBOX,
  defineActor,
  type ActorDefinition,
  type ActorOptions,
  type MailboxOptions,
} from './actors/define-actor.ts'
export { ask, tell, type AskSpec, type Protocol, type TellSpec } from './actors/protocol.ts'
export { ActorRef, refTo, type ActorAddress } from './actors/ref.ts'
export type { ThreadStats } from './actors/signal.ts'
export { DEFAULT_SUPERVISION, type Supervision } from './actors/supervision.ts'
export {
  STOP_DEADLINE_MS,
  type ActorSystem,
  type DoorInfo,
  type LinkInfo,
  type NodeOptions,
  type SpawnOptions,
  type SystemEvent,
  type SystemOptions,
} from './actors/system.ts'
export { startSystem } from './actors/system.driver.ts'
export type { Access, AccessRule, AuthorizePeer, Grant } from './security/authorization.ts'
export {
  ensureDevelopmentCredentials,
  type DevelopmentCredentialsOptions,
} from './security/pki/development-credentials.driver.ts'
export { describeIdentity, type PeerIdentity } from './security/identity.ts'
export { SzmqError, type Blame, type SzmqErrorCode } from './shared/errors.ts'
export type { GateLimits, LinkLimits, NodeCredentials, StreamLimits, TlsFacts } from './transport/index.ts'
