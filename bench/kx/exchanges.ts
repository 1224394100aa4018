import type { CertificateKind } from './certificates.ts'

/** One line of the table: how both ends agree on keys, and how each proves who it is. */
export interface Exchange {
  readonly name: string
  readonly version: 'TLSv1.2' | 'TLSv1.3'
  /** What both ends show. */
  readonly certificate: CertificateKind
  /** By its IANA name: what must have been negotiated. */
  readonly suite: string
  /** What must have been negotiated, wherever a library tells. Undefined: no group, or none that libraries tell. */
  readonly group: 'X25519' | 'P-256' | undefined
  /** OpenSSL's names. */
  readonly openssl: { readonly cipher: string; readonly groups: string; readonly needsDhParameters: boolean }
  /** The same as priority strings, for szmq's engines. */
  readonly priority: { readonly openssl: string; readonly gnutls: string }
  /** `none`: each handshake is a full one. Otherwise: each but the first is a resumed one. */
  readonly resumption: 'none' | 'ticket' | 'database'
  /** What `gnutls-cli --benchmark-tls-kx` calls what comes closest, if it has something alike. */
  readonly gnutlsCliTitle: string | undefined
}

const X25519_ECDSA = {
  version: 'TLSv1.3',
  certificate: 'ecdsa-p256',
  suite: 'TLS_AES_128_GCM_SHA256',
  group: 'X25519',
  // The curve of the certificate is allowed as well, as OpenSSL wants.
  openssl: { cipher: 'TLS_AES_128_GCM_SHA256', groups: 'X25519:P-256', needsDhParameters: false },
  priority: priorityOf('+VERS-TLS1.3:+GROUP-X25519:+GROUP-SECP256R1'),
} as const

const ECDHE_ECDSA = {
  version: 'TLSv1.2',
  certificate: 'ecdsa-p256',
  suite: 'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256',
  group: 'P-256',
  openssl: { cipher: 'ECDHE-ECDSA-AES128-GCM-SHA256', groups: 'P-256', needsDhParameters: false },
  priority: priorityOf('+VERS-TLS1.2:+ECDHE-ECDSA:+GROUP-SECP256R1'),
} as const

export const exchanges: readonly Exchange[] = [
  {
    name: 'DHE-RSA',
    version: 'TLSv1.2',
    certificate: 'rsa-3072',
    suite: 'TLS_DHE_RSA_WITH_AES_128_GCM_SHA256',
    group: undefined,
    openssl: { cipher: 'DHE-RSA-AES128-GCM-SHA256', groups: 'P-256', needsDhParameters: true },
    // In TLS 1.2 OpenSSL takes no group: with RSA-3072 it takes parameters of 3 072 bits by itself.
    priority: {
      openssl: priorityOf('+VERS-TLS1.2:+DHE-RSA').openssl,
      gnutls: priorityOf('+VERS-TLS1.2:+DHE-RSA:+GROUP-FFDHE3072').gnutls,
    },
    resumption: 'none',
    gnutlsCliTitle: '(TLS1.3)-(DHE-FFDHE3072)-(RSA-PSS-RSAE-SHA256)-(AES-128-GCM)',
  },
  {
    name: 'ECDHE-RSA',
    version: 'TLSv1.2',
    certificate: 'rsa-3072',
    suite: 'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256',
    group: 'P-256',
    openssl: { cipher: 'ECDHE-RSA-AES128-GCM-SHA256', groups: 'P-256', needsDhParameters: false },
    priority: priorityOf('+VERS-TLS1.2:+ECDHE-RSA:+GROUP-SECP256R1'),
    resumption: 'none',
    gnutlsCliTitle: '(TLS1.3)-(ECDHE-SECP256R1)-(RSA-PSS-RSAE-SHA256)-(AES-128-GCM)',
  },
  {
    name: 'ECDHE-ECDSA',
    ...ECDHE_ECDSA,
    resumption: 'none',
    gnutlsCliTitle: '(TLS1.3)-(ECDHE-SECP256R1)-(ECDSA-SECP256R1-SHA256)-(AES-128-GCM)',
  },
  {
    name: 'static RSA',
    version: 'TLSv1.2',
    certificate: 'rsa-3072',
    suite: 'TLS_RSA_WITH_AES_128_GCM_SHA256',
    group: undefined,
    openssl: { cipher: 'AES128-GCM-SHA256', groups: 'P-256', needsDhParameters: false },
    priority: priorityOf('+VERS-TLS1.2:+RSA'),
    resumption: 'none',
    gnutlsCliTitle: '(TLS1.2)-(RSA)-(AES-128-GCM)',
  },
  {
    name: 'X25519 + ECDSA',
    ...X25519_ECDSA,
    resumption: 'none',
    gnutlsCliTitle: '(TLS1.3)-(ECDHE-X25519)-(ECDSA-SECP256R1-SHA256)-(AES-128-GCM)',
  },
  {
    name: 'X25519 + Ed25519',
    ...X25519_ECDSA,
    certificate: 'ed25519',
    resumption: 'none',
    gnutlsCliTitle: '(TLS1.3)-(ECDHE-X25519)-(EdDSA-Ed25519)-(AES-128-GCM)',
  },
  { name: 'resumed by ticket', ...X25519_ECDSA, resumption: 'ticket', gnutlsCliTitle: undefined },
  { name: 'resumed by ticket', ...ECDHE_ECDSA, resumption: 'ticket', gnutlsCliTitle: undefined },
  { name: 'resumed by database', ...ECDHE_ECDSA, resumption: 'database', gnutlsCliTitle: undefined },
]

/** AES-128-GCM everywhere, as in GnuTLS's own benchmark: the rows differ in the exchange and in nothing else. */
function priorityOf(own: string): Exchange['priority'] {
  const signatures = ['RSA-PSS-RSAE-SHA256', 'RSA-SHA256', 'ECDSA-SECP256R1-SHA256', 'ECDSA-SHA256', 'EDDSA-ED25519']
  const priority = `NONE:+AES-128-GCM:+AEAD:+CTYPE-X509:${signatures.map((name) => `+SIGN-${name}`).join(':')}:${own}`
  return { openssl: priority, gnutls: priority }
}

/** What one end says that was negotiated. */
export interface Negotiated {
  readonly version: string
  readonly suite: string
  /** Undefined where this end does not tell. */
  readonly group: string | undefined
  readonly isResumed: boolean
}

/** @throws Error that says what was expected: a figure for another handshake than the row's is worth nothing. */
export function requireNegotiated(exchange: Exchange, seen: Negotiated): void {
  const isRight =
    seen.version === exchange.version &&
    seen.suite === exchange.suite &&
    seen.isResumed === (exchange.resumption !== 'none') &&
    isGroup(exchange, seen.group)
  if (isRight) return
  const { version, suite, group, resumption } = exchange
  throw new Error(`negotiated was ${JSON.stringify(seen)}, expected ${JSON.stringify({ version, suite, group, resumption })}`)
}

const NAMES_OF_GROUP = { X25519: ['X25519'], 'P-256': ['prime256v1', 'SECP256R1', 'secp256r1', 'P-256'] }

/** Of a TLS 1.2 session that is resumed nobody agrees on a group. */
function isGroup({ group, version, resumption }: Exchange, seen: string | undefined): boolean {
  if (group === undefined || seen === undefined || seen === 'unknown') return true
  return NAMES_OF_GROUP[group].includes(seen) || (version === 'TLSv1.2' && resumption !== 'none')
}
