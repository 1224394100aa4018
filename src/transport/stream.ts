/** Stream mode: a szmq session on ROUTER / DEALER. */
export { StreamClient, type StreamClientOptions } from './stream-client.ts'
export { StreamServer, type StreamServerOptions } from './stream-server.ts'
export type { Envelope, FrameOutput, StreamDependencies } from './stream-session.ts'
