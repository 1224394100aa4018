import { createPrivateKey, type KeyObject, type X509Certificate } from 'node:crypto'
import { compareToValidity } from './certificate-dates.ts'
import type { X509Identity } from '../identity.ts'
import { toPeerIdentity } from './peer-certificate.ts'
import { badCredentials, readCertificates, readPem, type Pem } from './pem.ts'
import { X509Trust, type X509TrustInput } from './x509-trust.ts'

/** What a node shows and what it trusts, before it was looked at. */
export interface X509CredentialsInput extends X509TrustInput {
  /** This node's own certificate first, then the intermediate ones that lead to its CA. */
  readonly certificate: Pem
  /** The private key of the first certificate, not encrypted. */
  readonly privateKey: Pem
}

/**
 * X.509 credentials that were read and found to fit together; made by {@link parseX509Credentials} only. The private key shows neither in
 * `util.inspect` nor in JSON nor in an error.
 */
export class X509Credentials {
  readonly kind = 'x509'
  /** Who is accepted. */
  readonly trust: X509Trust
  /** Own certificate, then intermediates. */
  readonly certificatePem: string
  /** This node's own certificate. */
  readonly certificate: X509Certificate
  readonly #privateKeyPem: string

  private constructor(parts: {
    readonly trust: X509Trust
    readonly certificatePem: string
    readonly certificate: X509Certificate
    readonly privateKeyPem: string
  }) {
    this.trust = parts.trust
    this.certificatePem = parts.certificatePem
    this.certificate = parts.certificate
    this.#privateKeyPem = parts.privateKeyPem
  }

  /** The secret: hand it to a TLS library and to nothing else. */
  revealPrivateKeyPem(): string {
    return this.#privateKeyPem
  }

  /** Who the peer will see. */
  get identity(): X509Identity {
    return toPeerIdentity(this.certificate)
  }

  /** What may be shown. */
  toJSON(): { readonly kind: 'x509'; readonly subject: string; readonly names: string; readonly validTo: string } {
    const { subject, subjectAltName, validTo } = this.certificate
    return { kind: this.kind, subject, names: subjectAltName ?? '', validTo }
  }

  /** See {@link parseX509Credentials}. */
  static parse(input: X509CredentialsInput, now: Date): X509Credentials {
    const trust = X509Trust.parse(input)
    const certificatePem = readPem(input.certificate, 'certificate')
    const privateKeyPem = readPem(input.privateKey, 'private key')

    const certificate = readCertificates(certificatePem, 'certificate')
    requireCurrent(certificate, now)
    requirePair(certificate, readPrivateKey(privateKeyPem))
    return new X509Credentials({ trust, certificatePem, certificate, privateKeyPem })
  }
}

/**
 * Reads PEM texts, checks that they fit together and that the own certificate is valid at `now`.
 *
 * @throws ERR_SZMQ_BAD_CREDENTIALS naming the part, what is wrong with it and what to do.
 */
export function parseX509Credentials(input: X509CredentialsInput, { now }: { readonly now: Date }): X509Credentials {
  return X509Credentials.parse(input, now)
}

function readPrivateKey(pem: string): KeyObject {
  if (/-----BEGIN ENCRYPTED PRIVATE KEY-----|Proc-Type: 4,ENCRYPTED/.test(pem)) {
    throw badCredentials(
      'the private key is encrypted',
      'give it decrypted, for example with: openssl pkey -in KEY -out PLAIN-KEY',
    )
  }
  if (!/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(pem)) {
    throw badCredentials(
      'the private key holds no "BEGIN PRIVATE KEY" block',
      'give the key that belongs to the certificate, as PEM',
    )
  }
  try {
    return createPrivateKey(pem)
  } catch {
    // Without the cause: nothing that stood near a key travels on.
    throw badCredentials('the private key is unreadable', 'copy the whole PEM block again')
  }
}

function requirePair(certificate: X509Certificate, privateKey: KeyObject): void {
  if (certificate.checkPrivateKey(privateKey)) return
  throw badCredentials(
    `the private key does not belong to the certificate of ${oneLine(certificate.subject)}`,
    'give the key it was issued for; the own certificate must come first in its file',
  )
}

function requireCurrent(certificate: X509Certificate, now: Date): void {
  const { subject, validFrom, validTo } = certificate
  switch (compareToValidity(certificate, now)) {
    case 'before':
      throw badCredentials(
        `the certificate of ${oneLine(subject)} is not valid before ${validFrom}`,
        'wait, or set this clock right',
      )
    case 'after':
      throw badCredentials(`the certificate of ${oneLine(subject)} expired on ${validTo}`, 'have it issued anew')
    case 'within':
      return
  }
}

function oneLine(subject: string): string {
  return subject.replaceAll('\n', ', ')
}
