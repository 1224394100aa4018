import type { Instant } from '../../shared/clock.ts'

export interface CircuitBreakerLimits {
  /** After so many failures in a row there is a rest. */
  readonly restAfterFailures: number
  /** The first rest; each further one in a row is twice as long. */
  readonly restMinMs: number
  /** Rests grow no longer than this. */
  readonly restMaxMs: number
}

/**
 * Decides whether something that keeps failing is worth asking again. Sans-IO: owns no timer. After a rest one question, the probe, is let
 * through; its answer ends the rests, its failure begins the next, longer one.
 */
export class CircuitBreaker {
  readonly #limits: CircuitBreakerLimits
  #failuresInARow = 0
  #rest: { readonly until: Instant; readonly ms: number; isProbing: boolean } | undefined

  constructor(limits: CircuitBreakerLimits) {
    this.#limits = limits
  }

  /** True means: ask, and report how it went by {@link succeeded} or {@link failed}, or no further probe is let through. */
  mayAsk(now: Instant): boolean {
    if (this.#rest === undefined) return true
    if (now < this.#rest.until || this.#rest.isProbing) return false
    this.#rest.isProbing = true
    return true
  }

  /** Everything may be asked again. */
  succeeded(): void {
    this.#failuresInARow = 0
    this.#rest = undefined
  }

  /** @returns how long the rest is that begins with this failure, if one does */
  failed(now: Instant): number | undefined {
    this.#failuresInARow += 1
    if (this.#rest === undefined) {
      return this.#failuresInARow < this.#limits.restAfterFailures ? undefined : this.#begin(now, this.#limits.restMinMs)
    }
    // Otherwise asked before the rest began: it says nothing new.
    return this.#rest.isProbing ? this.#begin(now, Math.min(this.#rest.ms * 2, this.#limits.restMaxMs)) : undefined
  }

  #begin(now: Instant, ms: number): number {
    this.#rest = { until: now + ms, ms, isProbing: false }
    return ms
  }
}
