import { SzmqError } from '../../shared/errors.ts'

/** The longest TLS session id. RFC 5246 §7.4.1.2. */
export const MAX_SESSION_ID_BYTES = 32
/** The longest session that a store keeps unless told otherwise. Ours with a client certificate take 1 to 4 KiB. */
export const DEFAULT_MAX_SESSION_BYTES = 16 * 1024
/** No session is kept longer, whatever was asked for: 7 days. RFC 8446 §4.6.1. */
export const MAX_SESSION_LIFETIME_MS = 7 * 86_400_000

/**
 * Where a server keeps its TLS sessions, so that a client that comes back to it, or to another server of the same group, is spared the
 * full handshake. Write your own for any database; the suite in `test/contract/session-store.contract.ts` says whether it will do.
 *
 * What an implementation promises:
 * - **It keeps a secret.** A session holds the master secret: whoever reads it reads the traffic of its connections. It belongs into no
 *   log and no error; on disk only in files of mode 0600, over a network only through an encrypted or local connection.
 * - **Bytes are copied.** What the caller does to `id` and `session` after `set`, or to the result of `get`, changes nothing here.
 * - **Expiry is exact.** `expiresInMs` after `set`, `get` gives nothing, even if the row is still there.
 * - **Any number of calls may be under way.** They may end in any order; the last `set` or `delete` of an id to end wins. An entry is
 *   seen whole or not at all.
 * - **It may lose entries** at any time, for room or by a restart. A lost session costs one full handshake and nothing else.
 * - **It may fail**: a rejected promise is fine. The engines speak to a store through {@link guardSessionStore} only, which bounds how
 *   long they wait and how many calls are under way, and never shows what was thrown.
 */
export interface SessionStore {
  /** @returns the session, bytes of the caller's own; nothing if there is none or it expired. Nothing also for an id that is no id. */
  get(id: Uint8Array): Promise<Uint8Array | undefined>
  /**
   * Keeps `session` under `id`, instead of what was there.
   *
   * @param id 1 to {@link MAX_SESSION_ID_BYTES} bytes
   * @param session opaque; 1 byte to the store's limit, by default {@link DEFAULT_MAX_SESSION_BYTES}
   * @throws ERR_SZMQ_INVALID_ARGUMENT for an id or an expiry that is none, ERR_SZMQ_LIMIT_EXCEEDED for a session that is too long
   */
  set(id: Uint8Array, session: Uint8Array, options: SetSessionOptions): Promise<void>
  /** Harmless if there is none. */
  delete(id: Uint8Array): Promise<void>
  /** Releases what the store itself opened. Idempotent. */
  [Symbol.asyncDispose]?(): Promise<void>
}

export interface SetSessionOptions {
  /** From now. More than {@link MAX_SESSION_LIFETIME_MS} counts as that. */
  readonly expiresInMs: number
}

/** Can this be the id of a session? */
export function isSessionId(id: Uint8Array): boolean {
  return id.length > 0 && id.length <= MAX_SESSION_ID_BYTES
}

/**
 * What every `set` checks first.
 *
 * @returns how long to keep the session, in whole milliseconds
 * @throws as {@link SessionStore.set} says
 */
export function requireSession(
  id: Uint8Array,
  session: Uint8Array,
  { expiresInMs }: SetSessionOptions,
  maxSessionBytes: number,
): number {
  if (!isSessionId(id)) {
    throw new SzmqError(
      'ERR_SZMQ_INVALID_ARGUMENT',
      `a session id of ${id.length} bytes: give 1 to ${MAX_SESSION_ID_BYTES} bytes`,
    )
  }
  if (!Number.isFinite(expiresInMs) || expiresInMs <= 0) {
    throw new SzmqError('ERR_SZMQ_INVALID_ARGUMENT', `a session that expires in ${expiresInMs} ms: give a positive number`)
  }
  if (session.length === 0) throw new SzmqError('ERR_SZMQ_INVALID_ARGUMENT', 'an empty session: give at least one byte')
  if (session.length > maxSessionBytes) {
    throw new SzmqError(
      'ERR_SZMQ_LIMIT_EXCEEDED',
      `a session of ${session.length} bytes, more than maxSessionBytes, which is ${maxSessionBytes}: raise that limit if it is yours`,
    )
  }
  return Math.ceil(Math.min(expiresInMs, MAX_SESSION_LIFETIME_MS))
}
