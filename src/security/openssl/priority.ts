import { SzmqError } from '../../shared/errors.ts'
import { findSecurityLevel, isOpensslAtLeast, type SecurityLevel } from './priority-level.ts'
import { canOffer, CANNOT, findMemberProblem, type OpensslScope, type OpensslVersionName } from './priority-problems.ts'
import { fateOf, NO_TICKET, toSecureOptions } from './priority-specials.ts'
import { OPENSSL_GROUPS, OPENSSL_SIGNATURES, OPENSSL_SUITES } from './priority-tables.ts'
import { HYBRID_GROUPS } from '../priority/priority-names.ts'
import type { CipherSuite } from '../priority/priority-suites.ts'
import { say, type Place } from '../priority/priority-token.ts'
import { DEFAULT_HYBRID_PRIORITY, DEFAULT_PRIORITY, type Priority } from '../priority/priority.ts'

/** What `tls.createSecureContext` takes; `groups` is its `ecdhCurve`. */
export interface OpensslOptions {
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3'
  readonly maxVersion: 'TLSv1.2' | 'TLSv1.3'
  /** Suites of both versions in order, then `@SECLEVEL=` if the priority asks for more than OpenSSL does by itself. */
  readonly ciphers: string
  /** `undefined` if no key exchange needs one. */
  readonly groups: string | undefined
  readonly sigalgs: string
  /** Servers: does our order decide? If not, the client's, as in GnuTLS. */
  readonly honorCipherOrder: boolean
  /** For DHE in TLS 1.2: OpenSSL takes parameters that fit the certificate's key. */
  readonly dhparam: 'auto' | undefined
  /** `SSL_OP_…` bits, to be joined with the engine's own. */
  readonly secureOptions: number
}

/**
 * A priority in OpenSSL's words. What a keyword or an `…-ALL` brings along and OpenSSL cannot do, or not at its security level, is left out; what
 * the string names itself is not. `docs/priority.md` has both.
 *
 * @param opensslVersion `process.versions.openssl`: 3.5 has more groups and signatures than 3.0, 3.2 a higher default security level.
 * @throws ERR_SZMQ_INVALID_ARGUMENT for a token that cannot be said to OpenSSL, with its place and the way out, and if too little is left: no
 * version, no cipher suite, no group though one is needed, or no signature algorithm.
 */
export function toOpensslOptions(priority: Priority, opensslVersion: string): OpensslOptions {
  const level = findSecurityLevel(priority.profile, opensslVersion)
  const able = priority.suites.filter((suite) => canOffer(suite, level))
  const versions = findVersions(priority, able)
  const scope: OpensslScope = { priority, opensslVersion, level, versions }
  refuseWhatIsLost(scope)

  const hasTls12 = versions.includes('TLS1.2')
  const suites = able.filter((suite) => versions.includes(versionOf(suite)))
  const specials = priority.specials.map(({ special }) => special)
  const isTicketless = priority.tickets === 'none' || (priority.tickets === 'notInTls12' && hasTls12)
  return {
    minVersion: hasTls12 ? 'TLSv1.2' : 'TLSv1.3',
    maxVersion: versions.includes('TLS1.3') ? 'TLSv1.3' : 'TLSv1.2',
    ciphers: joinCiphers(suites, level),
    groups: joinGroups(suites, scope),
    sigalgs: joinSignatures(scope),
    honorCipherOrder: specials.includes('SERVER_PRECEDENCE'),
    dhparam: suites.some(({ keyExchange }) => keyExchange?.startsWith('DHE-')) ? 'auto' : undefined,
    secureOptions: toSecureOptions(specials) | (isTicketless ? NO_TICKET : 0),
  }
}

/** What a node with this OpenSSL speaks when nobody says otherwise. */
export function defaultOpensslPriority(opensslVersion: string): string {
  return isOpensslAtLeast(opensslVersion, 3, 5) ? DEFAULT_HYBRID_PRIORITY : DEFAULT_PRIORITY
}

/** A version without a suite is none: Node would fall back on the other one, or OpenSSL on its own list. */
function findVersions(priority: Priority, suites: readonly CipherSuite[]): readonly OpensslVersionName[] {
  return (['TLS1.3', 'TLS1.2'] as const).filter(
    (version) => priority.versions.includes(version) && suites.some((suite) => versionOf(suite) === version),
  )
}

