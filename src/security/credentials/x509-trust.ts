import { createHash } from 'node:crypto'
import { readCertificates, readPem, requireBlock, type Pem } from './pem.ts'

export interface X509TrustInput {
  /** The certificate authorities whose peers are accepted. */
  readonly ca: Pem
  /** Revocation lists. If there is one, each CA of a peer's chain must have a current one. */
  readonly crl?: Pem | undefined
}

/**
 * The certificate authorities whose peers are accepted, and what they revoked. By itself these are the credentials of a client that verifies
 * its server and shows no certificate of its own.
 */
export class X509Trust {
  readonly kind = 'x509Trust'
  readonly caPem: string
  readonly crlPem: string | undefined
  /** SHA-256 over both, hexadecimal: sessions that began under another trust are not resumed. */
  readonly fingerprint: string

  private constructor(caPem: string, crlPem: string | undefined) {
    this.caPem = caPem
    this.crlPem = crlPem
    this.fingerprint = createHash('sha256')
      .update(JSON.stringify([caPem, crlPem ?? '']))
      .digest('hex')
  }

  /** @throws ERR_SZMQ_BAD_CREDENTIALS naming the part, what is wrong with it and what to do */
  static parse(input: X509TrustInput): X509Trust {
    const caPem = readPem(input.ca, 'ca')
    const crlPem = input.crl === undefined ? undefined : readPem(input.crl, 'crl')
    readCertificates(caPem, 'ca')
    if (crlPem !== undefined) requireBlock(crlPem, 'X509 CRL', 'crl')
    return new X509Trust(caPem, crlPem)
  }
}
