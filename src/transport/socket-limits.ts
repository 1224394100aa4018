/** What ZeroMQ bounds below szmq on a socket between nodes. Each connection has its own queues. */
export interface SocketLimits {
  /** Messages that wait to leave on one connection. Beyond, ZeroMQ refuses one more and the session resets; links stay far below. Default 8 192. */
  readonly sendQueueMessages: number
  /** Messages of one connection that wait to be read. Beyond, its TCP connection is not read. Default 512. */
  readonly receiveQueueMessages: number
  /** A connection that has not finished ZeroMQ's own greeting by then is cut: silence, one byte a second. Default 5 000. */
  readonly greetingTimeoutMs: number
  /** TCP connections that the kernel keeps until ZeroMQ accepts them; it may have a lower limit (`somaxconn`). Default 511. */
  readonly backlog: number
  /** Each connection is pinged so often. Default 2 000. */
  readonly heartbeatMs: number
  /** Whoever completes no message or command for so long after a ping is cut, whatever bytes drip in. Default 6 000. */
  readonly heartbeatTimeoutMs: number
}

export const DEFAULT_SOCKET_LIMITS: SocketLimits = {
  sendQueueMessages: 8_192,
  receiveQueueMessages: 512,
  greetingTimeoutMs: 5_000,
  backlog: 511,
  heartbeatMs: 2_000,
  heartbeatTimeoutMs: 6_000,
}
