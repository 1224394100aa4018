import { SzmqError } from '../../shared/errors.ts'
import type { Credentials } from '../credentials/credentials.ts'
import { DEFAULT_PRIORITY } from '../priority/priority.ts'
import type { TlsOptions } from '../tls-options.ts'

type Version = 'TLSv1.2' | 'TLSv1.3'

/**
 * The priority string for GnuTLS: the given one or szmq's, then what the credentials need and the string does not speak of itself, then
 * without the versions that are not allowed. Additions stand behind, so what the string has comes first where both would do.
 *
 * @throws ERR_SZMQ_INVALID_ARGUMENT for versions that exclude each other, and for credentials that TLS 1.3 does not know when it is the only
 *   version allowed
 */
export function toPriorityText(
  options: Pick<TlsOptions, 'priority' | 'minVersion' | 'maxVersion'>,
  kinds: ReadonlySet<Credentials['kind']>,
): string {
  const { priority = DEFAULT_PRIORITY, minVersion = 'TLSv1.2', maxVersion = 'TLSv1.3' } = options
  requireVersions(minVersion, maxVersion, kinds)
  const needed = [...kinds].flatMap((kind) =>
    NEEDED[kind].filter(({ names }) => !names.some((name) => mentions(priority, name))),
  )
  return [
    priority,
    ...needed.flatMap(({ adds }) => adds),
    // Otherwise a server that has both would show its certificate to whoever can judge raw public keys only.
    ...(kinds.has('rawPublicKey') && !kinds.has('x509') && !kinds.has('x509Trust') ? ['-CTYPE-X509'] : []),
    '-VERS-DTLS-ALL:-VERS-TLS1.1:-VERS-TLS1.0:-VERS-SSL3.0',
    ...(maxVersion === 'TLSv1.2' ? ['-VERS-TLS1.3'] : []),
    ...(minVersion === 'TLSv1.3' ? ['-VERS-TLS1.2'] : []),
  ].join(':')
}

interface Need {
  /** If the string names one of these, with any sign, it has decided itself. */
  readonly names: readonly string[]
  readonly adds: readonly string[]
}

const FFDHE: Need = {
  names: ['GROUP-FFDHE2048', 'GROUP-FFDHE3072', 'GROUP-FFDHE4096', 'GROUP-DH-ALL', 'GROUP-ALL'],
  adds: ['+GROUP-FFDHE2048', '+GROUP-FFDHE3072', '+GROUP-FFDHE4096'],
}

const NEEDED: { readonly [kind in Credentials['kind']]: readonly Need[] } = {
  x509: [],
  x509Trust: [],
  psk: [{ names: ['ECDHE-PSK', 'DHE-PSK', 'PSK', 'RSA-PSK'], adds: ['+ECDHE-PSK', '+DHE-PSK'] }, FFDHE],
  // There is no authenticated encryption with SRP: its suites are CBC with SHA-1 (RFC 5054 §2.7), sealed by encrypt-then-MAC (RFC 7366).
  srp: [
    { names: ['SRP', 'SRP-RSA', 'SRP-DSS'], adds: ['+SRP'] },
    { names: ['AES-256-CBC'], adds: ['+AES-256-CBC'] },
    { names: ['SHA1'], adds: ['+SHA1'] },
  ],
  insecureAnonymous: [{ names: ['ANON-DH', 'ANON-ECDH'], adds: ['+ANON-DH', '+ANON-ECDH'] }, FFDHE],
  rawPublicKey: [
    {
      names: ['CTYPE-RAWPK', 'CTYPE-CLI-RAWPK', 'CTYPE-SRV-RAWPK', 'CTYPE-ALL'],
      adds: ['+CTYPE-CLI-RAWPK', '+CTYPE-SRV-RAWPK'],
    },
  ],
}

function mentions(priority: string, name: string): boolean {
  return priority
    .toUpperCase()
    .split(/[:,;]/)
    .some((token) => token.trim().replace(/^[+\-!]/, '') === name)
}

function requireVersions(minVersion: Version, maxVersion: Version, kinds: ReadonlySet<Credentials['kind']>): void {
  if (minVersion > maxVersion) {
    throw new SzmqError('ERR_SZMQ_INVALID_ARGUMENT', `minVersion ${minVersion} is above maxVersion ${maxVersion}: swap them`)
  }
  const old = (['srp', 'insecureAnonymous'] as const).find((kind) => kinds.has(kind))
  if (old === undefined || minVersion === 'TLSv1.2') return
  const what = old === 'srp' ? 'SRP (RFC 5054)' : 'anonymous key exchange'
  const text = `${what} ends with TLS 1.2, for TLS 1.3 has no such key exchange, but minVersion is TLSv1.3: allow TLSv1.2, or use other credentials`
  throw new SzmqError('ERR_SZMQ_INVALID_ARGUMENT', text)
}
