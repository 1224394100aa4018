/** Every bound of a bridge: its unit, its default, and what happens there. */
export interface BridgeLimits {
  /** TCP connections at one time. One more is cut at once and counted as refused. Default 100, at most {@link MOST_CONNECTIONS}. */
  readonly maxConnections: number
  /** A connection whose way to the server does not stand by then is cut. Default 5 000. */
  readonly connectTimeoutMs: number
  /** A connection on which no byte moves for so long, either way, is cut: silence and readers that stopped. Default 300 000. */
  readonly idleTimeoutMs: number
  /**
   * Once one side has ended and all that it sent is delivered, the other side may be silent for so long before the connection is closed.
   * Default 2 000.
   */
  readonly lingerMs: number
  /**
   * Bytes of one connection that were taken from one side and not yet by the other, each way. Whoever sends more is not read until half of
   * them are gone; the chunk or frame that crosses the line is still held. Default 1 MiB.
   */
  readonly maxHeldBytes: number
}

export const DEFAULT_BRIDGE_LIMITS: BridgeLimits = {
  maxConnections: 100,
  connectTimeoutMs: 5_000,
  idleTimeoutMs: 300_000,
  lingerMs: 2_000,
  maxHeldBytes: 1024 * 1024,
}

/** Each needs a few ZeroMQ sockets, of which a process may have 1 023. */
export const MOST_CONNECTIONS = 250
