import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import { SzmqError } from '../../shared/errors.ts'
import type { Pem } from './pem.ts'

/** Most keys that one side may trust: they are compared one by one. */
export const MAX_TRUSTED_KEYS = 10_000

export interface RawPublicKeyInput {
  /** Our own key pair, as a PEM private key that is not encrypted. */
  readonly privateKey: Pem
  /** The peers that are accepted: their public keys as PEM ("BEGIN PUBLIC KEY"). */
  readonly trustedKeys: readonly Pem[]
}

/**
 * Keys without certificates (RFC 7250): a peer is accepted if its key is one of the trusted. gnutls engine only. The private key shows neither
 * in `util.inspect` nor in JSON nor in an error.
 */
export class RawPublicKeyCredentials {
  readonly kind = 'rawPublicKey'
  /** Our own public key, PEM of its SubjectPublicKeyInfo. */
  readonly publicKeyPem: string
  readonly #privateKeyPem: string
  readonly #trusted: ReadonlySet<string>

  /** @throws ERR_SZMQ_BAD_CREDENTIALS naming the part, what is wrong with it and what to do */
  constructor({ privateKey, trustedKeys }: RawPublicKeyInput) {
    if (trustedKeys.length === 0 || trustedKeys.length > MAX_TRUSTED_KEYS) {
      throw bad(`${trustedKeys.length} trusted keys were given`, `give 1 to ${MAX_TRUSTED_KEYS}: without one nobody gets in`)
    }
    const own = readKey('private key', () => createPrivateKey(textOf(privateKey)))
    this.#privateKeyPem = String(own.export({ type: 'pkcs8', format: 'pem' }))
    this.publicKeyPem = String(createPublicKey(own).export({ type: 'spki', format: 'pem' }))
    this.#trusted = new Set(
      trustedKeys.map((pem, at) => {
        if (textOf(pem).includes('PRIVATE KEY')) throw bad(`trusted key ${at + 1} is a private key`, 'give the public one')
        return spkiOf(readKey(`trusted key ${at + 1}`, () => createPublicKey(textOf(pem))))
      }),
    )
  }

  /** Is this SubjectPublicKeyInfo (DER) among the trusted? */
  trusts(subjectPublicKeyInfo: Uint8Array): boolean {
    return this.#trusted.has(Buffer.from(subjectPublicKeyInfo).toString('base64'))
  }

  /** The secret: hand it to a TLS library and to nothing else. PKCS #8. */
  revealPrivateKeyPem(): string {
    return this.#privateKeyPem
  }

  /** What may be shown. */
  toJSON(): { readonly kind: 'rawPublicKey'; readonly publicKey: string; readonly trusted: number } {
    return { kind: this.kind, publicKey: this.publicKeyPem, trusted: this.#trusted.size }
  }
}

function textOf(pem: Pem): string {
  return typeof pem === 'string' ? pem : Buffer.from(pem).toString('latin1')
}

function spkiOf(key: KeyObject): string {
  return key.export({ type: 'spki', format: 'der' }).toString('base64')
}

function readKey(what: string, read: () => KeyObject): KeyObject {
  try {
    return read()
  } catch {
    // Without the cause: nothing that stood near a key travels on.
    throw bad(`the ${what} is unreadable or encrypted`, 'copy the whole PEM block again')
  }
}

function bad(seen: string, remedy: string): SzmqError {
  return new SzmqError('ERR_SZMQ_BAD_CREDENTIALS', `${seen}: ${remedy}`)
}
