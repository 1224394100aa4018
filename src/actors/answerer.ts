import type { SzmqError } from '../shared/errors.ts'

/** Whoever waits for the answer to an ask, here or far away. Answering twice or late is harmless. */
export interface Answerer {
  answer(value: unknown): void
  fail(error: SzmqError): void
}
