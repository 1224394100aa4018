import { X509Certificate } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { X509Identity } from '../identity.ts'
import { toPeerIdentity } from './peer-certificate.ts'

/** Peers come back: so many certificates are kept parsed. */
const MAX_KNOWN_CERTIFICATES = 1_000
/** A longer one is not kept. */
const MAX_KNOWN_BYTES = 8 * 1024

/** A certificate and what is read out of it. */
export interface KnownCertificate {
  readonly certificate: X509Certificate
  readonly identity: X509Identity
}

const kept = new LRUCache<string, KnownCertificate>({ max: MAX_KNOWN_CERTIFICATES })

/**
 * Parses a certificate (DER), unless it is among those that were kept: that takes longer than verifying a signature. Says nothing of whether it
 * is good.
 *
 * @throws what Node throws for bytes that are no certificate
 */
export function knowCertificate(raw: Uint8Array): KnownCertificate {
  const known = kept.get(keyOf(raw))
  if (known !== undefined) return known
  const certificate = new X509Certificate(raw)
  return { certificate, identity: toPeerIdentity(certificate) }
}

/** For peers that were let in only: strangers must not crowd them out. */
export function keepCertificate(known: KnownCertificate): void {
  const { raw } = known.certificate
  if (raw.length <= MAX_KNOWN_BYTES) kept.set(keyOf(raw), known)
}

function keyOf(raw: Uint8Array): string {
  return Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength).toString('latin1')
}
