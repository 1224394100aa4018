/** The longest batch between two threads, and so the longest message. */
export const MAX_THREAD_BATCH_BYTES = 64 * 1024 * 1024 - 1_024

/** The longest batch between two nodes: with the link's header it fits the session's `maxMessageBytes`, 16 MiB. */
export const MAX_NODE_BATCH_BYTES = 16 * 1024 * 1024 - 64
