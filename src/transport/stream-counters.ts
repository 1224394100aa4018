/** Everything that a stream dropped, refused or answered with a reset, by reason. Nothing is dropped without one of these. */
export interface StreamCounters {
  /** No szmq frame, or one that is cut short. */
  malformed: number
  unknownVersion: number
  /** The envelope is too deep or too long. */
  oversizedEnvelope: number
  /** More TLS bytes in one frame than `maxFrameBytes`. */
  oversizedFrame: number
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
  /** A hello, at `maxSessions`. */
  refusedSessions: number
  /** A hello, at `maxSessionsPerPath`. */
  refusedSessionsOfPath: number
  /** A hello, at `maxHalfOpenSessions`, of the path that has the most. */
  refusedHalfOpen: number
  /** A hello, at `maxHalfOpenPerPath`. */
  refusedHalfOpenOfPath: number
  /** A half-open session that gave way to that of another path. */
  evictedHalfOpen: number
  /** A hello, at `maxHandshakesPerSecond`. */
  refusedRate: number
  /** A hello, at `maxHandshakesPerSecondOfPath`. */
  refusedRateOfPath: number
  /** An epoch that broke at `maxHandshakeBytes`, one way or the other. */
  oversizedHandshake: number
  /** Hellos that were answered by a cookie, and not taken. */
  cookiesSent: number
  /** Hellos that needed a cookie and got none: more than `maxCookiesPerSecond`, or shorter than a cookie. */
  cookiesWithheld: number
  /** Cookies that came back and are not ours, too old, or of another path, session or epoch. */
  cookiesRefused: number
  /** Client: hellos that were said again with the server's cookie. */
  cookiesAnswered: number
  /** Client: cookies that nobody asked us for, or one too many. */
  cookiesIgnored: number
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
    oversizedFrame: 0,
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
    refusedSessionsOfPath: 0,
    refusedHalfOpen: 0,
    refusedHalfOpenOfPath: 0,
    evictedHalfOpen: 0,
    refusedRate: 0,
    refusedRateOfPath: 0,
    oversizedHandshake: 0,
    cookiesSent: 0,
    cookiesWithheld: 0,
    cookiesRefused: 0,
    cookiesAnswered: 0,
    cookiesIgnored: 0,
    resetsReceived: 0,
    resetsSent: 0,
    resetsWithheld: 0,
  }
}
