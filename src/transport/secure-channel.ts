import type { SessionEvent, SessionStatus } from '../security/session-status.ts'
import type { TlsEngine } from '../security/tls-engine.ts'
import type { SzmqError } from '../shared/errors.ts'

/** One session with one peer, as the layer above sees it. */
export interface SecureChannel {
  /** The session id, hexadecimal. */
  readonly id: string
  readonly status: SessionStatus
  /**
   * @returns false to ask the caller to hold back until `drain`; the message is on its way all the same
   * @throws ERR_SZMQ_INVALID_STATE unless `status.kind` is `open` · ERR_SZMQ_LIMIT_EXCEEDED above `maxMessageBytes`
   */
  send(message: Uint8Array): boolean
  /** New keys: see `Session.rekey`. @throws ERR_SZMQ_INVALID_STATE unless `status.kind` is `open` */
  rekey(): void
  /** See {@link TlsEngine.exportKeyingMaterial}. @throws ERR_SZMQ_INVALID_STATE unless `status.kind` is `open` */
  exportKeyingMaterial(label: string, length: number, context?: Uint8Array): Uint8Array
  /** Of the current epoch, for what only one library can: narrow it by its `name`. */
  readonly engine: TlsEngine | undefined
  /** The bye: ends in `closed`, or in `failed` with ERR_SZMQ_TRUNCATED. */
  close(): void
  /** Ends at once with `failed`. Idempotent. */
  destroy(error?: SzmqError): void
}

/** The last one is `closed` or `failed`. */
export type ChannelEvent = Extract<
  SessionEvent,
  { readonly kind: 'open' | 'message' | 'drain' | 'resetting' | 'closed' | 'failed' }
>
export type ChannelListener = (event: ChannelEvent) => void

/** For whoever watches: charts that move, handshake messages by name. */
export type ChannelObservation = Extract<SessionEvent, { readonly kind: 'transition' | 'handshake.message' }>
