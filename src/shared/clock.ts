/** Milliseconds on a monotonic scale without a meaning of its own: only differences count. */
export type Instant = number

/** What {@link Clock.setTimeout} gives back, to be handed to {@link Clock.clearTimeout}. */
export type TimerHandle = unknown

/**
 * Time as every core sees it. The real one is `systemClock` (`system-clock.driver.ts`), the simulated one `FakeClock` of the
 * test kit. It has the shape that xstate asks for, so charts run on the same clock as the code around them.
 */
export interface Clock {
  now(): Instant
  setTimeout(callback: () => void, delayMs: number): TimerHandle
  clearTimeout(handle: TimerHandle): void
}
