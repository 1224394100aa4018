import type { KeyObject, X509Certificate } from 'node:crypto'
import { compareToValidity } from '../credentials/certificate-dates.ts'
import { toPeerIdentity } from '../credentials/peer-certificate.ts'

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
  /** See {@link describeKey}. */
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
    names: names.map(toName),
    issuer,
    isCa: certificate.ca,
    usages: (certificate.keyUsage ?? []).map((oid) => USAGE_BY_OID[oid] ?? oid),
    key: describeKey(certificate.publicKey),
    serialNumber: certificate.serialNumber.toUpperCase(),
    fingerprint256,
    validFrom,
    validTo,
    daysLeft: countDays(validTo, now),
    validity: describeValidity(certificate, now),
  }
}

/** `DNS:…` and `URI:…` as they are; addresses in their short form, `IP:::1`. */
function toName(name: string): string {
  const [, address] = /^IP Address:(.*)$/.exec(name) ?? []
  if (address === undefined) return name
  const url = `http://[${address}]`
  return `IP:${address.includes(':') && URL.canParse(url) ? new URL(url).hostname.slice(1, -1) : address}`
}

/** Days from `now` to `iso`, begun ones counted. */
export function countDays(iso: string, now: Date): number {
  // oxlint-disable-next-line no-restricted-globals -- reads a text, not the clock
  return Math.ceil((Date.parse(iso) - now.getTime()) / DAY_MS) + 0
}

/** `ecdsa-p256`, `ed25519`, `rsa-2048`, or what OpenSSL calls it. */
export function describeKey({ asymmetricKeyType, asymmetricKeyDetails: details }: KeyObject): string {
  if (asymmetricKeyType === 'ec') return details?.namedCurve === 'prime256v1' ? 'ecdsa-p256' : `ec ${details?.namedCurve ?? ''}`
  const kind = asymmetricKeyType ?? 'unknown'
  return details?.modulusLength === undefined ? kind : `${kind}-${details.modulusLength}`
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
