import type { Profile } from '../priority/priority-keywords.ts'

/** OpenSSL's security level: what is worth fewer bits is not offered. From 3 on neither are suites without forward secrecy, nor tickets. */
export interface SecurityLevel {
  readonly level: number
  readonly bits: number
  /** Above what this OpenSSL takes by itself, so it must be told. */
  readonly isRaised: boolean
}

/**
 * The level that holds a profile's promise. A profile is a floor: OpenSSL's own default stays where that is higher, and a profile between
 * two levels takes the upper one.
 */
export function findSecurityLevel(profile: Profile | undefined, opensslVersion: string): SecurityLevel {
  const usual = isOpensslAtLeast(opensslVersion, 3, 2) ? 2 : 1
  const wanted = profile === undefined ? 0 : LEVEL_BY_PROFILE[profile]
  const level = Math.max(usual, wanted)
  return { level, bits: LEVEL_BITS[level] ?? 0, isRaised: level > usual }
}

/** @param version Such as `3.0.19` or `3.5.8+quic`. */
export function isOpensslAtLeast(version: string, major: number, minor: number): boolean {
  const [, seenMajor, seenMinor] = /^(\d+)\.(\d+)/.exec(version) ?? []
  const [majorNumber, minorNumber] = [Number(seenMajor), Number(seenMinor)]
  return majorNumber > major || (majorNumber === major && minorNumber >= minor)
}

/** SSL_CTX_set_security_level(3). */
const LEVEL_BITS = [0, 80, 112, 128, 192, 256]

/** By the bits of each profile: GnuTLS manual, "Selecting cryptographic key sizes". LEGACY has 96. */
const LEVEL_BY_PROFILE: Readonly<Record<Profile, number>> = {
  VERY_WEAK: 0,
  LOW: 1,
  LEGACY: 2,
  MEDIUM: 2,
  HIGH: 3,
  ULTRA: 4,
  FUTURE: 5,
  SUITEB128: 3,
  SUITEB192: 4,
}
