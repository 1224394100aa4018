import type { X509Certificate } from 'node:crypto'

/** From when until when a certificate is valid. */
export interface ValidityPeriod {
  readonly from: Date
  readonly to: Date
}

/** Reads OpenSSL's `Nov 23 09:34:16 2026 GMT`. */
export function readValidity({ validFrom, validTo }: X509Certificate): ValidityPeriod {
  return { from: parseOpensslDate(validFrom), to: parseOpensslDate(validTo) }
}

/** Where `now` lies; the ends belong to the period (RFC 5280 §4.1.2.5). */
export function compareToValidity(certificate: X509Certificate, now: Date): 'before' | 'within' | 'after' {
  const { from, to } = readValidity(certificate)
  if (now.getTime() > to.getTime()) return 'after'
  return now.getTime() < from.getTime() ? 'before' : 'within'
}

function parseOpensslDate(text: string): Date {
  // oxlint-disable-next-line no-restricted-globals -- reads a text, not the clock
  return new Date(text)
}
