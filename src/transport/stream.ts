/** Stream mode: a szmq session on ROUTER / DEALER. */
export { StreamClient } from './stream-client.ts'
export { StreamServer } from './stream-server.ts'
