import type { SzmqError } from '../shared/errors.ts'
import type { HandshakeMessageSeen, TlsFacts } from './tls-engine.ts'

/** Where a session stands, read from its chart. `epoch` is the TLS incarnation, 1 for the first. */
export type SessionStatus =
  | { readonly kind: 'idle' }
  | { readonly kind: 'handshaking'; readonly epoch: number }
  | { readonly kind: 'open'; readonly epoch: number; readonly facts: TlsFacts }
  /** It was open; what was sent and not acknowledged has to be sent again once it is open again. */
  | { readonly kind: 'resetting'; readonly epoch: number; readonly error: SzmqError }
  | { readonly kind: 'closing'; readonly epoch: number }
  | { readonly kind: 'closed' }
  | { readonly kind: 'failed'; readonly error: SzmqError }

/** What a session tells. The last event is `closed` or `failed`, exactly one of them, unless it was never opened. */
export type SessionEvent =
  /** TLS bytes for the peer, to arrive in order within their epoch. */
  | { readonly kind: 'ciphertext'; readonly epoch: number; readonly bytes: Uint8Array }
  /** The transport counts from 0 again, both ways. */
  | { readonly kind: 'epoch.started'; readonly epoch: number }
  /** Server: ask the client, in plain text, to hand-shake again. */
  | { readonly kind: 'reset.request'; readonly epoch: number }
  /** Both sides verified each other. Comes again after each reset. */
  | { readonly kind: 'open'; readonly epoch: number; readonly facts: TlsFacts; readonly handshakeMs: number }
  /** The bytes belong to the listener. */
  | { readonly kind: 'message'; readonly bytes: Uint8Array }
  /** `send` may go on. */
  | { readonly kind: 'drain' }
  /** What was sent in this incarnation may be lost. Once for each time that the session stops being open. */
  | { readonly kind: 'resetting'; readonly error: SzmqError }
  /** Both sides said END: nothing is missing. */
  | { readonly kind: 'closed' }
  | { readonly kind: 'failed'; readonly error: SzmqError }
  /** For whoever watches: a handshake message by its RFC 8446 name, from engines that can tell. */
  | ({ readonly kind: 'handshake.message' } & HandshakeMessageSeen)
  /** For whoever watches: a chart moved. States are written with dots: `running.exchange.negotiating`. */
  | {
      readonly kind: 'transition'
      readonly chart: 'session' | 'handshake' | 'reset' | 'bye'
      readonly from: string
      readonly to: string
    }
