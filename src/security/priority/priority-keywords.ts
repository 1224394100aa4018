import {
  NORMAL_CIPHERS,
  NORMAL_GROUPS,
  NORMAL_KEY_EXCHANGES,
  NORMAL_MACS,
  NORMAL_SIGNATURES,
  SECURE_SIGNATURES,
  type ListName,
} from './priority-names.ts'

/** What certificates and DH parameters must be worth, from weak to strong in this order. GnuTLS manual, "Selecting cryptographic key sizes". */
export const PROFILES = ['VERY_WEAK', 'LOW', 'LEGACY', 'MEDIUM', 'HIGH', 'ULTRA', 'FUTURE', 'SUITEB128', 'SUITEB192'] as const
export type Profile = (typeof PROFILES)[number]

/** What a keyword such as `NORMAL` stands for, as GnuTLS 3.7 has it. Lists that are not here stay as they are. */
export interface Keyword {
  readonly name: string
  readonly lists: { readonly [list in ListName]?: readonly string[] }
  readonly profile: Profile | undefined
  /** `PFS`: a stolen ticket key would open recorded TLS 1.2 sessions. */
  readonly isWithoutTls12Tickets: boolean
}

/** Case does not matter. `NONE` is not among them: it empties everything, and only in front of all else. */
export function findKeyword(name: string): Keyword | undefined {
  const capitals = name.toUpperCase()
  return KEYWORDS.find((keyword) => keyword.name === (ALIASES[capitals] ?? capitals))
}

export function listKeywords(): readonly string[] {
  return [...KEYWORDS.map(({ name }) => name), ...Object.keys(ALIASES)]
}

const ALIASES: Readonly<Record<string, string>> = { SECURE: 'SECURE128', SECURE256: 'SECURE192' }

const NORMAL: Keyword = {
  name: 'NORMAL',
  lists: {
    ciphers: NORMAL_CIPHERS,
    keyExchanges: NORMAL_KEY_EXCHANGES,
    macs: NORMAL_MACS,
    signatures: NORMAL_SIGNATURES,
    groups: NORMAL_GROUPS,
  },
  profile: 'LOW',
  isWithoutTls12Tickets: false,
}

const SECURE192_CIPHERS = ['AES-256-GCM', 'CHACHA20-POLY1305', 'AES-256-CBC', 'AES-256-CCM']
const SUITEB192_SIGNATURES = ['ECDSA-SHA384', 'ECDSA-SECP384R1-SHA384']

const KEYWORDS: readonly Keyword[] = [
  NORMAL,
  {
    ...NORMAL,
    name: 'PFS',
    lists: { ...NORMAL.lists, keyExchanges: ['ECDHE-ECDSA', 'ECDHE-RSA', 'DHE-RSA'] },
    isWithoutTls12Tickets: true,
  },
  {
    ...NORMAL,
    name: 'SECURE128',
    lists: {
      ...NORMAL.lists,
      ciphers: [...SECURE192_CIPHERS, 'AES-128-GCM', 'AES-128-CBC', 'AES-128-CCM'],
      signatures: SECURE_SIGNATURES,
    },
  },
  {
    ...NORMAL,
    name: 'SECURE192',
    lists: {
      ...NORMAL.lists,
      ciphers: SECURE192_CIPHERS,
      macs: ['AEAD'],
      signatures: SECURE_SIGNATURES.filter((name) => /384|512|448/.test(name)),
      groups: ['SECP384R1', 'SECP521R1', 'FFDHE8192'],
    },
    profile: 'HIGH',
  },
  {
    name: 'SUITEB128',
    lists: {
      versions: ['TLS1.2'],
      ciphers: ['AES-256-GCM', 'AES-128-GCM'],
      macs: ['AEAD'],
      keyExchanges: ['ECDHE-ECDSA'],
      signatures: ['ECDSA-SHA256', 'ECDSA-SECP256R1-SHA256', ...SUITEB192_SIGNATURES],
      groups: ['SECP256R1', 'SECP384R1'],
    },
    profile: 'SUITEB128',
    isWithoutTls12Tickets: false,
  },
  {
    name: 'SUITEB192',
    lists: {
      versions: ['TLS1.2'],
      ciphers: ['AES-256-GCM'],
      macs: ['AEAD'],
      keyExchanges: ['ECDHE-ECDSA'],
      signatures: SUITEB192_SIGNATURES,
      groups: ['SECP384R1'],
    },
    profile: 'SUITEB192',
    isWithoutTls12Tickets: false,
  },
  { ...NORMAL, name: 'LEGACY', profile: undefined },
  {
    ...NORMAL,
    name: 'PERFORMANCE',
    lists: {
      ...NORMAL.lists,
      ciphers: ['AES-128-GCM', 'AES-256-GCM', 'CHACHA20-POLY1305', 'AES-128-CCM', 'AES-256-CCM', 'AES-128-CBC', 'AES-256-CBC'],
      keyExchanges: ['RSA', 'ECDHE-ECDSA', 'ECDHE-RSA', 'DHE-RSA'],
    },
  },
]
