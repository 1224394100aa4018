import { assign, setup } from 'xstate'
import type { ErrorReference } from './error-reference.ts'
import type { SessionLimits } from './limits.ts'

export interface ByeInput {
  /** The peer said END first: ours is the answer. */
  readonly isAnswer: boolean
  /** The engine holds nothing back. */
  readonly isDrained: boolean
  readonly limits: SessionLimits
}

export type ByeEvent =
  | { readonly type: 'engine.drain' }
  /** Our END and close_notify have left. */
  | { readonly type: 'engine.closeNotifySent' }
  | { readonly type: 'peer.end' }
  | { readonly type: 'peer.closeNotify' }
  | { readonly type: 'engine.failed'; readonly error: ErrorReference }
  | { readonly type: 'stream.broken'; readonly error: ErrorReference }
  | { readonly type: 'peer.violated'; readonly error: ErrorReference }

export type ByeOutput =
  | { readonly kind: 'closed' }
  | { readonly kind: 'truncated'; readonly error: ErrorReference }
  | { readonly kind: 'timedOut'; readonly error: ErrorReference }

export interface ByeContext extends ByeInput {
  readonly output: ByeOutput
}

/**
 * The end of a session. TLS alone cannot tell a cut from an end, so each side says END inside TLS, with close_notify behind it;
 * whoever has not seen the peer's END knows that something may be missing.
 */
export const byeMachine = setup({
  types: {} as { input: ByeInput; context: ByeContext; events: ByeEvent; output: ByeOutput },
  actions: {
    /** END inside TLS, then close_notify. */
    sendEnd: () => {},
    keepCut: assign({
      output: ({ event }) => ({
        kind: 'truncated' as const,
        error: truncated('error' in event ? event.error.message : undefined),
      }),
    }),
    keepTimeout: assign({
      output: ({ context }) => ({ kind: 'timedOut' as const, error: unanswered(context.limits.byeTimeoutMs) }),
    }),
  },
  guards: {
    isAnswer: ({ context }) => context.isAnswer,
    isDrained: ({ context }) => context.isDrained,
  },
  delays: {
    byeTimeout: ({ context }) => context.limits.byeTimeoutMs,
    flushTimeout: ({ context }) => context.limits.flushTimeoutMs,
  },
}).createMachine({
  id: 'bye',
  context: ({ input }) => ({ ...input, output: { kind: 'closed' } }),
  output: ({ context }) => context.output,
  initial: 'ending',
  states: {
    ending: {
      initial: 'draining',
      after: { byeTimeout: { target: 'timedOut', actions: 'keepTimeout' } },
      on: {
        'peer.closeNotify': { target: 'truncated', actions: 'keepCut' },
        'engine.failed': { target: 'truncated', actions: 'keepCut' },
        'stream.broken': { target: 'truncated', actions: 'keepCut' },
        'peer.violated': { target: 'truncated', actions: 'keepCut' },
      },
      states: {
        draining: {
          always: [
            { guard: 'isAnswer', target: '#bye.answering' },
            { guard: 'isDrained', target: 'sendingEnd' },
          ],
          // An answer does not wait: the peer's close_notify is on its way, and some engines take nothing more behind it.
          on: { 'engine.drain': 'sendingEnd', 'peer.end': '#bye.answering' },
        },
        sendingEnd: {
          entry: 'sendEnd',
          on: { 'engine.closeNotifySent': 'awaitingPeerEnd', 'peer.end': '#bye.flushing' },
        },
        awaitingPeerEnd: { on: { 'peer.end': '#bye.closed' } },
      },
    },
    answering: { entry: 'sendEnd', always: 'flushing' },
    // The peer's END is here: nothing can be missing any more, whatever happens. Only our own END has to leave.
    flushing: {
      after: { flushTimeout: 'closed' },
      on: { 'engine.closeNotifySent': 'closed', 'engine.failed': 'closed', 'stream.broken': 'closed' },
    },
    closed: { type: 'final' },
    truncated: { type: 'final' },
    timedOut: { type: 'final' },
  },
})

function truncated(detail = 'close_notify without END'): ErrorReference {
  return {
    code: 'ERR_SZMQ_TRUNCATED',
    message: `the session ended before the END of the peer arrived (${detail}); messages may be missing`,
  }
}

function unanswered(timeoutMs: number): ErrorReference {
  return {
    code: 'ERR_SZMQ_TRUNCATED',
    message: `the peer has not answered our END within ${timeoutMs} ms; whether it got everything is unknown`,
  }
}
