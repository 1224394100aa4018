/** Bounds of a {@link openGate gate}: of the connections themselves, which ZeroMQ does not count. */
export interface GateLimits {
  /** TCP connections at one time. One more is cut at once and counted. Each takes three file descriptors. Default 1 000. */
  readonly maxConnections: number
  /** The same for each address that connects: an IPv4 address, or the first 64 bits of an IPv6 one. Default 100. */
  readonly maxConnectionsPerAddress: number
  /** Parts of one message. Whoever sends more is cut; ZeroMQ alone would keep them all until the last one comes. For a node, `maxEnvelopeParts` and 2. Default 18. */
  readonly maxParts: number
  /** Bytes of one message, all parts. Whoever announces more is cut. For a node, `maxFrameBytes` and twice `maxEnvelopeBytes`. Default 1 052 672. */
  readonly maxMessageBytes: number
}

export const DEFAULT_GATE_LIMITS: GateLimits = {
  maxConnections: 1_000,
  maxConnectionsPerAddress: 100,
  maxParts: 18,
  maxMessageBytes: 1024 * 1024 + 4_096,
}
