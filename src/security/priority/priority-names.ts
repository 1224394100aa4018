/** The lists that a priority string fills, each in order of preference. */
export const LIST_NAMES = [
  'versions',
  'ciphers',
  'macs',
  'keyExchanges',
  'groups',
  'signatures',
  'clientCertificateTypes',
  'serverCertificateTypes',
] as const
export type ListName = (typeof LIST_NAMES)[number]

/** What one name of a priority string, such as `AES-256-GCM` or `GROUP-ALL`, does to one list. */
export interface NameEffect {
  readonly list: ListName
  readonly members: readonly string[]
  /** What `-` removes, where that is not the members alone. */
  readonly removed?: readonly string[]
  /** Removing some sets empties the whole list, whatever else stands in it: `-CIPHER-ALL`, even `-SIGN-GOST-ALL` (GnuTLS does so). */
  readonly isRemovedWithAll: boolean
  /** The members count as asked for by name. Those of `VERS-ALL` and the like, as of keywords, do not. */
  readonly isExplicit: boolean
}

/** Names without their sign, in capitals: case does not matter. An empty list: known and without any effect in GnuTLS. */
export function findName(name: string): readonly NameEffect[] | undefined {
  return EFFECTS_BY_NAME.get(name.toUpperCase())
}

/** Every name that {@link findName} knows, spelt as GnuTLS prints it. */
export function listNames(): readonly string[] {
  return NAMES.map(([name]) => name)
}

/** How a member of a list is written in a priority string, without its sign. */
export function toName(list: ListName, member: string): string {
  return `${PREFIX[list]}${member}`
}

const PREFIX: Readonly<Record<ListName, string>> = {
  versions: 'VERS-',
  ciphers: '',
  macs: '',
  keyExchanges: '',
  groups: 'GROUP-',
  signatures: 'SIGN-',
  clientCertificateTypes: 'CTYPE-CLI-',
  serverCertificateTypes: 'CTYPE-SRV-',
}

/** A version with DTLS among them: GnuTLS lists both, szmq speaks TLS only. */
export const TLS_VERSIONS = ['TLS1.3', 'TLS1.2', 'TLS1.1', 'TLS1.0'] as const
export const NORMAL_VERSIONS: readonly string[] = [...TLS_VERSIONS, 'DTLS1.2', 'DTLS1.0']
/** Known, and never switched on by GnuTLS 3.7. */
export const UNSUPPORTED_VERSION = 'SSL3.0'

export const NORMAL_CIPHERS: readonly string[] = words(
  'AES-256-GCM CHACHA20-POLY1305 AES-256-CCM AES-256-CBC AES-128-GCM AES-128-CCM AES-128-CBC',
)
export const NORMAL_MACS: readonly string[] = ['SHA1', 'AEAD']
export const NORMAL_KEY_EXCHANGES: readonly string[] = ['ECDHE-ECDSA', 'ECDHE-RSA', 'RSA', 'DHE-RSA']
const EC_GROUPS = words('SECP256R1 SECP384R1 SECP521R1 X25519 X448')
const DH_GROUPS = words('FFDHE2048 FFDHE3072 FFDHE4096 FFDHE6144 FFDHE8192')
const GOST_GROUPS = words('GC256A GC256B GC256C GC256D GC512A GC512B GC512C')
/** Names without a curve behind them in GnuTLS 3.7: nothing can be agreed with these alone. */
export const EMPTY_GROUPS: ReadonlySet<string> = new Set(words('GC256A GC256C GC256D GC512B GC512C'))
export const NORMAL_GROUPS: readonly string[] = [...EC_GROUPS, ...DH_GROUPS]
/** TLS 1.3 only. GnuTLS has them since 3.8.10 (X25519-KYBER768, a draft of the first, since 3.8.8). */
export const HYBRID_GROUPS: readonly string[] = words('X25519-MLKEM768 SECP256R1-MLKEM768 SECP384R1-MLKEM1024 X25519-KYBER768')
export const SECURE_SIGNATURES: readonly string[] = words(
  `RSA-SHA256 RSA-PSS-SHA256 RSA-PSS-RSAE-SHA256 ECDSA-SHA256 ECDSA-SECP256R1-SHA256 EdDSA-Ed25519
   RSA-SHA384 RSA-PSS-SHA384 RSA-PSS-RSAE-SHA384 ECDSA-SHA384 ECDSA-SECP384R1-SHA384 EdDSA-Ed448
   RSA-SHA512 RSA-PSS-SHA512 RSA-PSS-RSAE-SHA512 ECDSA-SHA512 ECDSA-SECP521R1-SHA512`,
)
export const NORMAL_SIGNATURES: readonly string[] = [...SECURE_SIGNATURES, 'RSA-SHA1', 'ECDSA-SHA1']

