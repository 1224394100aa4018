const DAY_MS = 86_400_000
/** However long a certificate lives: no earlier than this before its end does anybody want to hear of it. */
export const LONGEST_NOTICE_MS = 30 * DAY_MS
export const LONGEST_LAST_NOTICE_MS = 7 * DAY_MS

/** How long something that credentials need is good for. */
export interface CredentialTerm {
  /** The own certificate; or a revocation list, without a current one of which no peer is accepted. */
  readonly what: 'certificate' | 'crl'
  /** ISO 8601, as is `validTo`. */
  readonly validFrom: string
  readonly validTo: string
}

export type TermEvent =
  /** Told once when a third of its life is left, and once when a tenth is; at most 30 and 7 days before the end. */
  | { readonly kind: 'expiring'; readonly what: CredentialTerm['what']; readonly validTo: string; readonly remainingMs: number }
  /** Told once. From now on peers refuse this node, or it refuses them. */
  | { readonly kind: 'expired'; readonly what: CredentialTerm['what']; readonly validTo: string }

/** When a term's notices are due, in milliseconds of the epoch: a third left, a tenth left, over. */
function dueTimes({ validFrom, validTo }: CredentialTerm): readonly [number, number, number] {
  const end = parseIso(validTo)
  const lifeMs = end - parseIso(validFrom)
  return [end - Math.min(lifeMs / 3, LONGEST_NOTICE_MS), end - Math.min(lifeMs / 10, LONGEST_LAST_NOTICE_MS), end]
}

/** Sans-IO: tells once what is about to end. */
export class TermWatch {
  #terms: readonly CredentialTerm[] = []
  /** How many of a term's notices are told or passed over, by {@link keyOf}. */
  #told = new Map<string, number>()

  /** What is in use from now on. A term that was there before is not told of again. */
  setTerms(terms: readonly CredentialTerm[]): void {
    this.#terms = terms
    this.#told = new Map(terms.map((term) => [keyOf(term), this.#told.get(keyOf(term)) ?? 0]))
  }

  /** @param nowMs milliseconds of the epoch. @returns what is to be told now; of several notices for one term the last. */
  onTime(nowMs: number): readonly TermEvent[] {
    return this.#terms.flatMap((term): TermEvent[] => {
      const times = dueTimes(term)
      const due = times.filter((time) => nowMs >= time).length
      if (due <= (this.#told.get(keyOf(term)) ?? 0)) return []
      this.#told.set(keyOf(term), due)
      const { what, validTo } = term
      if (due === times.length) return [{ kind: 'expired', what, validTo }]
      return [{ kind: 'expiring', what, validTo, remainingMs: times[2] - nowMs }]
    })
  }

  /** When {@link onTime} will have something to tell, in milliseconds of the epoch. */
  get nextDeadline(): number | undefined {
    const times = this.#terms.flatMap((term) => dueTimes(term).slice(this.#told.get(keyOf(term)) ?? 0))
    return times.length === 0 ? undefined : Math.min(...times)
  }
}

function keyOf({ what, validFrom, validTo }: CredentialTerm): string {
  return `${what} ${validFrom} ${validTo}`
}

function parseIso(text: string): number {
  // oxlint-disable-next-line no-restricted-globals -- reads a text, not the clock
  return Date.parse(text)
}
