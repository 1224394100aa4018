import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto'
import { concatBytes } from '../../shared/bytes.ts'
import { SzmqError } from '../../shared/errors.ts'
import type { Random } from '../../shared/random.ts'

/** The shortest secret that is taken. */
export const MIN_SECRET_BYTES = 32
/** How much longer a sealed session is. */
export const SEAL_BYTES = 1 + 12 + 16

const FORMAT = 1
const NONCE_AT = 1
const TAG_AT = NONCE_AT + 12

/**
 * Encrypts sessions for a store that others may read: a disk, its backups, a shared Redis. AES-256-GCM under a key that is derived from
 * the secret for each session id (HKDF-SHA-256), so that a session opens under its own id only and nonces need not be unique beyond it.
 * Sealed: format (1 byte) · nonce (12) · tag (16) · ciphertext. Shows its secret nowhere.
 */
export class SessionCipher {
  readonly #secret: Uint8Array
  readonly #random: Random

  /**
   * @param secret at least {@link MIN_SECRET_BYTES} random bytes, the same on all servers that share the store; copied
   * @throws ERR_SZMQ_INVALID_ARGUMENT for a shorter one
   */
  constructor(secret: Uint8Array, random: Random) {
    requireSecret(secret)
    this.#secret = new Uint8Array(secret)
    this.#random = random
  }

  /** @returns bytes that alias neither argument */
  seal(id: Uint8Array, session: Uint8Array): Uint8Array {
    const nonce = this.#random.bytes(12)
    const cipher = createCipheriv('aes-256-gcm', this.#keyOf(id), nonce)
    const ciphertext = [cipher.update(session), cipher.final()]
    return concatBytes([Uint8Array.of(FORMAT), nonce, cipher.getAuthTag(), ...ciphertext])
  }

  /** @returns the session, or nothing when it was sealed under another secret or id, was altered or never sealed */
  open(id: Uint8Array, sealed: Uint8Array): Uint8Array | undefined {
    if (sealed.length <= SEAL_BYTES || sealed[0] !== FORMAT) return undefined
    const decipher = createDecipheriv('aes-256-gcm', this.#keyOf(id), sealed.subarray(NONCE_AT, TAG_AT), { authTagLength: 16 })
    decipher.setAuthTag(sealed.subarray(TAG_AT, SEAL_BYTES))
    try {
      return concatBytes([decipher.update(sealed.subarray(SEAL_BYTES)), decipher.final()])
    } catch {
      return undefined
    }
  }

  #keyOf(id: Uint8Array): Uint8Array {
    // Not as the salt: HKDF takes salts that differ by zeros at their end for the same.
    const info = concatBytes([new TextEncoder().encode('szmq session at rest 1'), id])
    return new Uint8Array(hkdfSync('sha256', this.#secret, new Uint8Array(), info, 32))
  }
}

/** @throws ERR_SZMQ_INVALID_ARGUMENT unless `secret` has {@link MIN_SECRET_BYTES}; the error shows its length only */
export function requireSecret(secret: Uint8Array): void {
  if (secret instanceof Uint8Array && secret.length >= MIN_SECRET_BYTES) return
  const seen = secret instanceof Uint8Array ? `${secret.length} bytes` : `a ${typeof secret}`
  throw new SzmqError(
    'ERR_SZMQ_INVALID_ARGUMENT',
    `a secret of ${seen}: give at least ${MIN_SECRET_BYTES} random bytes, for example crypto.randomBytes(${MIN_SECRET_BYTES})`,
  )
}
