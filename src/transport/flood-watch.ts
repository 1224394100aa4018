import type { Clock, Instant, TimerHandle } from '../shared/clock.ts'
import type { StreamCounters } from './stream-counters.ts'

/** How much of what came to a door was dropped or refused, by reason; without those that are 0. */
export type Refusals = Partial<Readonly<Record<keyof StreamCounters, number>>>

export type FloodEvent =
  | { readonly kind: 'begins'; readonly refused: Refusals }
  /** `refused`: from its beginning on. */
  | { readonly kind: 'ends'; readonly durationMs: number; readonly refused: Refusals }

/**
 * Tells when a flood begins, once, and when it is over: at most two events in `quietMs`, whatever comes. Owns one timer, and only in a flood.
 */
export class FloodWatch {
  readonly #perSecond: number
  readonly #quietMs: number
  readonly #clock: Clock
  readonly #counters: Readonly<StreamCounters>
  readonly #listener: (event: FloodEvent) => void
  #secondAt: Instant = -Infinity
  #inSecond = 0
  #atSecond: Readonly<StreamCounters>
  #flood:
    { readonly since: Instant; readonly before: Readonly<StreamCounters>; lastAt: Instant; timer: TimerHandle } | undefined

  constructor(
    { perSecond, quietMs }: { readonly perSecond: number; readonly quietMs: number },
    clock: Clock,
    counters: Readonly<StreamCounters>,
    listener: (event: FloodEvent) => void,
  ) {
    this.#perSecond = perSecond
    this.#quietMs = quietMs
    this.#clock = clock
    this.#counters = counters
    this.#atSecond = { ...counters }
    this.#listener = listener
  }

  /** One message was counted, under `reason` if that is known. */
  note(reason?: keyof StreamCounters): void {
    const now = this.#clock.now()
    if (now - this.#secondAt >= 1_000) {
      this.#secondAt = now
      this.#inSecond = 0
      this.#atSecond = { ...this.#counters, ...(reason === undefined ? {} : { [reason]: this.#counters[reason] - 1 }) }
    }
    this.#inSecond += 1
    if (this.#inSecond < this.#perSecond) return
    if (this.#flood === undefined) this.#begin(now)
    else this.#flood.lastAt = now
  }

  destroy(): void {
    if (this.#flood !== undefined) this.#clock.clearTimeout(this.#flood.timer)
    this.#flood = undefined
  }

  #begin(now: Instant): void {
    this.#flood = { since: this.#secondAt, before: this.#atSecond, lastAt: now, timer: this.#wait(this.#quietMs) }
    this.#listener({ kind: 'begins', refused: difference(this.#atSecond, this.#counters) })
  }

  #wait(delayMs: number): TimerHandle {
    return this.#clock.setTimeout(() => {
      this.#look()
    }, delayMs)
  }

  #look(): void {
    const flood = this.#flood
    if (flood === undefined) return
    const leftMs = flood.lastAt + this.#quietMs - this.#clock.now()
    if (leftMs > 0) {
      flood.timer = this.#wait(leftMs)
      return
    }
    this.#flood = undefined
    const refused = difference(flood.before, this.#counters)
    this.#listener({ kind: 'ends', durationMs: flood.lastAt - flood.since, refused })
  }
}

function difference(before: Readonly<StreamCounters>, now: Readonly<StreamCounters>): Refusals {
  const names = Object.keys(now) as (keyof StreamCounters)[]
  const entries = names.map((name) => [name, now[name] - before[name]] as const).filter(([, count]) => count > 0)
  return Object.fromEntries(entries)
}
