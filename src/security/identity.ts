import { createHash } from 'node:crypto'

/**
 * Who the peer proved to be, by how it was verified. Plain data, no secrets: it may cross threads and stand in logs.
 *
 * `subject` is for display; decide by `names`, `fingerprint256` or the PSK or SRP user.
 */
export type PeerIdentity =
  X509Identity | PskIdentity | SrpIdentity | RawPublicKeyIdentity | AnonymousIdentity | UnverifiedIdentity

/** A certificate that a configured CA vouches for, in its time, not revoked. */
export interface X509Identity {
  readonly verifiedBy: 'x509'
  /** Common name of the certificate's subject, for display only: identity is checked by subject alternative names. */
  readonly subject: string
  /** Subject alternative names as OpenSSL prints them: `DNS:node-a`, `IP Address:127.0.0.1`, `URI:spiffe://…`. */
  readonly names: readonly string[]
  readonly issuer: string
  /** SHA-256 of the certificate, upper-case hexadecimal with colons. */
  readonly fingerprint256: string
  /** ISO 8601. */
  readonly validFrom: string
  readonly validTo: string
}

/** The peer knows the key of this identity. At a client: the server knows the key of ours. */
export interface PskIdentity {
  readonly verifiedBy: 'psk'
  /** The PSK identity. */
  readonly subject: string
  /** None. */
  readonly names: readonly string[]
}

/** The peer knows the password of this user. At a client: the server holds our verifier. */
export interface SrpIdentity {
  readonly verifiedBy: 'srp'
  /** The user name. */
  readonly subject: string
  /** None. */
  readonly names: readonly string[]
}

/** A key of our list of trusted ones. */
export interface RawPublicKeyIdentity {
  readonly verifiedBy: 'rawPublicKey'
  /** SHA-256 of the SubjectPublicKeyInfo, upper-case hexadecimal with colons. */
  readonly subject: string
  /** None. */
  readonly names: readonly string[]
}

/** The peer proved nothing: anonymous key exchange, or a client that may come without a certificate and did. */
export interface AnonymousIdentity {
  readonly verifiedBy: 'nothing'
  readonly subject: 'anonymous'
  /** None. */
  readonly names: readonly string[]
}

/** Only with the clear-text test engine: it claims to be this. */
export interface UnverifiedIdentity {
  readonly verifiedBy: 'none'
  readonly subject: string
  readonly names: readonly string[]
}

export const ANONYMOUS: AnonymousIdentity = { verifiedBy: 'nothing', subject: 'anonymous', names: [] }

/** For people: `"node-a" (DNS:node-a, URI:spiffe://…), issued by "my CA"` and the like. */
export function describeIdentity(identity: PeerIdentity): string {
  const names = identity.names.length === 0 ? '' : ` (${identity.names.join(', ')})`
  const issued = identity.verifiedBy === 'x509' ? `, issued by "${identity.issuer}"` : ''
  return `"${identity.subject}"${names}${issued}`
}

/**
 * Who this is whatever the certificate: equal for two identities that were verified in one way and have one subject and the same names, so a
 * renewed certificate keeps it. 32 hexadecimal digits.
 */
export function identityDigest({ verifiedBy, subject, names }: PeerIdentity): string {
  const parts = [verifiedBy, subject, ...names.toSorted((a, b) => (a < b ? -1 : Number(a > b)))]
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32)
}
