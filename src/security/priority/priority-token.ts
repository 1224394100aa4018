import { SzmqError } from '../../shared/errors.ts'
import { findKeyword, listKeywords, type Keyword } from './priority-keywords.ts'
import { findName, listNames, type NameEffect } from './priority-names.ts'
import { findSpecial, SPECIALS, type Special } from './priority-specials.ts'

/** Longest priority string that is read. */
export const MAX_PRIORITY_CHARACTERS = 4_096
/** GnuTLS reads so many and ignores the rest without a word. */
export const MAX_PRIORITY_TOKENS = 128

/** Where something stands in the string. */
export interface Place {
  /** As written, sign included. */
  readonly text: string
  /** Counted from 1. */
  readonly character: number
}

export type PriorityToken = { readonly place: Place } & (
  | { readonly kind: 'none' }
  | { readonly kind: 'keyword'; readonly keyword: Keyword; readonly isAdded: boolean }
  | { readonly kind: 'add'; readonly effects: readonly NameEffect[] }
  | { readonly kind: 'remove'; readonly effects: readonly NameEffect[] }
  | { readonly kind: 'special'; readonly special: Special }
)

/**
 * The tokens between the colons. Blanks in front of a token do not matter.
 *
 * @throws ERR_SZMQ_INVALID_ARGUMENT for a string that is too long, and for the first token that is none, with its place and, where something
 * alike exists, that.
 */
export function readPriorityTokens(text: string): readonly PriorityToken[] {
  if (text.length > MAX_PRIORITY_CHARACTERS) {
    throw invalid(`the priority string has ${text.length} characters: at most ${MAX_PRIORITY_CHARACTERS} are read`)
  }
  const parts = text.split(':')
  if (parts.length > MAX_PRIORITY_TOKENS) {
    throw invalid(`the priority string has ${parts.length} tokens: GnuTLS reads the first ${MAX_PRIORITY_TOKENS} only`)
  }
  let character = 1
  return parts.map((part, index) => {
    const written = part.replace(/^\s+/, '')
    const place = { text: written, character: character + part.length - written.length }
    character += part.length + 1
    return readToken(place, index === 0)
  })
}

function readToken(place: Place, isFirst: boolean): PriorityToken {
  const { text } = place
  const [sign, name] = [text.slice(0, 1), text.slice(1)]
  const keyword = findKeyword(text)
  if (keyword !== undefined) return { place, kind: 'keyword', keyword, isAdded: false }
  switch (sign) {
    case '+':
    case '-':
    case '!':
      return readSigned(place, sign, name)
    case '%': {
      const special = findSpecial(name)
      if (special === undefined) throw unknownToken(place, findAlike(name, SPECIALS, '%'))
      return { place, kind: 'special', special }
    }
    case '@':
      throw invalid(
        `${say(place)} stands for settings of the system's GnuTLS, which szmq does not read: write what it stands for, such as "NORMAL"`,
      )
    default:
      if (text.toUpperCase() === 'NONE') {
        if (isFirst) return { place, kind: 'none' }
        throw invalid(`${say(place)}: NONE stands in front of all else or nowhere`)
      }
      throw unknownToken(place, findAlikeUnsigned(text))
  }
}

function readSigned(place: Place, sign: '+' | '-' | '!', name: string): PriorityToken {
  const keyword = findKeyword(name)
  if (keyword !== undefined && sign === '+') return { place, kind: 'keyword', keyword, isAdded: true }
  if (keyword !== undefined) {
    throw invalid(`${say(place)}: a keyword can be added, not removed; remove what it stands for, such as "-CIPHER-ALL"`)
  }
  const effects = findName(name)
  if (effects === undefined) throw unknownToken(place, findAlike(name, [...listNames(), ...listKeywords()], sign))
  return { place, kind: sign === '+' ? 'add' : 'remove', effects }
}

function unknownToken(place: Place, alike: string | undefined): SzmqError {
  const help =
    alike === undefined ? 'see "Priority strings" in the GnuTLS manual for those there are' : `did you mean "${alike}"?`
  return invalid(`${say(place)} is nothing that a priority string can hold: ${help}`)
}

/** A token and its place, for the text of an error. */
export function say({ text, character }: Place): string {
  const MAX_SHOWN = 64
  const shown = text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text
  return `priority token ${JSON.stringify(shown)} at character ${character}`
}

/** Someone forgot the sign, or misspelt a keyword. */
function findAlikeUnsigned(text: string): string | undefined {
  if (findName(text) !== undefined) return `+${text}`
  const special = findSpecial(text.toUpperCase())
  return special === undefined
    ? (findAlike(text, [...listKeywords(), 'NONE'], '') ?? findAlike(text, listNames(), '+'))
    : `%${special}`
}

function findAlike(name: string, candidates: readonly string[], sign: string): string | undefined {
  if (name === '') return undefined
  const capitals = name.toUpperCase()
  const known = WORDS_OF_OTHERS[capitals] ?? findByEnd(capitals, candidates) ?? findBySpelling(capitals, candidates)
  return known === undefined ? undefined : `${sign}${known}`
}

/** What OpenSSL and others call it. */
const WORDS_OF_OTHERS: Readonly<Record<string, string>> = {
  'P-256': 'GROUP-SECP256R1',
  PRIME256V1: 'GROUP-SECP256R1',
  'P-384': 'GROUP-SECP384R1',
  'P-521': 'GROUP-SECP521R1',
  ECDHE: 'ECDHE-ECDSA',
  DHE: 'DHE-RSA',
  AESGCM: 'AES-256-GCM',
}

/** `TLS1.2` is meant as `VERS-TLS1.2`, `X25519` as `GROUP-X25519`, `SIGN-ED25519` as `SIGN-EdDSA-Ed25519`. */
function findByEnd(capitals: string, candidates: readonly string[]): string | undefined {
  const [, prefix = '', end = ''] = /^((?:VERS|GROUP|SIGN)-)?(.*)$/.exec(capitals) ?? []
  const alike = candidates.filter((candidate) => {
    const upper = candidate.toUpperCase()
    return /^(?:VERS|GROUP|SIGN)-/.test(upper) && upper.startsWith(prefix) && upper.endsWith(`-${end}`)
  })
  return alike.length === 1 ? alike[0] : undefined
}

function findBySpelling(capitals: string, candidates: readonly string[]): string | undefined {
  const MAX_COMPARED = 40
  const plain = squeeze(capitals)
  if (plain.length > MAX_COMPARED) return undefined
  let best: string | undefined
  let shortest = Math.min(2, Math.floor(plain.length / 3)) + 1
  for (const candidate of candidates) {
    const distance = editDistance(plain, squeeze(candidate.toUpperCase()))
    if (distance < shortest) [best, shortest] = [candidate, distance]
  }
  return best
}

/** People differ most in hyphens and underscores. */
function squeeze(name: string): string {
  return name.replaceAll(/[-_ ]/g, '')
}

/** Levenshtein's. */
function editDistance(a: string, b: string): number {
  let above = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (const [row, letter] of a.split('').entries()) {
    let corner = row
    const current = [row + 1]
    for (const [column, other] of b.split('').entries()) {
      const up = above[column + 1] ?? 0
      const left = current[column] ?? 0
      current.push(Math.min(up + 1, left + 1, corner + (letter === other ? 0 : 1)))
      corner = up
    }
    above = current
  }
  return above.at(-1) ?? 0
}

function invalid(text: string): SzmqError {
  return new SzmqError('ERR_SZMQ_INVALID_ARGUMENT', text)
}
