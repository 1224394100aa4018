import { SzmqError } from '../shared/errors.ts'
import type { GnutlsHandles } from './gnutls/handles.ts'
import type { PeerIdentity } from './identity.ts'

/**
 * The whole interface between szmq and a TLS library: TLS as bytes in, bytes out. An engine lives for one TLS incarnation (one
 * epoch of a session) and has one listener. It owns no ZeroMQ and no socket.
 *
 * Every engine passes the same contract suite (`test/contract/tls-engine.contract.ts`).
 */
export interface TlsEngine {
  readonly name: 'openssl' | 'gnutls' | 'cleartext'

  /** Of a gnutls engine: the live session itself. @throws ERR_SZMQ_INVALID_STATE after the end of the engine */
  readonly gnutls?: GnutlsHandles

  /** Begins the handshake; a client emits its ClientHello. Called once, before anything else. */
  start(): void

  /**
   * Ciphertext from the peer, sliced in any way: partial records, many records, one byte at a time. May keep a reference to
   * `ciphertext` until it is consumed: the caller does not write to it again.
   */
  receive(ciphertext: Uint8Array): void

  /**
   * Plaintext for the peer; what is sent in one turn of the event loop leaves together. Allowed once `secure` was emitted and
   * before {@link close}. May keep a reference to `plaintext` until the turn ends.
   *
   * @returns false when the engine holds more than its high-water mark: hold back until `drain`.
   */
  send(plaintext: Uint8Array): boolean

  /**
   * Keying material of this connection (RFC 5705, RFC 8446 §7.5), equal at both ends and nowhere else: to bind something above to it.
   *
   * @param label such as `EXPORTER-Channel-Binding` (RFC 9266: 32 bytes, no context)
   * @param context undefined differs from empty in TLS 1.2
   * @returns `length` bytes, a secret
   * @throws ERR_SZMQ_INVALID_STATE before `secure` and after the end · ERR_SZMQ_INVALID_ARGUMENT for a length that is not 1 to 8 160
   */
  exportKeyingMaterial(label: string, length: number, context?: Uint8Array): Uint8Array

  /**
   * New traffic keys for what is sent from now on, and asks the peer for the same (KeyUpdate, RFC 8446 §4.6.3).
   *
   * @returns false where the library or the version cannot: begin a new epoch instead
   */
  rekey(): boolean

  /** Sends close_notify behind everything sent so far. Idempotent. */
  close(): void

  /** Frees everything at once and says nothing any more: no event comes after it. Idempotent, allowed at any time. */
  destroy(): void
}

/** What an engine reports. An openssl engine does so in later turns of the event loop, a GnuTLS engine within the call. */
export type TlsEvent =
  /** Bytes for the peer. The bytes belong to the listener. */
  | { readonly kind: 'ciphertext'; readonly bytes: Uint8Array }
  /** A handshake message was seen on its way, by its RFC 8446 name. Encrypted ones are only seen by engines that can tell. */
  | ({ readonly kind: 'handshake.message' } & HandshakeMessageSeen)
  /** The handshake is complete on this side and the peer's certificate was verified. Emitted at most once. */
  | { readonly kind: 'secure'; readonly facts: TlsFacts }
  /** Bytes from the peer, in order, any slicing. The bytes belong to the listener. */
  | { readonly kind: 'plaintext'; readonly bytes: Uint8Array }
  /** {@link TlsEngine.send} may go on. */
  | { readonly kind: 'drain' }
  /** The peer's close_notify: nothing comes after it. */
  | { readonly kind: 'peer.closeNotify' }
  /**
   * Our close_notify was handed out as ciphertext: the engine may be destroyed now without cutting it off. Follows {@link TlsEngine.close}
   * once; a session waits for it, but no longer than `flushTimeoutMs`.
   */
  | { readonly kind: 'closeNotify.sent' }
  /** The engine is dead: exactly one such event, and none after it. Ciphertext with the alert for the peer came before it. */
  | { readonly kind: 'failed'; readonly error: SzmqError }

export interface HandshakeMessageSeen {
  readonly direction: 'sent' | 'received'
  /** `ClientHello`, `ServerHello`, `Certificate` …, `ChangeCipherSpec` and `Alert`; `Finished` where it can be told. */
  readonly message: string
  /** Size with its header of 4 bytes (ChangeCipherSpec: 1, Alert: 2); of an encrypted one that cannot be read, the record's fragment. */
  readonly bytes: number
}

/** Most bytes of keying material at once: HKDF-Expand with SHA-256 gives no more (RFC 5869 §2.3). */
export const MAX_EXPORTED_BYTES = 255 * 32

/** Plaintext that an engine holds before {@link TlsEngine.send} says false. */
export const HIGH_WATER_MARK_BYTES = 256 * 1024

export type TlsListener = (event: TlsEvent) => void

/** Makes one engine for one epoch. Credentials and expectations are already inside: build a factory once, use it often. */
export type TlsEngineFactory = (listener: TlsListener) => TlsEngine

/** What was negotiated, in the words of the library that negotiated it. Plain data, no secrets. */
export interface TlsFacts {
  readonly engine: TlsEngine['name']
  /** `TLSv1.3` */
  readonly version: string
  /** `TLS_AES_256_GCM_SHA384` */
  readonly cipherSuite: string
  /** Key exchange group: `X25519`, `prime256v1`, `X25519MLKEM768` …; `unknown` where the library does not tell. */
  readonly group: string
  readonly alpn: string | undefined
  readonly isResumed: boolean
  readonly peer: PeerIdentity
}

/** @throws ERR_SZMQ_INVALID_ARGUMENT unless `length` is 1 to {@link MAX_EXPORTED_BYTES} */
export function requireExportLength(length: number): void {
  if (Number.isInteger(length) && length >= 1 && length <= MAX_EXPORTED_BYTES) return
  throw new SzmqError(
    'ERR_SZMQ_INVALID_ARGUMENT',
    `keying material of ${length} bytes was asked for: ask for 1 to ${MAX_EXPORTED_BYTES}`,
  )
}
