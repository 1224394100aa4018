/** Within a thread, messages are sent in bursts of so many, each handled before the next: below every mailbox limit. */
export const LOCAL_BURST = 5_000
