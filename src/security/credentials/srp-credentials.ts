import { SzmqError } from '../../shared/errors.ts'
import { ignoreRejection } from '../ignore-rejection.ts'

/** Longest SRP user name and password in bytes (UTF-8). */
export const MAX_SRP_TEXT_BYTES = 255
/** The groups that are taken, by the size of their prime in bits. */
export const SRP_GROUP_BITS = [2048, 3072, 4096] as const
/** Longest salt in bytes: what TLS has room for (RFC 5054 §2.5.3). */
const MAX_SALT_BYTES = 255

export interface SrpClientInput {
  readonly username: string
  readonly password: string
}

/** What a server keeps instead of a password (RFC 5054 §2.4). It lets nobody log in, but guesses can be tried on it: keep it secret. */
export interface SrpVerifier {
  readonly salt: Uint8Array
  readonly verifier: Uint8Array
  /** Size of the group's prime, as in RFC 5054 appendix A. */
  readonly groupBits: (typeof SRP_GROUP_BITS)[number]
}

export interface SrpServerInput {
  /** Undefined for a user who is unknown; the client cannot tell that from a wrong password. Answer at once, from memory. */
  readonly verifierOf: (username: string) => SrpVerifier | undefined
}

/**
 * A user name and a password that never travels (RFC 5054). TLS 1.2 only, gnutls engine only. Both sides are proved to each other.
 * Passwords and verifiers show neither in `util.inspect` nor in JSON nor in an error.
 */
export class SrpCredentials {
  readonly kind = 'srp'
  /** Undefined at a server. */
  readonly username: string | undefined
  readonly #password: string | undefined
  readonly #verifierOf: ((username: string) => SrpVerifier | undefined) | undefined

  private constructor(input: SrpClientInput | SrpServerInput) {
    if ('username' in input) {
      this.username = input.username
      this.#password = input.password
    } else this.#verifierOf = input.verifierOf
  }

  /** @throws ERR_SZMQ_BAD_CREDENTIALS for a name or password that is empty, too long or holds NUL */
  static client(input: SrpClientInput): SrpCredentials {
    requireText('user name', input.username)
    requireText('password', input.password)
    return new SrpCredentials(input)
  }

  static server(input: SrpServerInput): SrpCredentials {
    return new SrpCredentials(input)
  }

  /** The secret: hand it to a TLS library and to nothing else. Undefined at a server. */
  revealPassword(): string | undefined {
    return this.#password
  }

  /**
   * The secret of a user who knocks at this server.
   *
   * @throws ERR_SZMQ_BAD_CREDENTIALS if what `verifierOf` gave is no verifier
   */
  revealVerifier(username: string): SrpVerifier | undefined {
    const verifier = isText(username) ? this.#verifierOf?.(username) : undefined
    ignoreRejection(verifier)
    if (verifier !== undefined) requireVerifier(verifier)
    return verifier
  }

  /** What may be shown. */
  toJSON(): { readonly kind: 'srp'; readonly username: string | undefined } {
    return { kind: this.kind, username: this.username }
  }
}

function requireVerifier({ salt, verifier, groupBits }: SrpVerifier): void {
  const isSalt = salt instanceof Uint8Array && salt.length > 0 && salt.length <= MAX_SALT_BYTES
  const isVerifier = verifier instanceof Uint8Array && verifier.length > 0 && verifier.length * 8 <= groupBits
  if (isSalt && isVerifier && SRP_GROUP_BITS.includes(groupBits)) return
  const seen = 'verifierOf did not give undefined or an SRP verifier'
  throw new SzmqError(
    'ERR_SZMQ_BAD_CREDENTIALS',
    `${seen}: keep what createSrpVerifier makes, and give that at once, not as a promise`,
  )
}

function isText(text: string): boolean {
  return text !== '' && !text.includes('\0') && Buffer.byteLength(text) <= MAX_SRP_TEXT_BYTES
}

function requireText(what: string, text: string): void {
  if (isText(text)) return
  const seen = `the SRP ${what} is empty, longer than ${MAX_SRP_TEXT_BYTES} bytes, or holds NUL`
  throw new SzmqError('ERR_SZMQ_BAD_CREDENTIALS', `${seen}: give 1 to ${MAX_SRP_TEXT_BYTES} bytes without NUL`)
}