const OTHER_CIPHERS = words(
  `AES-192-CBC AES-192-GCM AES-128-CCM-8 AES-256-CCM-8 ARCFOUR-128 ESTREAM-SALSA20-256 SALSA20-256 CHACHA20-32 CHACHA20-64
   CAMELLIA-256-CBC CAMELLIA-192-CBC CAMELLIA-128-CBC CAMELLIA-128-GCM CAMELLIA-256-GCM
   GOST28147-TC26Z-CFB GOST28147-CPA-CFB GOST28147-CPB-CFB GOST28147-CPC-CFB GOST28147-CPD-CFB GOST28147-TC26Z-CNT
   MAGMA-CTR-ACPKM KUZNYECHIK-CTR-ACPKM AES-128-CFB8 AES-192-CFB8 AES-256-CFB8 AES-128-XTS AES-256-XTS AES-128-SIV AES-256-SIV
   3DES-CBC DES-CBC RC2-40 NULL`,
)
const OTHER_MACS = words(
  `SHA256 SHA384 SHA512 SHA224 MD5 UMAC-96 UMAC-128 AES-CMAC-128 AES-CMAC-256 AES-GMAC-128 AES-GMAC-192 AES-GMAC-256
   GOSTR341194 STREEBOG-256 STREEBOG-512 GOST28147-TC26Z-IMIT OMAC-MAGMA OMAC-KUZNYECHIK`,
)
const OTHER_KEY_EXCHANGES = words('DHE-DSS PSK RSA-PSK DHE-PSK ECDHE-PSK SRP-DSS SRP-RSA SRP ANON-DH ANON-ECDH VKO-GOST-12')
const OLD_GROUPS = ['SECP192R1', 'SECP224R1']
/** GnuTLS has the ML-DSA ones since 3.8.10. */
const OTHER_SIGNATURES = words(
  `ML-DSA-44 ML-DSA-65 ML-DSA-87 ECDSA-SHA224 ECDSA-SHA3-224 ECDSA-SHA3-256 ECDSA-SHA3-384 ECDSA-SHA3-512
   RSA-SHA224 RSA-SHA3-224 RSA-SHA3-256 RSA-SHA3-384 RSA-SHA3-512 RSA-RAW RSA-RMD160 RSA-MD5 RSA-MD2
   DSA-SHA1 DSA-SHA224 DSA-SHA256 DSA-SHA384 DSA-SHA512 DSA-SHA3-224 DSA-SHA3-256 DSA-SHA3-384 DSA-SHA3-512
   GOSTR341012-512 GOSTR341012-256 GOSTR341001`,
)

/** Signature algorithms that GnuTLS signs with in a version of TLS; what is in neither is known, and of no use in a handshake. */
export const SIGNATURES_OF_TLS12: ReadonlySet<string> = new Set([
  ...NORMAL_SIGNATURES.filter((name) => !/-SECP\d+R1-/.test(name)),
  'DSA-SHA1',
  'GOSTR341012-512',
  'GOSTR341012-256',
])
export const SIGNATURES_OF_TLS13: ReadonlySet<string> = new Set([
  ...NORMAL_SIGNATURES.filter((name) => !/^ECDSA-SHA(256|384|512)$/.test(name)),
  'ML-DSA-44',
  'ML-DSA-65',
  'ML-DSA-87',
])

const GOST: readonly NameEffect[] = [
  { list: 'groups', members: GOST_GROUPS, isRemovedWithAll: false, isExplicit: true },
  { list: 'signatures', members: ['GOSTR341012-256', 'GOSTR341012-512'], isRemovedWithAll: true, isExplicit: true },
  { list: 'macs', members: ['GOST28147-TC26Z-IMIT'], isRemovedWithAll: true, isExplicit: true },
  { list: 'ciphers', members: ['GOST28147-TC26Z-CNT'], isRemovedWithAll: true, isExplicit: true },
  { list: 'keyExchanges', members: ['VKO-GOST-12'], isRemovedWithAll: true, isExplicit: true },
]

