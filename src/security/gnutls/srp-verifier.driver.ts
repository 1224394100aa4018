import { randomBytes } from 'node:crypto'
import { SzmqError } from '../../shared/errors.ts'
import { SrpCredentials, type SrpVerifier } from '../credentials/srp-credentials.ts'
import { requireSuccess } from './check.driver.ts'
import type { GnutlsLibrary } from './library.driver.ts'
import { readDatum, takeOwnDatum, toDatum } from './memory.driver.ts'
import { DEFAULT_SRP_GROUP_BITS, SRP_SALT_BYTES } from './settings.driver.ts'
import { threadOf } from './thread.driver.ts'

export interface SrpVerifierInput {
  readonly username: string
  readonly password: string
  /** Default: 3072. */
  readonly groupBits?: SrpVerifier['groupBits']
}

/**
 * What a server keeps of a user's password (RFC 5054 §2.4), with a fresh salt.
 *
 * @throws ERR_SZMQ_BAD_CREDENTIALS for a name or password that is empty, too long or holds NUL · ERR_SZMQ_ENGINE_UNAVAILABLE without libgnutls
 */
export function createSrpVerifier({ username, password, groupBits = DEFAULT_SRP_GROUP_BITS }: SrpVerifierInput): SrpVerifier {
  SrpCredentials.client({ username, password })
  const { library } = threadOf()
  const { prime, generator } = findSrpGroup(library, groupBits)
  const salt = randomBytes(SRP_SALT_BYTES)
  const [primeDatum, generatorDatum] = [readDatum(library, prime), readDatum(library, generator)].map(toDatum)
  if (primeDatum === undefined || generatorDatum === undefined)
    throw new SzmqError('ERR_SZMQ_ENGINE_UNAVAILABLE', 'no SRP group')
  let result = 0
  const verifier = takeOwnDatum(library, (datum) => {
    result = library.fn.gnutls_srp_verifier(username, password, toDatum(salt), generatorDatum, primeDatum, datum)
    return result
  })
  requireSuccess(library, result, 'the SRP user name or password')
  return { salt, verifier: verifier ?? new Uint8Array(), groupBits }
}

/** Where GnuTLS keeps the group: two `gnutls_datum_t` that live for ever. */
export function findSrpGroup(
  library: GnutlsLibrary,
  groupBits: SrpVerifier['groupBits'],
): { readonly prime: bigint; readonly generator: bigint } {
  if (![2048, 3072, 4096].includes(groupBits)) {
    throw new SzmqError('ERR_SZMQ_BAD_CREDENTIALS', `an SRP group of ${groupBits} bits: give 2048, 3072 or 4096`)
  }
  return {
    prime: library.symbol(`gnutls_srp_${groupBits}_group_prime`),
    generator: library.symbol(`gnutls_srp_${groupBits}_group_generator`),
  }
}