function versionOf({ since }: CipherSuite): OpensslVersionName {
  return since === 'TLS1.3' ? 'TLS1.3' : 'TLS1.2'
}

function refuseWhatIsLost(scope: OpensslScope): void {
  const { priority, versions, level } = scope
  for (const { special, place } of priority.specials) refuse(place, fateOf(special) === 'cannot' ? CANNOT : undefined)
  for (const { list, member, place } of priority.asked) refuse(place, findMemberProblem(list, member, scope))
  if (versions.length > 0) return
  if (!priority.versions.includes('TLS1.3') && !priority.versions.includes('TLS1.2')) {
    throw tooLittle('neither TLS 1.3 nor TLS 1.2, and the openssl engine speaks no other: add "+VERS-TLS1.3"')
  }
  throw tooLittle(`no cipher suite that OpenSSL offers at security level ${level.level}: ${ADD_SUITE}`)
}

function refuse(place: Place, problem: string | undefined): void {
  if (problem !== undefined) throw new SzmqError('ERR_SZMQ_INVALID_ARGUMENT', `${say(place)}: ${problem}`)
}

function joinCiphers(suites: readonly CipherSuite[], level: SecurityLevel): string {
  const names = suites.map(({ name }) => OPENSSL_SUITES[name] ?? [])
  if (!level.isRaised) return names.join(':')
  // Node hands the level on with the suites of TLS 1.2, and OpenSSL refuses a list of none. With TLS 1.3 alone this one is never offered;
  // who keeps suites for PSK only keeps it.
  const carrier = suites.every((suite) => versionOf(suite) === 'TLS1.3') ? ['ECDHE-PSK-CHACHA20-POLY1305'] : []
  return [...names, ...carrier, `@SECLEVEL=${level.level}`].join(':')
}

function joinGroups(suites: readonly CipherSuite[], scope: OpensslScope): string | undefined {
  const able = scope.priority.groups.filter((group) => findMemberProblem('groups', group, scope) === undefined)
  if (able.length > 0)
    return able.map((group) => `${findKeyShareMark(group, able)}${OPENSSL_GROUPS[group]?.name ?? ''}`).join(':')
  const needy = suites.find(({ keyExchange }) => keyExchange === undefined || keyExchange.startsWith('ECDHE-'))
  if (needy === undefined) return undefined
  throw tooLittle(
    `no group that OpenSSL offers at security level ${scope.level.level}, and ${needy.name} needs one: ${ADD_GROUP}`,
  )
}

/**
 * With a hybrid group in front, a client also sends the key share of the first classical one, as GnuTLS does: a peer without hybrid groups then
 * needs no second round trip. The `*` is OpenSSL's since 3.5, which also has the hybrid groups.
 */
function findKeyShareMark(group: string, groups: readonly string[]): '*' | '' {
  const [first] = groups
  if (first === undefined || !HYBRID_GROUPS.includes(first)) return ''
  return group === first || group === groups.find((other) => !HYBRID_GROUPS.includes(other)) ? '*' : ''
}

function joinSignatures(scope: OpensslScope): string {
  const able = scope.priority.signatures.filter((name) => findMemberProblem('signatures', name, scope) === undefined)
  if (able.length === 0)
    throw tooLittle(`no signature algorithm that OpenSSL offers at security level ${scope.level.level}: ${ADD_SIGNATURE}`)
  return [...new Set(able.map((name) => OPENSSL_SIGNATURES[name]?.name ?? []))].join(':')
}

const OR_LOWER = 'or put a lower profile behind, such as "%PROFILE_MEDIUM"'
const ADD_SUITE = `add "+AES-256-GCM:+AEAD:+ECDHE-ECDSA", ${OR_LOWER}`
const ADD_GROUP = `add one, such as "+GROUP-SECP384R1", ${OR_LOWER}`
const ADD_SIGNATURE = `add one, such as "+SIGN-ECDSA-SHA384", ${OR_LOWER}`

function tooLittle(what: string): SzmqError {
  return new SzmqError('ERR_SZMQ_INVALID_ARGUMENT', `the priority string leaves ${what}`)
}
