import { SzmqError } from '../../shared/errors.ts'
import { defaultOpensslPriority, toOpensslOptions, type OpensslOptions } from './priority.ts'
import type { OpensslProofs } from './proofs.ts'
import { parsePriority } from '../priority/priority.ts'
import type { TlsOptions } from '../tls-options.ts'

/** Added to the default when there are pre-shared keys. */
const PSK_KEY_EXCHANGES = ':+ECDHE-PSK:+DHE-PSK'
/** OpenSSL takes an external pre-shared key for a SHA-256 one (RFC 8446 §4.2.11): no suite with another hash may be chosen beside it. */
const NOT_FOR_PSK = ['TLS_AES_256_GCM_SHA384']

/**
 * What the priority allows, within the versions that were asked for and with the credentials that are there.
 *
 * @throws ERR_SZMQ_INVALID_ARGUMENT for a priority that OpenSSL cannot do, and for versions that exclude each other
 */
export function resolveOpensslTerms(options: TlsOptions, proofs: OpensslProofs): OpensslOptions {
  const openssl = process.versions.openssl
  const byDefault = `${defaultOpensslPriority(openssl)}${proofs.psk === undefined ? '' : PSK_KEY_EXCHANGES}`
  const terms = toOpensslOptions(parsePriority(options.priority ?? byDefault), openssl)
  const narrowed = {
    ...terms,
    minVersion: options.minVersion === 'TLSv1.3' ? options.minVersion : terms.minVersion,
    maxVersion: options.maxVersion === 'TLSv1.2' ? options.maxVersion : terms.maxVersion,
  }
  requireVersions(narrowed)
  if (proofs.psk === undefined) return narrowed
  const hasCertificates = (options.role === 'client' ? proofs.trust : proofs.own) !== undefined
  return { ...narrowed, ciphers: ciphersForPsk(narrowed, hasCertificates) }
}

/** Suites that the credentials are there for, as GnuTLS chooses by itself. */
function ciphersForPsk({ ciphers, maxVersion }: OpensslOptions, hasCertificates: boolean): string {
  const suites = ciphers
    .split(':')
    .filter((suite) => !NOT_FOR_PSK.includes(suite) && (hasCertificates || /^(TLS_|@)|PSK/.test(suite)))
  if (maxVersion === 'TLSv1.2' || suites.some((suite) => suite.startsWith('TLS_'))) return suites.join(':')
  const seen = 'OpenSSL needs a SHA-256 suite for a pre-shared key in TLS 1.3'
  throw new SzmqError('ERR_SZMQ_INVALID_ARGUMENT', `${seen}: add "+AES-128-GCM" or "+CHACHA20-POLY1305" to the priority`)
}

function requireVersions({ minVersion, maxVersion }: OpensslOptions): void {
  if (minVersion <= maxVersion) return
  const seen = `nothing is left between minVersion ${minVersion} and maxVersion ${maxVersion}`
  throw new SzmqError('ERR_SZMQ_INVALID_ARGUMENT', `${seen}: swap them, or allow more in the priority`)
}
