import type { Clock } from './clock.ts'

/** The process's monotonic clock. Its timers keep the process alive, as Node's own do. */
export const systemClock: Clock = {
  now: () => performance.now(),
  setTimeout: (callback, delayMs) => setTimeout(callback, delayMs),
  clearTimeout: (handle) => {
    clearTimeout(handle as NodeJS.Timeout)
  },
}
