import type { SzmqErrorCode } from '../shared/errors.ts'

/** Why something failed, as it travels in a chart's events and output. Every `SzmqError` is one. */
export interface ErrorReference {
  readonly code: SzmqErrorCode
  readonly message: string
}
