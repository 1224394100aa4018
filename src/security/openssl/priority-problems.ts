import { isOpensslAtLeast, type SecurityLevel } from './priority-level.ts'
import {
  OPENSSL_CIPHERS,
  OPENSSL_GROUPS,
  OPENSSL_KEY_EXCHANGES,
  OPENSSL_MACS,
  OPENSSL_SIGNATURES,
  OPENSSL_SUITES,
  type OpensslName,
} from './priority-tables.ts'
import type { ListName } from '../priority/priority-names.ts'
import type { CipherSuite } from '../priority/priority-suites.ts'
import type { Priority } from '../priority/priority.ts'

export type OpensslVersionName = 'TLS1.3' | 'TLS1.2'

/** What decides whether something can be said to OpenSSL. */
export interface OpensslScope {
  readonly priority: Priority
  /** `process.versions.openssl` */
  readonly opensslVersion: string
  readonly level: SecurityLevel
  /** Those that remain, the newest first. */
  readonly versions: readonly OpensslVersionName[]
}

/** Why a member of a list cannot be said to OpenSSL, and what to do about it. `undefined`: it can. */
export function findMemberProblem(list: ListName, member: string, scope: OpensslScope): string | undefined {
  switch (list) {
    case 'versions':
      return findVersionProblem(member, scope)
    case 'ciphers':
      return findStrengthProblem(OPENSSL_CIPHERS[member], scope.level)
    case 'macs':
      return findStrengthProblem(OPENSSL_MACS[member], scope.level)
    case 'keyExchanges':
      return findKeyExchangeProblem(member, scope.level)
    case 'groups':
      return findGroupProblem(member, scope)
    case 'signatures':
      return findNameProblem(OPENSSL_SIGNATURES[member], scope)
    case 'clientCertificateTypes':
    case 'serverCertificateTypes':
      return member === 'X509' ? undefined : CANNOT
  }
}

export const CANNOT = 'OpenSSL as Node has it cannot do this: use the gnutls engine, or leave it out'

/** Of TLS 1.3 and older ones alike. */
export function canOffer({ name, keyExchange, cipher, mac }: CipherSuite, level: SecurityLevel): boolean {
  return (
    Object.hasOwn(OPENSSL_SUITES, name) &&
    findStrengthProblem(OPENSSL_CIPHERS[cipher], level) === undefined &&
    findStrengthProblem(OPENSSL_MACS[mac], level) === undefined &&
    (keyExchange === undefined || findKeyExchangeProblem(keyExchange, level) === undefined)
  )
}

function findVersionProblem(version: string, { priority, versions }: OpensslScope): string | undefined {
  const dropped = priority.droppedVersions.get(version)
  if (dropped !== undefined) return `${dropped}: leave one of them out`
  if (version.startsWith('DTLS')) return 'szmq carries TLS inside messages, never DTLS: leave it out'
  if (version !== 'TLS1.3' && version !== 'TLS1.2')
    return 'the openssl engine speaks TLS 1.2 and 1.3 only: use the gnutls engine, or leave it out'
  if (versions.includes(version)) return undefined
  return `nothing else here goes with ${version} in OpenSSL: add a cipher suite of it, or leave it out`
}

function findStrengthProblem(bits: number | undefined, level: SecurityLevel): string | undefined {
  if (bits === undefined) return CANNOT
  return bits < level.bits ? tooWeak(`it counts ${bits} bits`, level) : undefined
}

function findKeyExchangeProblem(keyExchange: string, level: SecurityLevel): string | undefined {
  const FORWARD_SECRECY_FROM_LEVEL = 3
  const known = OPENSSL_KEY_EXCHANGES[keyExchange]
  if (known === undefined) return CANNOT
  if (known.isForwardSecret || level.level < FORWARD_SECRECY_FROM_LEVEL) return undefined
  return tooWeak('it has no forward secrecy', level)
}

function tooWeak(what: string, { level, bits }: SecurityLevel): string {
  return (
    `${what}, and the profile of this string is security level ${level} in OpenSSL, which offers ${bits} bits and more` +
    ': put a lower profile behind, such as "%PROFILE_MEDIUM", use the gnutls engine, or leave it out'
  )
}

function findNameProblem(name: OpensslName | undefined, { level, opensslVersion }: OpensslScope): string | undefined {
  if (name?.since === '3.5' && !isOpensslAtLeast(opensslVersion, 3, 5)) {
    return `OpenSSL has it from 3.5 on, this is ${opensslVersion}: use Node 24 or newer, or leave it out`
  }
  return findStrengthProblem(name?.bits, level)
}

function findGroupProblem(member: string, scope: OpensslScope): string | undefined {
  const group = OPENSSL_GROUPS[member]
  const problem = findNameProblem(group, scope)
  if (problem !== undefined || group === undefined) return problem
  if (group.versions.some((version) => scope.versions.includes(version))) return undefined
  return `OpenSSL agrees on it in ${group.versions.join(' and ')} only, which is off here: use the gnutls engine, or leave it out`
}