const NAMES: readonly (readonly [name: string, effects: readonly NameEffect[]])[] = [
  ...each('versions', [...NORMAL_VERSIONS, 'DTLS0.9', UNSUPPORTED_VERSION]),
  ['VERS-ALL', [all('versions', NORMAL_VERSIONS)]],
  ['VERS-TLS-ALL', [{ ...all('versions', TLS_VERSIONS), isRemovedWithAll: false }]],
  [
    'VERS-DTLS-ALL',
    [{ ...all('versions', ['DTLS1.2', 'DTLS1.0']), removed: ['DTLS1.2', 'DTLS1.0', 'DTLS0.9'], isRemovedWithAll: false }],
  ],
  ...each('ciphers', [...NORMAL_CIPHERS, ...OTHER_CIPHERS]),
  ['CIPHER-ALL', [all('ciphers', NORMAL_CIPHERS)]],
  ...each('macs', [...NORMAL_MACS, ...OTHER_MACS]),
  ['MAC-ALL', [all('macs', NORMAL_MACS)]],
  ...each('keyExchanges', [...NORMAL_KEY_EXCHANGES, ...OTHER_KEY_EXCHANGES]),
  ['KX-ALL', [all('keyExchanges', NORMAL_KEY_EXCHANGES)]],
  ...each('groups', [...NORMAL_GROUPS, ...HYBRID_GROUPS, ...OLD_GROUPS, ...GOST_GROUPS]),
  ['GROUP-ALL', [all('groups', NORMAL_GROUPS)]],
  ['GROUP-EC-ALL', [{ ...all('groups', EC_GROUPS), isRemovedWithAll: false }]],
  ['GROUP-DH-ALL', [{ ...all('groups', DH_GROUPS), isRemovedWithAll: false }]],
  ...[...EC_GROUPS, ...OLD_GROUPS].map((group) => [`CURVE-${group}`, [one('groups', group)]] as const),
  ['CURVE-ALL', [all('groups', NORMAL_GROUPS)]],
  ...each('signatures', [...NORMAL_SIGNATURES, ...OTHER_SIGNATURES]),
  ['SIGN-ALL', [all('signatures', NORMAL_SIGNATURES)]],
  ...[['X509', 'X509'] as const, ['X.509', 'X509'] as const, ['RAWPK', 'RAWPK'] as const].flatMap(([name, type]) => [
    [`CTYPE-${name}`, [one('clientCertificateTypes', type), one('serverCertificateTypes', type)]] as const,
    [`CTYPE-CLI-${name}`, [one('clientCertificateTypes', type)]] as const,
    [`CTYPE-SRV-${name}`, [one('serverCertificateTypes', type)]] as const,
  ]),
  ['CTYPE-ALL', [anyType('clientCertificateTypes'), anyType('serverCertificateTypes')]],
  ['CTYPE-CLI-ALL', [anyType('clientCertificateTypes')]],
  ['CTYPE-SRV-ALL', [anyType('serverCertificateTypes')]],
  ['GOST', GOST],
  ['GROUP-GOST-ALL', GOST.filter(({ list }) => list === 'groups')],
  ['SIGN-GOST-ALL', GOST.filter(({ list }) => list === 'signatures')],
  ['MAC-GOST-ALL', GOST.filter(({ list }) => list === 'macs')],
  ['CIPHER-GOST-ALL', GOST.filter(({ list }) => list === 'ciphers')],
  ['KX-GOST-ALL', GOST.filter(({ list }) => list === 'keyExchanges')],
  ...['RSA-EXPORT', 'COMP-ALL', 'COMP-NULL', 'COMP-DEFLATE', 'CTYPE-OPENPGP'].map((name) => [name, []] as const),
]

const EFFECTS_BY_NAME: ReadonlyMap<string, readonly NameEffect[]> = new Map(
  NAMES.map(([name, effects]) => [name.toUpperCase(), effects]),
)

function each(list: ListName, members: readonly string[]): readonly (readonly [string, readonly NameEffect[]])[] {
  return members.map((member) => [toName(list, member), [one(list, member)]] as const)
}

function one(list: ListName, member: string): NameEffect {
  return { list, members: [member], isRemovedWithAll: false, isExplicit: true }
}

function all(list: ListName, members: readonly string[]): NameEffect {
  return { list, members, isRemovedWithAll: true, isExplicit: false }
}

function anyType(list: 'clientCertificateTypes' | 'serverCertificateTypes'): NameEffect {
  return { list, members: ['X509', 'RAWPK'], isRemovedWithAll: true, isExplicit: true }
}

function words(text: string): readonly string[] {
  return text.split(/\s+/)
}
