import type { SessionStore } from '../../src/security/resumption/session-store.ts'
import type { Clock } from '../../src/shared/clock.ts'

/** How a store behaves in one call. */
export type Behaviour =
  | { readonly kind: 'works'; readonly afterMs: number }
  | { readonly kind: 'rejects'; readonly afterMs: number }
  | { readonly kind: 'throws' | 'never' }
  /** Answers this, whatever it was asked. */
  | { readonly kind: 'lies'; readonly answer: unknown }

/** A store as others may write it: it works, or fails in the ways that it is told, one call after the other; the last one for good. */
export class ScriptedSessionStore implements SessionStore {
  readonly #clock: Clock
  readonly #script: Behaviour[]
  readonly #sessions = new Map<string, Uint8Array>()
  /** Calls as they came: operation and id. */
  readonly calls: string[] = []
  /** How many are under way. */
  pending = 0

  constructor(clock: Clock, script: readonly Behaviour[]) {
    this.#clock = clock
    this.#script = [...script]
  }

  get(id: Uint8Array): Promise<Uint8Array | undefined> {
    return this.#act('get', id, () => this.#sessions.get(String(id)))
  }

  set(id: Uint8Array, session: Uint8Array): Promise<void> {
    return this.#act('set', id, () => void this.#sessions.set(String(id), session))
  }

  delete(id: Uint8Array): Promise<void> {
    return this.#act('delete', id, () => void this.#sessions.delete(String(id)))
  }

  #act<Answer>(operation: string, id: Uint8Array, work: () => Answer): Promise<Answer> {
    this.calls.push(`${operation} ${String(id)}`)
    const behaviour = (this.#script.length > 1 ? this.#script.shift() : this.#script[0]) ?? { kind: 'works', afterMs: 0 }
    switch (behaviour.kind) {
      case 'works':
        return this.#later(behaviour.afterMs, work)
      case 'rejects':
        return this.#later(behaviour.afterMs, () => {
          throw new Error('the master secret')
        })
      case 'throws':
        throw new Error('the master secret')
      case 'never':
        return new Promise(() => {})
      case 'lies':
        return behaviour.answer as Promise<Answer>
      default:
        return behaviour satisfies never
    }
  }

  #later<Answer>(delayMs: number, work: () => Answer): Promise<Answer> {
    this.pending += 1
    return new Promise((resolve, reject) => {
      const finish = (): void => {
        this.pending -= 1
        try {
          resolve(work())
        } catch (thrown) {
          reject(thrown as Error)
        }
      }
      if (delayMs === 0) finish()
      else this.#clock.setTimeout(finish, delayMs)
    })
  }
}
