import { resolveLimits } from '../security/limits.ts'
import { SzmqError } from '../shared/errors.ts'

/**
 * Every bound of a {@link StreamServer}: its default, and what happens there. A path is the connection that a frame came by: the outermost
 * routing id, which no other connection has while this one lives. Behind a proxy all clients share its path, so the limits of a path are theirs together.
 */
export interface StreamLimits {
  /** One more session is refused and counted as `refusedSessions`. Default 10 000. */
  readonly maxSessions: number
  /** One more session by the same path is refused and counted as `refusedSessionsOfPath`. A node needs one. Default 1 000. */
  readonly maxSessionsPerPath: number
  /**
   * Sessions whose first handshake is not complete. One more pushes out the oldest one of whoever holds the most of them (by the
   * outermost routing id), or is refused when that is the newcomer itself: a flood only fights itself. Default 1 000.
   */
  readonly maxHalfOpenSessions: number
  /** One more by the same path is refused and counted as `refusedHalfOpenOfPath`. Default 100. */
  readonly maxHalfOpenPerPath: number
  /** First handshakes begun, also as a burst; beyond, hellos are dropped and counted as `refusedRate`. Default 500 a second. */
  readonly maxHandshakesPerSecond: number
  /** The same for each path, counted as `refusedRateOfPath`. Default 50 a second. */
  readonly maxHandshakesPerSecondOfPath: number
  /** From so many half-open sessions on, a hello is taken only with a cookie. Default 250. */
  readonly cookieFromHalfOpenSessions: number
  /** Beyond so many first handshakes begun, too. Default 100 a second. */
  readonly cookieFromHandshakesPerSecond: number
  /** A cookie is good for so long, and for less than twice as long. Default 10 000. */
  readonly cookieLifetimeMs: number
  /**
   * Bytes that a client sends, and bytes that it is answered, in one epoch before the session is open. Beyond, the epoch is broken and counted as
   * `oversizedHandshake`. Default 256 KiB.
   */
  readonly maxHandshakeBytes: number
  /**
   * A frame with more TLS bytes is dropped and counted; ZeroMQ cuts the connection of whoever announces one. Not below 256 KiB, which is how long
   * the frames of our own are. Default 1 MiB.
   */
  readonly maxFrameBytes: number
  /** Ids of closed sessions that are remembered, so that late or replayed frames of them begin nothing. Default 1 024. */
  readonly maxClosedIds: number
  /** A deeper envelope is dropped and counted; a frame is two parts more. Default 16 parts. */
  readonly maxEnvelopeParts: number
  /** A longer one too. Default 2 048 bytes in all. */
  readonly maxEnvelopeBytes: number
  /** Reset frames in answer to what belongs to no session; beyond, silence. Default 100 a second. */
  readonly maxResetsPerSecond: number
  /** The same for each path. Default 10 a second. */
  readonly maxResetsPerSecondOfPath: number
  /** Cookies in answer to hellos; beyond, silence. Default 2 000 a second. */
  readonly maxCookiesPerSecond: number
  /** The same for each path. Default 50 a second. */
  readonly maxCookiesPerSecondOfPath: number
  /** So many messages dropped or refused in one second are a flood, and told. Default 100. */
  readonly floodFromPerSecond: number
  /** A flood is over when it was none for so long. Default 10 000. */
  readonly floodQuietMs: number
}

export const DEFAULT_STREAM_LIMITS: StreamLimits = {
  maxSessions: 10_000,
  maxSessionsPerPath: 1_000,
  maxHalfOpenSessions: 1_000,
  maxHalfOpenPerPath: 100,
  maxHandshakesPerSecond: 500,
  maxHandshakesPerSecondOfPath: 50,
  cookieFromHalfOpenSessions: 250,
  cookieFromHandshakesPerSecond: 100,
  cookieLifetimeMs: 10_000,
  maxHandshakeBytes: 256 * 1024,
  maxFrameBytes: 1024 * 1024,
  maxClosedIds: 1_024,
  maxEnvelopeParts: 16,
  maxEnvelopeBytes: 2_048,
  maxResetsPerSecond: 100,
  maxResetsPerSecondOfPath: 10,
  maxCookiesPerSecond: 2_000,
  maxCookiesPerSecondOfPath: 50,
  floodFromPerSecond: 100,
  floodQuietMs: 10_000,
}

/** TLS bytes are sent in frames no longer than this; every receiver takes that much. */
export const MAX_SENT_FRAME_BYTES = 256 * 1024

/** @throws ERR_SZMQ_INVALID_ARGUMENT for a limit that is not a positive number, or a `maxFrameBytes` below {@link MAX_SENT_FRAME_BYTES} */
export function resolveStreamLimits(limits: Partial<StreamLimits> = {}): StreamLimits {
  const resolved = resolveLimits(DEFAULT_STREAM_LIMITS, limits)
  if (resolved.maxFrameBytes >= MAX_SENT_FRAME_BYTES) return resolved
  throw new SzmqError(
    'ERR_SZMQ_INVALID_ARGUMENT',
    `maxFrameBytes is ${resolved.maxFrameBytes}; give at least ${MAX_SENT_FRAME_BYTES}, which peers send`,
  )
}
