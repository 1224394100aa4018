import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto'
import { messageOf, SzmqError } from '../shared/errors.ts'
import { compareToValidity } from './certificate-dates.ts'

/** PEM text, or its bytes. One or more blocks. */
export type Pem = string | Uint8Array

/** What a node shows and what it trusts, before it was looked at. */
export interface CredentialsInput {
  /** The certificate authorities whose peers are accepted. */
  readonly ca: Pem
  /** This node's own certificate first, then the intermediate ones that lead to its CA. */
  readonly certificate: Pem
  /** The private key of the first certificate, not encrypted. */
  readonly privateKey: Pem
  /** Revocation lists. If there is one, each CA of a peer's chain must have a current one. */
  readonly crl?: Pem | undefined
}

/**
 * X.509 credentials that were read and found to fit together; made by {@link parseCredentials} only. The private key shows neither in
 * `util.inspect` nor in JSON nor in an error.
 */
export class Credentials {
  readonly kind = 'x509'
  readonly caPem: string
  /** Own certificate, then intermediates. */
  readonly certificatePem: string
  readonly crlPem: string | undefined
  /** This node's own certificate. */
  readonly certificate: X509Certificate
  readonly #privateKeyPem: string

  private constructor(parts: {
    readonly caPem: string
    readonly certificatePem: string
    readonly crlPem: string | undefined
    readonly certificate: X509Certificate
    readonly privateKeyPem: string
  }) {
    this.caPem = parts.caPem
    this.certificatePem = parts.certificatePem
    this.crlPem = parts.crlPem
    this.certificate = parts.certificate
    this.#privateKeyPem = parts.privateKeyPem
  }

  /** The secret: hand it to a TLS library and to nothing else. */
  revealPrivateKeyPem(): string {
    return this.#privateKeyPem
  }

  /** What may be shown. */
  toJSON(): { readonly kind: 'x509'; readonly subject: string; readonly names: string; readonly validTo: string } {
    const { subject, subjectAltName, validTo } = this.certificate
    return { kind: this.kind, subject, names: subjectAltName ?? '', validTo }
  }

  /** See {@link parseCredentials}. */
  static parse(input: CredentialsInput, now: Date): Credentials {
    const caPem = readPem(input.ca, 'ca')
    const certificatePem = readPem(input.certificate, 'certificate')
    const privateKeyPem = readPem(input.privateKey, 'private key')
    const crlPem = input.crl === undefined ? undefined : readPem(input.crl, 'crl')

    readCertificates(caPem, 'ca')
    const certificate = readCertificates(certificatePem, 'certificate')
    requireCurrent(certificate, now)
    requirePair(certificate, readPrivateKey(privateKeyPem))
    if (crlPem !== undefined) requireBlock(crlPem, 'X509 CRL', 'crl')
    return new Credentials({ caPem, certificatePem, crlPem, certificate, privateKeyPem })
  }
}

/**
 * Reads PEM texts, checks that they fit together and that the own certificate is valid at `now`.
 *
 * @throws ERR_SZMQ_BAD_CREDENTIALS naming the part, what is wrong with it and what to do.
 */
export function parseCredentials(input: CredentialsInput, { now }: { readonly now: Date }): Credentials {
  return Credentials.parse(input, now)
}

type Part = 'ca' | 'certificate' | 'private key' | 'crl'

function readPem(pem: Pem, part: Part): string {
  const text = typeof pem === 'string' ? pem : Buffer.from(pem.buffer, pem.byteOffset, pem.byteLength).toString('latin1')
  if (text.trim() === '') throw bad(`the ${part} is empty`, `give PEM text ("-----BEGIN …")`)
  return text
}

/** Each certificate of `pem` must be readable. @returns the first. */
function readCertificates(pem: string, part: Part): X509Certificate {
  requireBlock(pem, 'CERTIFICATE', part)
  const [first] = blocks(pem, 'CERTIFICATE').map((block, index) => {
    try {
      return new X509Certificate(block)
    } catch (cause) {
      throw bad(
        `certificate ${index + 1} of the ${part} is unreadable (${messageOf(cause)})`,
        'copy the whole PEM block again',
        cause,
      )
    }
  })
  if (first === undefined) throw bad(`the ${part} holds no whole certificate`, 'copy the whole PEM block again')
  return first
}

function readPrivateKey(pem: string): KeyObject {
  if (/-----BEGIN ENCRYPTED PRIVATE KEY-----|Proc-Type: 4,ENCRYPTED/.test(pem)) {
    throw bad('the private key is encrypted', 'give it decrypted, for example with: openssl pkey -in KEY -out PLAIN-KEY')
  }
  if (!/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(pem)) {
    throw bad('the private key holds no "BEGIN PRIVATE KEY" block', 'give the key that belongs to the certificate, as PEM')
  }
  try {
    return createPrivateKey(pem)
  } catch {
    // Without the cause: nothing that stood near a key travels on.
    throw bad('the private key is unreadable', 'copy the whole PEM block again')
  }
}

function requirePair(certificate: X509Certificate, privateKey: KeyObject): void {
  if (certificate.checkPrivateKey(privateKey)) return
  throw bad(
    `the private key does not belong to the certificate of ${oneLine(certificate.subject)}`,
    'give the key it was issued for; the own certificate must come first in its file',
  )
}

function requireCurrent(certificate: X509Certificate, now: Date): void {
  const { subject, validFrom, validTo } = certificate
  switch (compareToValidity(certificate, now)) {
    case 'before':
      throw bad(`the certificate of ${oneLine(subject)} is not valid before ${validFrom}`, 'wait, or set this clock right')
    case 'after':
      throw bad(`the certificate of ${oneLine(subject)} expired on ${validTo}`, 'have it issued anew')
    case 'within':
      return
  }
}

function requireBlock(pem: string, label: string, part: Part): void {
  if (pem.includes(`-----BEGIN ${label}-----`)) return
  const seen = /-----BEGIN ([A-Z0-9 ]+)-----/.exec(pem)?.[1]
  throw bad(
    `the ${part} holds ${seen === undefined ? 'no PEM block' : `a "${seen}"`}`,
    `a "BEGIN ${label}" block belongs there`,
  )
}

function blocks(pem: string, label: string): readonly string[] {
  return pem.match(new RegExp(`-----BEGIN ${label}-----[^-]*-----END ${label}-----`, 'g')) ?? []
}

function oneLine(subject: string): string {
  return subject.replaceAll('\n', ', ')
}

function bad(seen: string, remedy: string, cause?: unknown): SzmqError {
  return new SzmqError('ERR_SZMQ_BAD_CREDENTIALS', `${seen}: ${remedy}`, cause === undefined ? undefined : { cause })
}
