/** What the layers above may use. */
export { Board, type BoardShare } from './board.ts'
export { Doorbell } from './doorbell.driver.ts'
export { MAX_NODE_BATCH_BYTES, MAX_THREAD_BATCH_BYTES } from './batch-limits.ts'
export { Mesh } from './mesh.ts'
export { createMessageCodec, REF_EXTENSION, registerMessageExtension, wrapBytes, type MessageCodec } from './message.codec.ts'
export { openPair } from './zmq.driver.ts'
export { resolveLinkLimits } from './link.ts'
export type { LinkCounters, LinkEvent, LinkLimits, NodeIdentity } from './link.ts'
export {
  createNodeEngines,
  openNodeCredentials,
  readNodeCredentials,
  type NodeCredentials,
  type NodeCredentialSource,
  type NodeEngineOptions,
  type NodeEngines,
} from './node-engines.driver.ts'
export { connectToNode, listenForNodes, type NodeLink, type NodeListener, type WireCounters } from './node-link.driver.ts'
export type { FloodEvent, Refusals } from './flood-watch.ts'
export type { GateCounters } from './gate.driver.ts'
export type { GateLimits } from './gate-limits.ts'
export type { StreamCounters } from './stream-counters.ts'
export type { StreamLimits } from './stream-limits.ts'
export { describeIdentity, identityDigest, type PeerIdentity } from '../security/identity.ts'
export { AccessRules, judgePeer, type AuthorizePeer, type Grant, type Reach } from '../security/authorization.ts'
export type { CredentialEvent } from '../security/credentials/credential-source.ts'
export type { TlsFacts } from '../security/tls-engine.ts'
