/** Keys that the sender makes for one run and hands to its receiver over the process's own channel. */
export interface CurveKeys {
  readonly server: { readonly publicKey: string; readonly secretKey: string }
}

/** More than a sender is ever ahead: nothing is refused, nothing waits. */
export const CURVE_QUEUE = { sendHighWaterMark: 100_000, sendTimeout: 0, linger: 0 } as const
