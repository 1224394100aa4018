import { SzmqError } from '../../shared/errors.ts'
import { PriorityDraft, type Asked, type AskedSpecial } from './priority-draft.ts'
import type { Profile } from './priority-keywords.ts'
import { LIST_NAMES, toName, type ListName } from './priority-names.ts'
import { settleDraft } from './priority-settle.ts'
import type { CipherSuite } from './priority-suites.ts'
import { readPriorityTokens } from './priority-token.ts'

/**
 * What szmq speaks when nobody says otherwise: TLS 1.3 and 1.2, authenticated encryption with forward secrecy by elliptic curves, no SHA-1.
 * It begins with NONE, so that it means the same in every version of GnuTLS and OpenSSL.
 */
export const DEFAULT_PRIORITY =
  'NONE:+VERS-TLS1.3:+VERS-TLS1.2:+AES-256-GCM:+CHACHA20-POLY1305:+AES-128-GCM:+AEAD:+ECDHE-ECDSA:+ECDHE-RSA' +
  ':+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1:+GROUP-SECP521R1:+GROUP-X448' +
  ':+SIGN-ALL:-SIGN-RSA-SHA1:-SIGN-ECDSA-SHA1:+CTYPE-X509'

/** {@link DEFAULT_PRIORITY} with X25519MLKEM768 in front: for GnuTLS from 3.8.10 on and OpenSSL from 3.5 on, which have it. */
export const DEFAULT_HYBRID_PRIORITY = DEFAULT_PRIORITY.replace(':+GROUP-', ':+GROUP-X25519-MLKEM768:+GROUP-')

/** A GnuTLS priority string, evaluated as GnuTLS 3.7 does. All lists are in order of preference and use GnuTLS's names without prefix. */
export interface Priority extends Readonly<Record<ListName, readonly string[]>> {
  /** What can be negotiated over TLS in some version that is on. First those of TLS 1.3. */
  readonly suites: readonly CipherSuite[]
  readonly specials: readonly AskedSpecial[]
  /** What the certificates and DH parameters of the peer must be worth. */
  readonly profile: Profile | undefined
  readonly tickets: 'allowed' | 'notInTls12' | 'none'
  /** What the string names itself, other than by keyword or `…-ALL`, and has not removed again. */
  readonly asked: readonly Asked[]
  /** Versions that GnuTLS leaves out although the string has them, with the reason for people. */
  readonly droppedVersions: ReadonlyMap<string, string>
}

/**
 * Reads a priority string: `NORMAL:-VERS-TLS1.3:+GROUP-X25519`. Syntax and meaning: GnuTLS manual, "Priority strings"; `docs/priority.md`.
 * Stricter than GnuTLS in what that ignores without a word: unknown names behind `MAC-`, `CIPHER-`, `KX-` and `COMP-`, letters behind
 * `…-ALL`, more than 128 tokens.
 *
 * @throws ERR_SZMQ_INVALID_ARGUMENT for a token that is none (with its place and what may have been meant), `@KEYWORD`, more than 4 096
 * characters, and a string that leaves no TLS version or no cipher suite.
 */
export function parsePriority(text: string): Priority {
  const draft = new PriorityDraft(readPriorityTokens(text))
  const { lists, suites, droppedVersions, problem } = settleDraft(draft)
  if (problem !== undefined) {
    throw new SzmqError('ERR_SZMQ_INVALID_ARGUMENT', `the priority string ${JSON.stringify(shorten(text))} ${problem}`)
  }
  const has = (special: AskedSpecial['special']) => draft.specials.some((asked) => asked.special === special)
  const isWithoutTls12Tickets = draft.isWithoutTls12Tickets || has('NO_TICKETS_TLS12')
  return {
    ...lists,
    suites,
    specials: draft.specials,
    profile: draft.profile,
    tickets: has('NO_TICKETS') ? 'none' : isWithoutTls12Tickets ? 'notInTls12' : 'allowed',
    asked: draft.asked(),
    droppedVersions,
  }
}

/**
 * The evaluated lists as one long priority string without keywords, to show to people. It parses to the same lists again (with all that GnuTLS
 * knows switched on at once it has more tokens than are read).
 */
export function canonicalPriority(priority: Priority): string {
  const members = LIST_NAMES.flatMap((list) => priority[list].map((member) => `+${toName(list, member)}`))
  const specials = priority.specials
    .filter(({ special }) => !special.startsWith('PROFILE_'))
    .map(({ special }) => `%${special}`)
  const implied = [
    ...(priority.tickets === 'notInTls12' ? ['%NO_TICKETS_TLS12'] : []),
    ...(priority.profile === undefined ? [] : [`%PROFILE_${priority.profile}`]),
  ]
  return ['NONE', ...members, ...new Set([...specials, ...implied])].join(':')
}

function shorten(text: string): string {
  const MAX_SHOWN = 200
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text
}
