import { PROFILES, type Profile } from './priority-keywords.ts'

/** What stands behind `%` in a priority string: those of GnuTLS 3.7.9, then those that came until 3.8.10. Here case matters. */
const OTHER_SPECIALS = [
  'ALLOW_SMALL_RECORDS',
  'COMPAT',
  'DEBUG_ALLOW_KEY_USAGE_VIOLATIONS',
  'DISABLE_SAFE_RENEGOTIATION',
  'DISABLE_TLS13_COMPAT_MODE',
  'DISABLE_WILDCARDS',
  'DUMBFW',
  'FALLBACK_SCSV',
  'FORCE_ETM',
  'LATEST_RECORD_VERSION',
  'NEW_PADDING',
  'NO_ETM',
  'NO_EXTENSIONS',
  'NO_SESSION_HASH',
  'NO_TICKETS',
  'NO_TICKETS_TLS12',
  'PARTIAL_RENEGOTIATION',
  'SAFE_RENEGOTIATION',
  'SERVER_PRECEDENCE',
  'SSL3_RECORD_VERSION',
  'STATELESS_COMPRESSION',
  'UNSAFE_RENEGOTIATION',
  'VERIFY_ALLOW_BROKEN',
  'VERIFY_ALLOW_SIGN_RSA_MD5',
  'VERIFY_ALLOW_X509_V1_CA_CRT',
  'VERIFY_DISABLE_CRL_CHECKS',
  'FORCE_SESSION_HASH',
  'NO_SHUFFLE_EXTENSIONS',
  'NO_STATUS_REQUEST',
  'VERIFY_ALLOW_SIGN_WITH_SHA1',
] as const

export type Special = (typeof OTHER_SPECIALS)[number] | `PROFILE_${Profile}`

export const SPECIALS: readonly Special[] = [...OTHER_SPECIALS, ...PROFILES.map((profile) => `PROFILE_${profile}` as const)]

export function findSpecial(name: string): Special | undefined {
  return SPECIALS.find((special) => special === name)
}

/** The profile of a `%PROFILE_…`. */
export function profileOf(special: Special): Profile | undefined {
  return PROFILES.find((profile) => special === `PROFILE_${profile}`)
}
