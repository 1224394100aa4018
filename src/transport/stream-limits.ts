/** Every bound of a {@link StreamServer}'s table: its default, and what happens there. */
export interface StreamLimits {
  /** One more session is refused and counted as `refusedSessions`. Default 10 000. */
  readonly maxSessions: number
  /**
   * Sessions whose first handshake is not complete. One more pushes out the oldest one of whoever holds the most of them (by the
   * outermost routing id), or is refused when that is the newcomer itself: a flood only fights itself. Default 1 000.
   */
  readonly maxHalfOpenSessions: number
  /** Ids of closed sessions that are remembered, so that late or replayed frames of them begin nothing. Default 1 024. */
  readonly maxClosedIds: number
  /** A deeper envelope is dropped and counted. Default 16 parts. */
  readonly maxEnvelopeParts: number
  /** A longer one too. Default 2 048 bytes in all. */
  readonly maxEnvelopeBytes: number
  /** Reset frames in answer to what belongs to no session; beyond, silence. Default 100 a second. */
  readonly maxResetsPerSecond: number
}

export const DEFAULT_STREAM_LIMITS: StreamLimits = {
  maxSessions: 10_000,
  maxHalfOpenSessions: 1_000,
  maxClosedIds: 1_024,
  maxEnvelopeParts: 16,
  maxEnvelopeBytes: 2_048,
  maxResetsPerSecond: 100,
}
