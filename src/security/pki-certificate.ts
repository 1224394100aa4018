import type { X509Certificate } from 'node:crypto'
import { compareToValidity, toIso } from './certificate-dates.ts'
import { toPeerIdentity } from './peer-certificate.ts'

const DAY_MS = 86_400_000
const USAGE_BY_OID: Readonly<Record<string, string>> = { '1.3.6.1.5.5.7.3.1': 'server', '1.3.6.1.5.5.7.3.2': 'client' }

/** What people want to know of a certificate, as plain data. Texts come from the certificate: whoever made it chose them. */
export interface CertificateFacts {
  /** The common name. */
  readonly name: string
  /** Subject alternative names, such as `DNS:node-a` and `URI:spiffe://example.org/node-a`. */
  readonly names: readonly string[]
  /** The common name of who signed it. */
  readonly issuer: string
  readonly isCa: boolean
  /** Extended key usage: `server`, `client`, or the object identifiers of others. */
  readonly usages: readonly string[]
  /** `ecdsa-p256`, `ed25519`, or what OpenSSL calls it. */
  readonly key: string
  /** Hexadecimal, upper case. */
  readonly serialNumber: string
  /** SHA-256, hexadecimal with colons. */
  readonly fingerprint256: string
  /** ISO 8601, as is `validTo`. */
  readonly validFrom: string
  readonly validTo: string
  /** Whole days until it ends, begun ones counted; not positive once it is over. */
  readonly daysLeft: number
  readonly validity: 'valid' | 'expired' | 'not-yet-valid'
}

export function describeCertificate(certificate: X509Certificate, now: Date): CertificateFacts {
  const { subject, names, issuer, fingerprint256, validFrom, validTo } = toPeerIdentity(certificate)
  return {
    name: subject,
    names: names.map((name) => name.replace(/^IP Address:/, 'IP:')),
    issuer,
    isCa: certificate.ca,
    usages: (certificate.keyUsage ?? []).map((oid) => USAGE_BY_OID[oid] ?? oid),
    key: describeKey(certificate),
    serialNumber: certificate.serialNumber.toUpperCase(),
    fingerprint256,
    validFrom,
    validTo,
    daysLeft: countDays(validTo, now),
    validity: describeValidity(certificate, now),
  }
}

/** Days from `now` to `iso`, begun ones counted. */
export function countDays(iso: string, now: Date): number {
  // oxlint-disable-next-line no-restricted-globals -- reads a text, not the clock
  return Math.ceil((Date.parse(iso) - now.getTime()) / DAY_MS) + 0
}

/** OpenSSL's date as ISO 8601, for messages. */
export const toIsoDate = (opensslDate: string): string => toIso(opensslDate).slice(0, 10)

function describeKey({ publicKey }: X509Certificate): string {
  const { asymmetricKeyType = 'unknown', asymmetricKeyDetails: details } = publicKey
  if (asymmetricKeyType === 'ec') return details?.namedCurve === 'prime256v1' ? 'ecdsa-p256' : `ec ${details?.namedCurve ?? ''}`
  return details?.modulusLength === undefined ? asymmetricKeyType : `${asymmetricKeyType}-${details.modulusLength}`
}

function describeValidity(certificate: X509Certificate, now: Date): CertificateFacts['validity'] {
  switch (compareToValidity(certificate, now)) {
    case 'before':
      return 'not-yet-valid'
    case 'within':
      return 'valid'
    case 'after':
      return 'expired'
  }
}
