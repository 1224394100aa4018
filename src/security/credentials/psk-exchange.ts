import { messageOf, SzmqError } from '../../shared/errors.ts'
import { MAX_PSK_IDENTITY_BYTES, type PskCredentials } from './psk-credentials.ts'

/** A hello of TLS 1.3 may name thousands of identities; so many are looked up, a second hello included. The rest is unknown. */
export const MAX_PSK_LOOKUPS = 16

/** The pre-shared keys of one handshake, as OpenSSL asks for them: which identity was named, was it known, and why did it fail? */
export class PskExchange {
  readonly #credentials: PskCredentials
  /** The last one whose key was handed to OpenSSL. */
  #known: string | undefined
  #unknown: string | undefined
  #lookups = 0
  #problem: SzmqError | undefined

  constructor(credentials: PskCredentials) {
    this.#credentials = credentials
  }

  asClient(): { readonly identity: string; readonly psk: Uint8Array } | null {
    const { identity } = this.#credentials
    const psk = identity === undefined ? undefined : this.#credentials.revealKey(identity)
    if (identity === undefined || psk === undefined) return null
    this.#known = identity
    return { identity, psk }
  }

  /** OpenSSL asks about tickets too, whose bytes are no identity. */
  asServer(identity: string): Uint8Array | null {
    if (this.#lookups >= MAX_PSK_LOOKUPS) return null
    this.#lookups += 1
    const key = this.#find(identity)
    if (key === undefined) this.#unknown = identity
    else this.#known = identity
    return key ?? null
  }

  /**
   * @param isAccepted does the ServerHello, or the cipher suite of TLS 1.2, say that a pre-shared key was used? A client may name any
   *   identity and then prove itself otherwise.
   */
  provenIdentity(isAccepted: boolean): string | undefined {
    return isAccepted ? this.#known : undefined
  }

  /** @returns the cause behind an error of the handshake, if it is here */
  explain(error: SzmqError, role: 'client' | 'server'): SzmqError | undefined {
    if (this.#problem !== undefined) return this.#problem
    if (role === 'server' && this.#known === undefined && this.#unknown !== undefined) {
      const text = `the peer names the PSK identity ${quote(this.#unknown)}, which is not known here: add its key, or correct the peer's identity`
      return new SzmqError('ERR_SZMQ_UNKNOWN_IDENTITY', text, { cause: error })
    }
    if (this.#known !== undefined && FITS_WRONG_KEY.has(error.code)) {
      const text = `the pre-shared key of ${quote(this.#known)} is not the peer's: give both sides the same`
      return new SzmqError('ERR_SZMQ_WRONG_PASSWORD', text, { cause: error })
    }
    return undefined
  }

  #find(identity: string): Uint8Array | undefined {
    try {
      return this.#credentials.revealKey(identity)
    } catch (cause) {
      // Not through OpenSSL: `keyOf` is the user's.
      this.#problem =
        cause instanceof SzmqError
          ? cause
          : new SzmqError('ERR_SZMQ_BAD_CREDENTIALS', `keyOf threw for ${quote(identity)}: ${messageOf(cause)}`)
      return undefined
    }
  }
}

/** What a wrong key looks like: the first thing that is sealed with it cannot be opened. */
const FITS_WRONG_KEY: ReadonlySet<string> = new Set(['ERR_SZMQ_BAD_RECORD', 'ERR_SZMQ_STREAM_BROKEN'])

function quote(identity: string): string {
  return JSON.stringify(identity.slice(0, MAX_PSK_IDENTITY_BYTES))
}
