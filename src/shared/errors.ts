/**
 * Who has to act on an error.
 * - `caller`: the code that called szmq used it wrongly.
 * - `peer`: the other side broke the protocol, or proved an identity that is not accepted.
 * - `network`: the way between the two failed; trying again may help.
 * - `environment`: this machine lacks something (a file, a port, a library).
 * - `actor`: the user's own actor code failed or was stopped.
 */
export type Blame = 'caller' | 'peer' | 'network' | 'environment' | 'actor'

/** Every code that szmq throws or reports, with the side that has to act. The set is closed: callers switch on it. */
const BLAME_BY_CODE = {
  ERR_SZMQ_INVALID_ARGUMENT: 'caller',
  ERR_SZMQ_INVALID_ENDPOINT: 'caller',
  ERR_SZMQ_INVALID_STATE: 'caller',
  ERR_SZMQ_NAME_TAKEN: 'caller',
  ERR_SZMQ_NOT_SERIALIZABLE: 'caller',
  ERR_SZMQ_DEFINITION_NOT_FOUND: 'caller',
  ERR_SZMQ_UNKNOWN_MESSAGE: 'caller',
  ERR_SZMQ_BAD_MESSAGE: 'caller',
  ERR_SZMQ_BACKPRESSURE: 'caller',
  ERR_SZMQ_LIMIT_EXCEEDED: 'caller',
  ERR_SZMQ_ABORTED: 'caller',

  ERR_SZMQ_ASK_TIMEOUT: 'actor',
  ERR_SZMQ_HANDLER_FAILED: 'actor',
  ERR_SZMQ_NO_SUCH_ACTOR: 'actor',
  ERR_SZMQ_ACTOR_STOPPED: 'actor',
  ERR_SZMQ_MAILBOX_FULL: 'actor',
  ERR_SZMQ_SPAWN_FAILED: 'actor',
  ERR_SZMQ_THREAD_LOST: 'actor',

  ERR_SZMQ_NODE_LOST: 'network',
  ERR_SZMQ_CONNECT_TIMEOUT: 'network',
  ERR_SZMQ_HANDSHAKE_TIMEOUT: 'network',
  ERR_SZMQ_STREAM_BROKEN: 'network',
  ERR_SZMQ_TRUNCATED: 'network',

  ERR_SZMQ_PROTOCOL_MISMATCH: 'peer',
  ERR_SZMQ_MALFORMED_FRAME: 'peer',
  ERR_SZMQ_MALFORMED_MESSAGE: 'peer',
  ERR_SZMQ_BAD_RECORD: 'peer',
  ERR_SZMQ_HANDSHAKE_FAILED: 'peer',
  ERR_SZMQ_CERTIFICATE_EXPIRED: 'peer',
  ERR_SZMQ_CERTIFICATE_NOT_YET_VALID: 'peer',
  ERR_SZMQ_CERTIFICATE_REVOKED: 'peer',
  ERR_SZMQ_CERTIFICATE_INVALID: 'peer',
  ERR_SZMQ_UNKNOWN_CA: 'peer',
  ERR_SZMQ_WRONG_NAME: 'peer',
  ERR_SZMQ_WRONG_KEY_USAGE: 'peer',
  ERR_SZMQ_NO_CLIENT_CERTIFICATE: 'peer',
  ERR_SZMQ_NO_SHARED_CIPHER: 'peer',
  ERR_SZMQ_NO_SHARED_VERSION: 'peer',
  ERR_SZMQ_NO_SHARED_GROUP: 'peer',
  ERR_SZMQ_UNKNOWN_IDENTITY: 'peer',
  ERR_SZMQ_WRONG_PASSWORD: 'peer',
  ERR_SZMQ_NOT_AUTHORIZED: 'peer',
  ERR_SZMQ_REFUSED_BY_PEER: 'peer',

  ERR_SZMQ_ADDRESS_IN_USE: 'environment',
  ERR_SZMQ_ADDRESS_UNAVAILABLE: 'environment',
  ERR_SZMQ_BAD_CREDENTIALS: 'environment',
  ERR_SZMQ_ENGINE_UNAVAILABLE: 'environment',
} as const satisfies Record<string, Blame>

export type SzmqErrorCode = keyof typeof BLAME_BY_CODE

/**
 * The one error class of szmq. Switch on `code`, never on the text: the text says what was seen, what was expected and what to
 * do about it, and may change. No secret ever stands in a field or in the text.
 */
export class SzmqError extends Error {
  override readonly name = 'SzmqError'
  readonly code: SzmqErrorCode
  readonly blame: Blame

  /** @param options `cause`: what led here, kept for logs. */
  constructor(code: SzmqErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options)
    this.code = code
    this.blame = BLAME_BY_CODE[code]
  }
}

/** Is `value` one of szmq's codes? For codes that come from a peer. */
export function isSzmqErrorCode(value: unknown): value is SzmqErrorCode {
  return typeof value === 'string' && Object.hasOwn(BLAME_BY_CODE, value)
}

/** The text of whatever was thrown, be it something that has no text. */
export function messageOf(thrown: unknown): string {
  try {
    return String(thrown instanceof Error ? thrown.message : thrown)
  } catch {
    return `a thrown ${typeof thrown} without a text`
  }
}
