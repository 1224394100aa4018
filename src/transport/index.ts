/** What the layers above may use. */
export { Board, MAX_THREADS, type BoardShare } from './board.ts'
export { Doorbell } from './doorbell.driver.ts'
export { Mesh, type MeshListener } from './mesh.ts'
export { createMessageCodec, REF_EXTENSION, registerMessageExtension, type MessageCodec } from './message.codec.ts'
export { openPair } from './zmq.driver.ts'
