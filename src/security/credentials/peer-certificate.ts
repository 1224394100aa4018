import type { X509Certificate } from 'node:crypto'
import { SzmqError, type SzmqErrorCode } from '../../shared/errors.ts'
import { compareToValidity, toIso } from './certificate-dates.ts'
import type { X509Identity } from '../identity.ts'

/** Who a verified certificate speaks for. */
export function toPeerIdentity(certificate: X509Certificate): X509Identity {
  return {
    verifiedBy: 'x509',
    subject: commonName(certificate.subject),
    names: splitNames(certificate.subjectAltName ?? ''),
    issuer: commonName(certificate.issuer),
    fingerprint256: certificate.fingerprint256,
    validFrom: toIso(certificate.validFrom),
    validTo: toIso(certificate.validTo),
  }
}

/**
 * The error for a certificate that the TLS library did not accept.
 *
 * @param reason OpenSSL's name of the verdict, such as `CERT_HAS_EXPIRED`. One that is not known here is `ERR_SZMQ_CERTIFICATE_INVALID`.
 * @param certificate What the peer showed, if that much is known.
 */
export function toCertificateError(reason: string, certificate: X509Certificate | undefined, now: Date): SzmqError {
  const code = CODE_BY_REASON[reason] ?? 'ERR_SZMQ_CERTIFICATE_INVALID'
  return new SzmqError(code, `${describe(certificate)} is not accepted: ${explain(code, reason, certificate, now)}`)
}

/** Is `name` (a DNS name, an IP address or a URI) among the certificate's subject alternative names? The common name never counts. */
export function carriesName(certificate: X509Certificate, name: string): boolean {
  if (isAddress(name)) return carriesAddress(certificate, name)
  if (name.includes(':')) return splitNames(certificate.subjectAltName ?? '').includes(`URI:${name}`)
  return certificate.checkHost(name, { subject: 'never', partialWildcards: false }) !== undefined
}

/** Looks like an IP address: never to be looked for among the DNS names. */
export function isAddress(name: string): boolean {
  return /^[0-9.]+$/.test(name) || /^[0-9a-f.]*:[0-9a-f.:]*$/i.test(name)
}

/** The error for a certificate that is good, but another's. */
export function toWrongNameError(certificate: X509Certificate, expected: string): SzmqError {
  return new SzmqError(
    'ERR_SZMQ_WRONG_NAME',
    `expected a peer named "${expected}", but ${describe(certificate)}: connect to one of its names, ` +
      `or have a certificate issued that carries "${expected}" as subject alternative name`,
  )
}

/** A resumed session brings the verdict of its first handshake along: dates must be looked at again. */
export function findDateProblem(
  certificate: X509Certificate,
  now: Date,
): 'CERT_HAS_EXPIRED' | 'CERT_NOT_YET_VALID' | undefined {
  switch (compareToValidity(certificate, now)) {
    case 'before':
      return 'CERT_NOT_YET_VALID'
    case 'after':
      return 'CERT_HAS_EXPIRED'
    case 'within':
      return undefined
  }
}

/** Of each part of a certificate that stands in an error. */
const MAX_SHOWN_CHARACTERS = 300

const CODE_BY_REASON: Readonly<Record<string, SzmqErrorCode>> = {
  CERT_HAS_EXPIRED: 'ERR_SZMQ_CERTIFICATE_EXPIRED',
  CERT_NOT_YET_VALID: 'ERR_SZMQ_CERTIFICATE_NOT_YET_VALID',
  CERT_REVOKED: 'ERR_SZMQ_CERTIFICATE_REVOKED',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'ERR_SZMQ_UNKNOWN_CA',
  SELF_SIGNED_CERT_IN_CHAIN: 'ERR_SZMQ_UNKNOWN_CA',
  UNABLE_TO_GET_ISSUER_CERT: 'ERR_SZMQ_UNKNOWN_CA',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'ERR_SZMQ_UNKNOWN_CA',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'ERR_SZMQ_UNKNOWN_CA',
  CERT_UNTRUSTED: 'ERR_SZMQ_UNKNOWN_CA',
  INVALID_PURPOSE: 'ERR_SZMQ_WRONG_KEY_USAGE',
  // Our own revocation list is at fault, not the peer: without a current one nobody can be told apart from the revoked.
  UNABLE_TO_GET_CRL: 'ERR_SZMQ_BAD_CREDENTIALS',
  CRL_HAS_EXPIRED: 'ERR_SZMQ_BAD_CREDENTIALS',
  CRL_NOT_YET_VALID: 'ERR_SZMQ_BAD_CREDENTIALS',
  CRL_SIGNATURE_FAILURE: 'ERR_SZMQ_BAD_CREDENTIALS',
}

function explain(code: SzmqErrorCode, reason: string, certificate: X509Certificate | undefined, now: Date): string {
  const explanations: { readonly [code in SzmqErrorCode]?: string } = {
    ERR_SZMQ_CERTIFICATE_EXPIRED: `it or one of its CAs expired (it is ${now.toISOString()} here): the peer needs a new one`,
    ERR_SZMQ_CERTIFICATE_NOT_YET_VALID: `it or one of its CAs is not valid yet (it is ${now.toISOString()} here): wait, or set the clocks right`,
    ERR_SZMQ_CERTIFICATE_REVOKED: 'its CA revoked it: the peer needs a new one',
    ERR_SZMQ_UNKNOWN_CA:
      `no CA in our credentials leads to its issuer "${shorten(commonName(certificate?.issuer))}" (${reason}): ` +
      'add that CA if you trust it, or have the peer send its intermediate certificates',
    ERR_SZMQ_WRONG_KEY_USAGE: `its (extended) key usage does not allow this side of TLS (${reason}): nodes need serverAuth and clientAuth`,
    ERR_SZMQ_BAD_CREDENTIALS: `our certificate revocation list is missing for one of its CAs, or not current (${reason}): renew it`,
  }
  return explanations[code] ?? `OpenSSL says ${reason}: have it issued anew`
}

function describe(certificate: X509Certificate | undefined): string {
  if (certificate === undefined) return "the peer's certificate"
  const { subject, names, issuer, validFrom, validTo } = toPeerIdentity(certificate)
  const shownNames = shorten(names.join(', ')) || 'no alternative names'
  return `the peer's certificate "${shorten(subject)}" (${shownNames}; issued by "${shorten(issuer)}"; valid ${validFrom} to ${validTo})`
}

/** A stranger may fill 100 kB with names, and our log with them. */
function shorten(text: string): string {
  return text.length <= MAX_SHOWN_CHARACTERS ? text : `${text.slice(0, MAX_SHOWN_CHARACTERS)}… (${text.length} characters)`
}

function commonName(distinguishedName: string | undefined): string {
  const lines = (distinguishedName ?? '').split('\n')
  return lines.find((line) => line.startsWith('CN='))?.slice(3) ?? lines.join(', ')
}

function carriesAddress(certificate: X509Certificate, address: string): boolean {
  try {
    return certificate.checkIP(address) !== undefined
  } catch {
    // Not an address after all, says Node.
    return false
  }
}

/** Node quotes, as JSON, a name that holds a comma or other unusual characters. */
function splitNames(subjectAltName: string): readonly string[] {
  return (subjectAltName.match(/(?:"(?:[^"\\]|\\.)*"|[^,"])+/g) ?? []).map((name) => name.trim()).filter((name) => name !== '')
}
