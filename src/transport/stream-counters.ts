/** Everything that a stream dropped, refused or answered with a reset, by reason. Nothing is dropped without one of these. */
export interface StreamCounters {
  /** No szmq frame, or one that is cut short. */
  malformed: number
  unknownVersion: number
  /** The envelope is too deep or too long. */
  oversizedEnvelope: number
  /** A frame of our own direction came back. */
  reflected: number
  /** The frame of another session on a socket that carries one. */
  otherSession: number
  /** Sequence number seen already. */
  duplicate: number
  /** Sequence number beyond the next one: the stream is broken. */
  gap: number
  /** The frame belongs to an incarnation that is over, or to one that broke. */
  staleEpoch: number
  /** A newer epoch that may not begin here. */
  unexpectedEpoch: number
  /** A frame of a living epoch by another return path than the one its hello came by. */
  foreignPath: number
  /** No such session, and not the first frame of one. */
  unknownSession: number
  /** Late or replayed frames of a session that was closed. */
  closedSession: number
  refusedSessions: number
  refusedHalfOpen: number
  evictedHalfOpen: number
  resetsReceived: number
  resetsSent: number
  /** Not answered, for the rate limit. */
  resetsWithheld: number
}

export function createStreamCounters(): StreamCounters {
  return {
    malformed: 0,
    unknownVersion: 0,
    oversizedEnvelope: 0,
    reflected: 0,
    otherSession: 0,
    duplicate: 0,
    gap: 0,
    staleEpoch: 0,
    unexpectedEpoch: 0,
    foreignPath: 0,
    unknownSession: 0,
    closedSession: 0,
    refusedSessions: 0,
    refusedHalfOpen: 0,
    evictedHalfOpen: 0,
    resetsReceived: 0,
    resetsSent: 0,
    resetsWithheld: 0,
  }
}
