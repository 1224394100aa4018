import { constants } from 'node:crypto'
import { profileOf, type Special } from '../priority/priority-specials.ts'

/**
 * What a `%…` is in OpenSSL.
 * - `said`: the translation says it.
 * - `true already`: OpenSSL does so anyway, or it is without effect in GnuTLS 3.7 as well.
 * - `cannot`: no equal.
 */
export type SpecialFate = 'said' | 'true already' | 'cannot'

export function fateOf(special: Special): SpecialFate {
  if (profileOf(special) !== undefined || SAID.has(special)) return 'said'
  return TRUE_ALREADY.has(special) ? 'true already' : 'cannot'
}

const SAID: ReadonlySet<Special> = new Set(['SERVER_PRECEDENCE', 'NO_TICKETS', 'NO_TICKETS_TLS12', 'NO_ETM'])

const TRUE_ALREADY: ReadonlySet<Special> = new Set([
  // The engine never renegotiates, and OpenSSL refuses servers that could not do so safely.
  'SAFE_RENEGOTIATION',
  'PARTIAL_RENEGOTIATION',
  'NO_SHUFFLE_EXTENSIONS',
  'NO_STATUS_REQUEST',
  'NEW_PADDING',
  'STATELESS_COMPRESSION',
  'VERIFY_ALLOW_X509_V1_CA_CRT',
])

/** The `SSL_OP_…` bits of all that is written. */
export function toSecureOptions(specials: readonly Special[]): number {
  return specials.includes('NO_ETM') ? constants.SSL_OP_NO_ENCRYPT_THEN_MAC : 0
}

/** OpenSSL knows no such switch for TLS 1.2 alone. In TLS 1.3 it leaves tickets that only the same context can open. */
export const NO_TICKET: number = constants.SSL_OP_NO_TICKET
