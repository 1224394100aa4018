import { SzmqError } from '../../shared/errors.ts'
import { ignoreRejection } from '../ignore-rejection.ts'

/** Longest PSK identity in bytes (UTF-8): what OpenSSL takes on every supported version of Node. */
export const MAX_PSK_IDENTITY_BYTES = 128
/** Shortest key in bytes: less than 128 bits can be guessed from one recorded handshake (RFC 9257 §6). */
export const MIN_PSK_KEY_BYTES = 16
/** Longest key in bytes: what GnuTLS and OpenSSL both take. */
export const MAX_PSK_KEY_BYTES = 64

export interface PskClientInput {
  /** Who we are to the server; travels in plain text. */
  readonly identity: string
  /** {@link MIN_PSK_KEY_BYTES} to {@link MAX_PSK_KEY_BYTES} random bytes; not a password. */
  readonly key: Uint8Array
}

export interface PskServerInput {
  /** The key of `identity`; undefined for one that is unknown. Called within the handshake: answer at once, from memory. */
  readonly keyOf: (identity: string) => Uint8Array | undefined
  /** Tells clients which identity to use (TLS 1.2 only, in plain text). */
  readonly hint?: string | undefined
}

/**
 * A key that both sides know already (RFC 4279, RFC 8446 §2.2). Proves both sides to each other without certificates. Keys show neither
 * in `util.inspect` nor in JSON nor in an error.
 */
export class PskCredentials {
  readonly kind = 'psk'
  /** Undefined at a server. */
  readonly identity: string | undefined
  readonly hint: string | undefined
  readonly #key: Uint8Array | undefined
  readonly #keyOf: ((identity: string) => Uint8Array | undefined) | undefined

  private constructor(input: PskClientInput | PskServerInput) {
    if ('identity' in input) {
      this.identity = input.identity
      // Not `slice`: that of a Buffer is no copy.
      this.#key = new Uint8Array(input.key)
    } else {
      this.hint = input.hint
      this.#keyOf = input.keyOf
    }
  }

  /** @throws ERR_SZMQ_BAD_CREDENTIALS for an identity that is empty, too long or holds NUL, and for a key of a wrong length */
  static client(input: PskClientInput): PskCredentials {
    requireIdentity(input.identity)
    requireKey(input.key)
    return new PskCredentials(input)
  }

  /** @throws ERR_SZMQ_BAD_CREDENTIALS for a hint that is empty, too long or holds NUL */
  static server(input: PskServerInput): PskCredentials {
    if (input.hint !== undefined) requireIdentity(input.hint)
    return new PskCredentials(input)
  }

  /**
   * The secret: hand it to a TLS library and to nothing else. Of a client's own identity, or of one that a client names to a server.
   *
   * @throws ERR_SZMQ_BAD_CREDENTIALS if what `keyOf` gave is no key
   */
  revealKey(identity: string): Uint8Array | undefined {
    if (this.#keyOf === undefined) return identity === this.identity ? this.#key : undefined
    const key = isIdentity(identity) ? this.#keyOf(identity) : undefined
    ignoreRejection(key)
    if (key !== undefined) requireKey(key)
    return key
  }

  /** What may be shown. */
  toJSON(): { readonly kind: 'psk'; readonly identity: string | undefined } {
    return { kind: this.kind, identity: this.identity }
  }
}

/** May a peer call itself so? */
function isIdentity(identity: string): boolean {
  return identity !== '' && !identity.includes('\0') && Buffer.byteLength(identity) <= MAX_PSK_IDENTITY_BYTES
}

function requireIdentity(identity: string): void {
  if (isIdentity(identity)) return
  const text = `the PSK identity has ${Buffer.byteLength(identity)} bytes or holds NUL: give 1 to ${MAX_PSK_IDENTITY_BYTES} bytes without NUL`
  throw new SzmqError('ERR_SZMQ_BAD_CREDENTIALS', text)
}

function requireKey(key: Uint8Array): void {
  if (key instanceof Uint8Array && key.length >= MIN_PSK_KEY_BYTES && key.length <= MAX_PSK_KEY_BYTES) return
  const seen = key instanceof Uint8Array ? `${key.length} bytes` : 'something else than bytes'
  const text = `the pre-shared key is ${seen}: give ${MIN_PSK_KEY_BYTES} to ${MAX_PSK_KEY_BYTES} random bytes (openssl rand -hex 32)`
  throw new SzmqError('ERR_SZMQ_BAD_CREDENTIALS', text)
}
