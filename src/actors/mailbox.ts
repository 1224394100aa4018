import type { PeerIdentity } from '../transport/index.ts'
import type { Answerer } from './answerer.ts'

/** One waiting message: four places of the mailbox. */
const PLACES = 4

/**
 * An actor's waiting messages, first in, first out. Bounded by whoever puts something in: it only counts. Messages lie flat in
 * one array, so that waiting costs no object of its own.
 */
export class Mailbox {
  #places: unknown[] = []
  #head = 0

  get size(): number {
    return (this.#places.length - this.#head) / PLACES
  }

  /** Of the oldest message. */
  get nextSelector(): number | undefined {
    return this.#places[this.#head] as number | undefined
  }

  /** @param peer who sent it, if another node did */
  put(selector: number, payload: unknown, answerer: Answerer | undefined, peer?: PeerIdentity): void {
    this.#places.push(selector, payload, answerer, peer)
  }

  /** Hands the oldest message to `use` and forgets it. @returns was there one? */
  take<Result>(
    use: (selector: number, payload: unknown, answerer: Answerer | undefined, peer: PeerIdentity | undefined) => Result,
  ): Result | undefined {
    if (this.#head === this.#places.length) return undefined
    const places = this.#places
    const at = this.#head
    const selector = places[at] as number
    const payload = places[at + 1]
    const answerer = places[at + 2] as Answerer | undefined
    const peer = places[at + 3] as PeerIdentity | undefined
    // Let go of what was taken: a long queue must not keep its handled messages alive.
    places[at + 1] = undefined
    places[at + 2] = undefined
    places[at + 3] = undefined
    this.#head = at + PLACES
    if (this.#head === places.length) {
      places.length = 0
      this.#head = 0
    } else if (this.#head >= PLACES * 1024 && this.#head * 2 >= places.length) {
      this.#places = places.slice(this.#head)
      this.#head = 0
    }
    return use(selector, payload, answerer, peer)
  }
}
