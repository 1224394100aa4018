import type { Instant } from '../shared/clock.ts'

/** What happens to an actor whose handler threw. Words and defaults are those of Erlang/OTP and Akka. */
export interface Supervision {
  /**
   * - `restart` (default): new state, same ref, same mailbox; the failing message is dropped.
   * - `resume`: the state stays, the failing message is dropped.
   * - `stop`: the actor ends, its waiting messages become dead letters.
   */
  readonly on: 'restart' | 'resume' | 'stop'
  /** Restarts allowed within {@link periodMs}; one more stops the actor. Default 3 (OTP: 1). */
  readonly intensity: number
  /** Milliseconds; default 5 000. */
  readonly periodMs: number
}

export const DEFAULT_SUPERVISION: Supervision = { on: 'restart', intensity: 3, periodMs: 5_000 }

/** Remembers an actor's recent restarts and decides about the next failure. Sans-IO. */
export class RestartIntensity {
  #restarts: Instant[] = []

  /** @returns what to do now; a `restart` is counted. */
  decide({ on, intensity, periodMs }: Supervision, now: Instant): Supervision['on'] {
    if (on !== 'restart') return on
    this.#restarts = this.#restarts.filter((at) => now - at < periodMs)
    if (this.#restarts.length >= intensity) return 'stop'
    this.#restarts.push(now)
    return 'restart'
  }
}
