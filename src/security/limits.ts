import { SzmqError } from '../shared/errors.ts'

/** Every bound of one session: its unit, its default, and what happens there. */
export interface SessionLimits {
  /** A handshake that is not open on both sides by then fails: `ERR_SZMQ_HANDSHAKE_TIMEOUT`. Default 10 000. */
  readonly handshakeTimeoutMs: number
  /**
   * A plain-text reset in the middle of a handshake may be forged, so the handshake gets this long to succeed all the same before it
   * fails with `ERR_SZMQ_REFUSED_BY_PEER`. Default 1 000.
   */
  readonly refusalGraceMs: number
  /** First back-off before a client hand-shakes again; it doubles with every reset. Default 50. */
  readonly backOffMinMs: number
  /** The back-off grows no further than this. Default 5 000. */
  readonly backOffMaxMs: number
  /** A session that stayed open this long starts again with the shortest back-off. Default 10 000. */
  readonly stableAfterMs: number
  /** Clients: after so many re-handshakes in a row without success the session fails with the last cause. Default 10. */
  readonly maxResetAttempts: number
  /** A session that is not open again by then fails with the last cause, however many attempts are left. Default 120 000. */
  readonly maxResetMs: number
  /** A server waits this long for the client's new hello, then the session fails with the cause of the reset. Default 30 000. */
  readonly peerHelloTimeoutMs: number
  /** While a server waits for that hello it repeats its reset frame this often, for one may get lost. Default 1 000. */
  readonly renotifyMs: number
  /** A bye that the peer has not answered by then fails the session: `ERR_SZMQ_TRUNCATED`. Default 5 000. */
  readonly byeTimeoutMs: number
  /** The longest wait for our own close_notify to leave the engine once the peer has ended; then closed all the same. Default 1 000. */
  readonly flushTimeoutMs: number
  /** A longer message is refused at `send`; a peer that announces one fails the session: `ERR_SZMQ_LIMIT_EXCEEDED`. Default 16 MiB. */
  readonly maxMessageBytes: number
}

export const DEFAULT_SESSION_LIMITS: SessionLimits = {
  handshakeTimeoutMs: 10_000,
  refusalGraceMs: 1_000,
  backOffMinMs: 50,
  backOffMaxMs: 5_000,
  stableAfterMs: 10_000,
  maxResetAttempts: 10,
  maxResetMs: 120_000,
  peerHelloTimeoutMs: 30_000,
  renotifyMs: 1_000,
  byeTimeoutMs: 5_000,
  flushTimeoutMs: 1_000,
  maxMessageBytes: 16 * 1024 * 1024,
}

/**
 * `overrides` on top of `defaults`.
 * @throws ERR_SZMQ_INVALID_ARGUMENT when a limit is not a positive, finite number
 */
export function resolveLimits<Limits extends { readonly [Name in keyof Limits]: number }>(
  defaults: Limits,
  overrides: Partial<Limits> = {},
): Limits {
  for (const [name, value] of Object.entries(overrides)) {
    if (typeof value === 'number' && value > 0 && Number.isFinite(value)) continue
    throw new SzmqError('ERR_SZMQ_INVALID_ARGUMENT', `the limit ${name} is ${String(value)}; give a positive number`)
  }
  return { ...defaults, ...overrides }
}

/** How long a client waits before re-handshake number `step` (0 is the first): doubled each time, capped, the upper half jittered. */
export function backOffMs(
  step: number,
  limits: Pick<SessionLimits, 'backOffMinMs' | 'backOffMaxMs'>,
  fraction: number,
): number {
  const wholeMs = Math.min(limits.backOffMaxMs, limits.backOffMinMs * 2 ** Math.min(step, 30))
  return Math.max(limits.backOffMinMs, wholeMs * (0.5 + fraction / 2))
}
