/**
 * Which sessions are still in their first handshake, and by whose connection they came. Bounded: when it is full, whoever holds the
 * most gives one up, so a flood from one connection leaves room for everybody else.
 */
export class HalfOpenTable<Session> {
  readonly #maxSessions: number
  readonly #byOwner = new Map<string, Set<Session>>()
  #size = 0

  constructor(maxSessions: number) {
    this.#maxSessions = maxSessions
  }

  get size(): number {
    return this.#size
  }

  /** How many `owner` has. */
  countOf(owner: string): number {
    return this.#byOwner.get(owner)?.size ?? 0
  }

  /** Who has to go so that `owner` may have one more: a session, nobody, or `owner`'s newcomer itself. */
  makeRoom(
    owner: string,
  ): { readonly kind: 'room' } | { readonly kind: 'evict'; readonly session: Session } | { readonly kind: 'refuse' } {
    if (this.#size < this.#maxSessions) return { kind: 'room' }
    let greediest: string | undefined
    let most = this.#byOwner.get(owner)?.size ?? 0
    for (const [other, sessions] of this.#byOwner) {
      if (sessions.size <= most) continue
      most = sessions.size
      greediest = other
    }
    // Everybody holds one only: then the oldest goes.
    if (greediest === undefined && most <= 1) greediest = this.#byOwner.keys().next().value
    const [oldest] = greediest === undefined ? [] : (this.#byOwner.get(greediest) ?? [])
    return oldest === undefined ? { kind: 'refuse' } : { kind: 'evict', session: oldest }
  }

  add(owner: string, session: Session): void {
    const sessions = this.#byOwner.get(owner) ?? new Set()
    this.#byOwner.set(owner, sessions.add(session))
    this.#size += 1
  }

  /** Harmless when it is not in the table. */
  delete(owner: string, session: Session): void {
    const sessions = this.#byOwner.get(owner)
    if (sessions?.delete(session) !== true) return
    this.#size -= 1
    if (sessions.size === 0) this.#byOwner.delete(owner)
  }
}
