import { CERT } from './constants.ts'

/**
 * GnuTLS's verdict on a chain (`gnutls_certificate_status_t`) as the reason that `toCertificateError` knows; undefined if it is good. Several at once
 * are told in OpenSSL's order: first the chain, then the purpose, then revocation, signatures and dates.
 */
export function toVerdict(status: number): string | undefined {
  if (status === 0) return undefined
  return REASONS.find(([flag]) => (status & flag) !== 0)?.[1] ?? `GNUTLS_CERT_STATUS_${status.toString(16)}`
}

const REASONS: readonly (readonly [flag: number, reason: string])[] = [
  [CERT.SIGNER_NOT_FOUND, 'UNABLE_TO_GET_ISSUER_CERT'],
  [CERT.SIGNER_NOT_CA, 'CERT_UNTRUSTED'],
  [CERT.PURPOSE_MISMATCH, 'INVALID_PURPOSE'],
  [CERT.REVOCATION_DATA_SUPERSEDED, 'CRL_HAS_EXPIRED'],
  [CERT.REVOCATION_DATA_ISSUED_IN_FUTURE, 'CRL_NOT_YET_VALID'],
  [CERT.REVOKED, 'CERT_REVOKED'],
  [CERT.SIGNATURE_FAILURE, 'SIGNATURE_FAILURE'],
  [CERT.EXPIRED, 'CERT_HAS_EXPIRED'],
  [CERT.NOT_ACTIVATED, 'CERT_NOT_YET_VALID'],
  [CERT.SIGNER_CONSTRAINTS_FAILURE, 'SIGNER_CONSTRAINTS_FAILURE'],
  [CERT.INSECURE_ALGORITHM, 'INSECURE_ALGORITHM'],
  [CERT.UNKNOWN_CRIT_EXTENSIONS, 'UNKNOWN_CRITICAL_EXTENSION'],
  [CERT.INVALID, 'CERT_INVALID'],
]
