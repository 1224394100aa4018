import type { PriorityDraft } from './priority-draft.ts'
import {
  EMPTY_GROUPS,
  LIST_NAMES,
  SIGNATURES_OF_TLS12,
  SIGNATURES_OF_TLS13,
  TLS_VERSIONS,
  UNSUPPORTED_VERSION,
  type ListName,
} from './priority-names.ts'
import { findSuite, type CipherSuite } from './priority-suites.ts'

export interface SettledLists {
  readonly lists: Readonly<Record<ListName, readonly string[]>>
  readonly suites: readonly CipherSuite[]
  /** Versions that are left out although the string has them, with the reason for people. */
  readonly droppedVersions: ReadonlyMap<string, string>
  /** For people; begins with a verb. Nothing can be negotiated then. */
  readonly problem: string | undefined
}

/** What GnuTLS does when all tokens are read: versions that cannot be had with the rest are left out, and suites are put together. */
export function settleDraft(draft: PriorityDraft): SettledLists {
  const versions = new Versions(draft.list('versions'))
  versions.drop(UNSUPPORTED_VERSION, 'it is broken (RFC 7568), and GnuTLS has it no more')
  const old = findNeedOfTls12(draft)
  if (old !== undefined) versions.drop('TLS1.3', `${old} cannot be had with it`)

  const isTls13Only = versions.list.length > 0 && versions.list.every((version) => version === 'TLS1.3')
  const hasPsk = draft.list('keyExchanges').some((name) => /^(?:(?:EC)?DHE-)?PSK$/.test(name))
  const keyExchanges = isTls13Only && !hasPsk ? [] : draft.list('keyExchanges')

  const usable = draft.list('signatures').filter((name) => isUsable(name, versions.list))
  if (usable.length === 0) {
    for (const version of ['TLS1.3', 'TLS1.2', 'DTLS1.2']) versions.drop(version, 'no signature algorithm is left for it')
  }
  const hasGroup = draft.list('groups').some((group) => !EMPTY_GROUPS.has(group))
  if (!hasGroup && !hasPsk) versions.drop('TLS1.3', 'no group is left for it')
  if (!versions.has('TLS1.2') && (versions.has('TLS1.1') || versions.has('TLS1.0'))) {
    versions.drop('TLS1.3', 'TLS 1.2 is missing between it and older versions')
  }

  const lists = Object.fromEntries(LIST_NAMES.map((list) => [list, draft.list(list)]))
  const suites = joinSuites(keyExchanges, draft.list('ciphers'), draft.list('macs')).filter((suite) =>
    isNegotiable(suite, versions.list),
  )
  return {
    lists: { ...emptyLists(), ...lists, versions: versions.list, keyExchanges },
    suites,
    droppedVersions: versions.dropped,
    problem: findProblem(draft, versions, suites),
  }
}

class Versions {
  list: readonly string[]
  readonly dropped = new Map<string, string>()

  constructor(list: readonly string[]) {
    this.list = list
  }

  has(version: string): boolean {
    return this.list.includes(version)
  }

  drop(version: string, reason: string): void {
    if (!this.has(version)) return
    this.list = this.list.filter((other) => other !== version)
    this.dropped.set(version, reason)
  }
}

/** TLS 1.3 has none of these. */
function findNeedOfTls12(draft: PriorityDraft): string | undefined {
  const keyExchange = draft.list('keyExchanges').find((name) => name.startsWith('SRP') || name === 'RSA-PSK')
  if (keyExchange !== undefined) return `key exchange ${keyExchange}`
  if (draft.list('ciphers').includes('NULL')) return 'cipher NULL'
  return draft.specials.some(({ special }) => special === 'NO_EXTENSIONS') ? '%NO_EXTENSIONS' : undefined
}

function isUsable(signature: string, versions: readonly string[]): boolean {
  if (versions.includes('TLS1.3') && SIGNATURES_OF_TLS13.has(signature)) return true
  return versions.some((version) => version !== 'TLS1.3') && SIGNATURES_OF_TLS12.has(signature)
}

function joinSuites(
  keyExchanges: readonly string[],
  ciphers: readonly string[],
  macs: readonly string[],
): readonly CipherSuite[] {
  return [undefined, ...keyExchanges].flatMap((keyExchange) =>
    ciphers.flatMap((cipher) => macs.flatMap((mac) => findSuite(keyExchange, cipher, mac) ?? [])),
  )
}

function isNegotiable(suite: CipherSuite, versions: readonly string[]): boolean {
  switch (suite.since) {
    case 'TLS1.3':
      return versions.includes('TLS1.3')
    case 'TLS1.2':
      return versions.includes('TLS1.2')
    case 'TLS1.0':
      return ['TLS1.2', 'TLS1.1', 'TLS1.0'].some((version) => versions.includes(version))
  }
}

function findProblem(draft: PriorityDraft, versions: Versions, suites: readonly CipherSuite[]): string | undefined {
  if (!TLS_VERSIONS.some((version) => versions.has(version))) {
    const reasons = [...versions.dropped].map(([version, reason]) => `${version}: ${reason}`).join('; ')
    const help = reasons === '' ? 'add one, such as "+VERS-TLS1.3"' : reasons
    return `leaves no version of TLS (${help})`
  }
  if (suites.length > 0) return undefined
  const empty = (['ciphers', 'macs', 'keyExchanges'] as const).filter((list) => draft.list(list).length === 0)
  const help = {
    ciphers: 'no cipher: add one, such as "+AES-256-GCM"',
    macs: 'no MAC: add "+AEAD"',
    keyExchanges: 'no key exchange, which TLS 1.2 needs: add one, such as "+ECDHE-ECDSA"',
  }
  const reasons = empty.map((list) => help[list]).join('; ')
  return `leaves no cipher suite (${reasons === '' ? 'its ciphers, MACs, key exchanges and versions do not go together' : reasons})`
}

function emptyLists(): Record<ListName, readonly string[]> {
  return {
    versions: [],
    ciphers: [],
    macs: [],
    keyExchanges: [],
    groups: [],
    signatures: [],
    clientCertificateTypes: [],
    serverCertificateTypes: [],
  }
}
