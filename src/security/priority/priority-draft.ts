import { PROFILES, type Keyword, type Profile } from './priority-keywords.ts'
import {
  LIST_NAMES,
  NORMAL_GROUPS,
  NORMAL_SIGNATURES,
  NORMAL_VERSIONS,
  type ListName,
  type NameEffect,
} from './priority-names.ts'
import { profileOf, type Special } from './priority-specials.ts'
import type { Place, PriorityToken } from './priority-token.ts'

/** Something that the string asks for by its own name, not by a keyword or an `…-ALL`. */
export interface Asked {
  readonly list: ListName
  readonly member: string
  readonly place: Place
}

export interface AskedSpecial {
  readonly special: Special
  readonly place: Place
}

/** The lists while the tokens are read, left to right, by the rules of gnutls_priority_init(3). */
export class PriorityDraft {
  readonly specials: AskedSpecial[] = []
  profile: Profile | undefined
  isWithoutTls12Tickets = false
  readonly #lists = new Map<ListName, string[]>(LIST_NAMES.map((list) => [list, []]))
  readonly #asked = new Map<string, Asked>()
  /** The first keyword without a sign replaces what is there; those after it add. */
  #hasKeyword = false

  constructor(tokens: readonly PriorityToken[]) {
    if (tokens[0]?.kind !== 'none') this.#startFromDefaults()
    for (const token of tokens) this.#apply(token)
  }

  list(name: ListName): string[] {
    return this.#lists.get(name) ?? []
  }

  asked(): readonly Asked[] {
    return [...this.#asked.values()]
  }

  #startFromDefaults(): void {
    this.#set('versions', NORMAL_VERSIONS)
    this.#set('clientCertificateTypes', ['X509'])
    this.#set('serverCertificateTypes', ['X509'])
    this.#set('signatures', NORMAL_SIGNATURES)
    this.#set('groups', NORMAL_GROUPS)
  }

  #apply(token: PriorityToken): void {
    switch (token.kind) {
      case 'none':
        this.#hasKeyword = true
        return
      case 'keyword':
        this.#applyKeyword(token.keyword, token.isAdded || this.#hasKeyword)
        if (!token.isAdded) this.#hasKeyword = true
        return
      case 'add':
        for (const effect of token.effects) this.#applyAddition(effect, token.place)
        return
      case 'remove':
        for (const { list, members, removed = members, isRemovedWithAll } of token.effects) {
          this.#remove(list, isRemovedWithAll ? this.list(list) : removed)
        }
        return
      case 'special':
        this.profile = profileOf(token.special) ?? this.profile
        this.specials.push({ special: token.special, place: token.place })
        return
    }
  }

  #applyKeyword(keyword: Keyword, isAdded: boolean): void {
    for (const list of LIST_NAMES) {
      const members = keyword.lists[list]
      if (members === undefined) continue
      if (isAdded) this.#add(list, members)
      else this.#set(list, members)
    }
    this.profile = weaker(this.profile, keyword.profile)
    this.isWithoutTls12Tickets = keyword.isWithoutTls12Tickets
  }

  #applyAddition({ list, members, isExplicit }: NameEffect, place: Place): void {
    this.#add(list, members)
    if (!isExplicit) return
    for (const member of members) this.#asked.set(`${list}/${member}`, { list, member, place })
  }

  #set(list: ListName, members: readonly string[]): void {
    this.#remove(list, this.list(list))
    this.#add(list, members)
  }

  #add(list: ListName, members: readonly string[]): void {
    this.#lists.set(list, [...new Set([...this.list(list), ...members])])
  }

  #remove(list: ListName, members: readonly string[]): void {
    for (const member of members) this.#asked.delete(`${list}/${member}`)
    this.#lists.set(
      list,
      this.list(list).filter((member) => !members.includes(member)),
    )
  }
}

/** A keyword can lower the profile that is set, not raise it. */
function weaker(current: Profile | undefined, given: Profile | undefined): Profile | undefined {
  if (current === undefined || given === undefined) return current ?? given
  return PROFILES.indexOf(given) < PROFILES.indexOf(current) ? given : current
}
