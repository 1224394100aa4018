import type { X509Certificate } from 'node:crypto'

/** Where `now` lies in a certificate's time; its ends belong to it (RFC 5280 §4.1.2.5). Unreadable dates are `after`. */
export function compareToValidity({ validFrom, validTo }: X509Certificate, now: Date): 'before' | 'within' | 'after' {
  if (now.getTime() < parseOpensslDate(validFrom).getTime()) return 'before'
  return now.getTime() <= parseOpensslDate(validTo).getTime() ? 'within' : 'after'
}

/** OpenSSL's `Nov 23 09:34:16 2026 GMT` in ISO 8601; a text that is no date as it is, for it may come from a hostile certificate. */
export function toIso(opensslDate: string): string {
  const date = parseOpensslDate(opensslDate)
  return Number.isNaN(date.getTime()) ? opensslDate : date.toISOString()
}

function parseOpensslDate(text: string): Date {
  // oxlint-disable-next-line no-restricted-globals -- reads a text, not the clock
  return new Date(text)
}
