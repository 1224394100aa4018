import { assign, sendTo, setup } from 'xstate'
import { byeMachine } from './bye.machine.ts'
import type { ErrorReference } from './error-reference.ts'
import { handshakeMachine } from './handshake.machine.ts'
import type { SessionLimits } from './limits.ts'
import { resetMachine } from './reset.machine.ts'

export interface SessionInput {
  readonly role: 'client' | 'server'
  readonly firstEpoch: number
  readonly limits: SessionLimits
}

export type SessionMachineEvent =
  | { readonly type: 'open' }
  | { readonly type: 'close'; readonly isDrained: boolean }
  /** Our own side wants new keys. */
  | { readonly type: 'rekey' }
  | { readonly type: 'destroy'; readonly error: ErrorReference }
  | { readonly type: 'hello.sent' }
  | { readonly type: 'hello.received' }
  | { readonly type: 'engine.secure' }
  | { readonly type: 'engine.drain' }
  | { readonly type: 'engine.closeNotifySent' }
  | { readonly type: 'engine.failed'; readonly error: ErrorReference }
  /** The transport saw a gap. */
  | { readonly type: 'stream.broken'; readonly error: ErrorReference }
  | { readonly type: 'peer.accepted' }
  | { readonly type: 'peer.end'; readonly isDrained: boolean }
  | { readonly type: 'peer.closeNotify' }
  /** Inside TLS the peer broke the protocol. */
  | { readonly type: 'peer.violated'; readonly error: ErrorReference }
  /** Plain text from the network: perhaps forged. */
  | { readonly type: 'peer.reset' }
  /** Plain text from the network: the first frame of a new epoch. */
  | { readonly type: 'peer.restarted'; readonly epoch: number }

interface SessionContext {
  readonly role: 'client' | 'server'
  readonly limits: SessionLimits
  readonly epoch: number
  /** The last incarnation that was open; 0 before the first. A server follows to any epoch above it, for others may have been forged. */
  readonly provenEpoch: number
  /** Server: the epoch that the client began and that we have to follow. */
  readonly peerEpoch: number | undefined
  /** Re-handshakes in a row that failed. */
  readonly attempt: number
  /** How often the back-off was doubled; back to 0 once the session was stable. */
  readonly backOffStep: number
  /** Our engine held nothing back when the bye began. */
  readonly isDrained: boolean
  /** Why the session is being reset, or why it failed. */
  readonly error: ErrorReference
}

const NO_ERROR: ErrorReference = { code: 'ERR_SZMQ_INVALID_STATE', message: 'nothing has failed' }
const ASKED: ErrorReference = { code: 'ERR_SZMQ_STREAM_BROKEN', message: 'the peer asked for a reset: it lost this session' }
const RESTARTED: ErrorReference = { code: 'ERR_SZMQ_STREAM_BROKEN', message: 'the peer began a new epoch of this session' }
const CLOSED_IN_RESET: ErrorReference = {
  code: 'ERR_SZMQ_TRUNCATED',
  message: 'the session was closed while it was being reset: neither side could say END; messages may be missing',
}
const REKEYED: ErrorReference = {
  code: 'ERR_SZMQ_ABORTED',
  message: 'new keys were asked for: the next epoch begins, and nothing is wrong',
}
const CUT: ErrorReference = {
  code: 'ERR_SZMQ_TRUNCATED',
  message: 'the peer closed TLS without saying END; messages may be missing',
}

/**
 * The whole life of a session; it holds the charts of the handshake, the reset and the bye. A first handshake that fails is final (the
 * caller may try again with a new session). A session that was open once is reset instead, while attempts last: what breaks it then
 * came by the network, where anyone can write, and must not be able to end it.
 */
export const sessionMachine = setup({
  types: {} as { input: SessionInput; context: SessionContext; events: SessionMachineEvent },
  actors: { handshake: handshakeMachine, reset: resetMachine, bye: byeMachine },
  actions: {
    /** A new engine, a new decoder, and the transport counts from 0 again. */
    startEpoch: () => {},
    reportOpen: () => {},
    reportResetting: () => {},
    reportClosed: () => {},
    reportFailed: () => {},
    /** A server that refused tells so in plain text: an alert cannot always be sent. */
    notifyRefusal: () => {},
    /** Says close_notify without END, so that the peer need not wait. */
    disconnect: () => {},
    /** Destroys the engine. */
    release: () => {},
    toHandshake: sendTo('handshake', ({ event }) => event as never),
    toReset: sendTo('reset', ({ event }) => event as never),
    toBye: sendTo('bye', ({ event }) => event as never),
    keepError: assign({ error: ({ context, event }) => ('error' in event ? event.error : context.error) }),
    keepAsked: assign({ error: ASKED }),
    keepRekeyed: assign({ error: REKEYED }),
    keepCut: assign({ error: CUT }),
    keepClosedInReset: assign({ error: CLOSED_IN_RESET }),
    keepDrained: assign({ isDrained: ({ event }) => 'isDrained' in event && event.isDrained }),
    followPeer: assign({
      error: RESTARTED,
      peerEpoch: ({ context, event }) => ('epoch' in event ? event.epoch : context.peerEpoch),
    }),
    takePeerEpoch: assign({ epoch: ({ context, event }) => ('epoch' in event ? event.epoch : context.epoch) }),
    countAttempt: assign({ attempt: ({ context }) => context.attempt + 1 }),
    /** A server's handshakes are begun by whoever sends a hello, forged ones too: the reset timeout bounds them. */
    countOwnAttempt: assign({ attempt: ({ context }) => context.attempt + (context.role === 'client' ? 1 : 0) }),
    countBackOff: assign({ backOffStep: ({ context }) => context.backOffStep + 1 }),
    proveEpoch: assign({ provenEpoch: ({ context }) => context.epoch, attempt: 0 }),
    forgetBackOff: assign({ backOffStep: 0 }),
  },
  guards: {
    isClient: ({ context }) => context.role === 'client',
    isUnprovenEpoch: ({ context, event }) => isUnproven(context, event),
    isOtherEpoch: ({ context, event }) => isUnproven(context, event) && 'epoch' in event && event.epoch !== context.epoch,
    mayStartOver: ({ context, event }) =>
      isUnproven(context, event) &&
      'epoch' in event &&
      event.epoch !== context.epoch &&
      context.attempt < context.limits.maxResetAttempts,
  },
  delays: {
    stableAfter: ({ context }) => context.limits.stableAfterMs,
    resetTimeout: ({ context }) => context.limits.maxResetMs,
  },
}).createMachine({
  id: 'session',
  context: ({ input }) => ({
    role: input.role,
    limits: input.limits,
    epoch: input.firstEpoch,
    provenEpoch: 0,
    peerEpoch: undefined,
    attempt: 0,
    backOffStep: 0,
    isDrained: true,
    error: NO_ERROR,
  }),
  initial: 'idle',
  on: { destroy: { target: '.failed', actions: 'keepError' } },
  states: {
    idle: { on: { open: 'handshaking', close: 'closed' } },

    handshaking: {
      entry: 'startEpoch',
      invoke: {
        id: 'handshake',
        src: 'handshake',
        input: ({ context }) => ({ role: context.role, limits: context.limits }),
        onDone: [
          { guard: ({ event }) => event.output.kind === 'done', target: 'open' },
          {
            target: 'failed',
            actions: [
              assign({ error: ({ event }) => (event.output.kind === 'failed' ? event.output.error : NO_ERROR) }),
              'notifyRefusal',
            ],
          },
        ],
      },
      on: {
        close: { target: 'closed', actions: 'notifyRefusal' },
        // A client that we forgot tries again: still unproven, so not for ever.
        'peer.restarted': {
          guard: 'mayStartOver',
          target: 'handshaking',
          reenter: true,
          actions: ['takePeerEpoch', 'countAttempt'],
        },
        'hello.sent': { actions: 'toHandshake' },
        'hello.received': { actions: 'toHandshake' },
        'engine.secure': { actions: 'toHandshake' },
        'engine.failed': { actions: 'toHandshake' },
        'stream.broken': { actions: 'toHandshake' },
        'peer.accepted': { actions: 'toHandshake' },
        'peer.closeNotify': { actions: 'toHandshake' },
        'peer.violated': { actions: 'toHandshake' },
        'peer.reset': { guard: 'isClient', actions: 'toHandshake' },
      },
    },

    open: {
      entry: ['proveEpoch', 'reportOpen'],
      after: { stableAfter: { actions: 'forgetBackOff' } },
      on: {
        close: { target: 'closing', actions: 'keepDrained' },
        'peer.end': { target: 'closing', actions: 'keepDrained' },
        'peer.closeNotify': { target: 'failed', actions: 'keepCut' },
        'peer.violated': { target: 'failed', actions: ['keepError', 'disconnect'] },
        rekey: { target: 'resetting', actions: 'keepRekeyed' },
        'engine.failed': { target: 'resetting', actions: 'keepError' },
        'stream.broken': { target: 'resetting', actions: 'keepError' },
        'peer.reset': { guard: 'isClient', target: 'resetting', actions: 'keepAsked' },
        'peer.restarted': { guard: 'isUnprovenEpoch', target: 'resetting', actions: 'followPeer' },
      },
    },

    resetting: {
      entry: 'reportResetting',
      initial: 'recovering',
      after: { resetTimeout: 'failed' },
      on: { close: { target: 'failed', actions: 'keepClosedInReset' } },
      states: {
        recovering: {
          invoke: {
            id: 'reset',
            src: 'reset',
            input: ({ context }) => context,
            onDone: [
              {
                guard: ({ event }) => event.output.kind === 'restart',
                target: 'handshaking',
                actions: [
                  assign({
                    epoch: ({ context, event }) => (event.output.kind === 'restart' ? event.output.epoch : context.epoch),
                    peerEpoch: undefined,
                  }),
                  'countBackOff',
                ],
              },
              {
                target: '#session.failed',
                actions: assign({
                  error: ({ context, event }) => (event.output.kind === 'restart' ? context.error : event.output.error),
                }),
              },
            ],
          },
          on: { 'peer.restarted': { guard: 'isUnprovenEpoch', actions: 'toReset' } },
        },
        handshaking: {
          entry: 'startEpoch',
          invoke: {
            id: 'handshake',
            src: 'handshake',
            input: ({ context }) => ({ role: context.role, limits: context.limits }),
            onDone: [
              { guard: ({ event }) => event.output.kind === 'done', target: '#session.open' },
              {
                target: 'recovering',
                actions: [
                  assign({
                    error: ({ context, event }) => (event.output.kind === 'failed' ? event.output.error : context.error),
                  }),
                  'countOwnAttempt',
                ],
              },
            ],
          },
          on: {
            'hello.sent': { actions: 'toHandshake' },
            'hello.received': { actions: 'toHandshake' },
            'engine.secure': { actions: 'toHandshake' },
            'engine.failed': { actions: 'toHandshake' },
            'stream.broken': { actions: 'toHandshake' },
            'peer.accepted': { actions: 'toHandshake' },
            'peer.closeNotify': { actions: 'toHandshake' },
            'peer.violated': { actions: 'toHandshake' },
            'peer.reset': { guard: 'isClient', actions: 'toHandshake' },
            // Not counted: hellos can be forged, and must not use the attempts up. The reset timeout bounds them.
            'peer.restarted': { guard: 'isOtherEpoch', target: 'recovering', actions: 'followPeer' },
          },
        },
      },
    },

    closing: {
      invoke: {
        id: 'bye',
        src: 'bye',
        input: ({ context, event }) => ({
          isAnswer: event.type === 'peer.end',
          isDrained: context.isDrained,
          limits: context.limits,
        }),
        onDone: [
          { guard: ({ event }) => event.output.kind === 'closed', target: 'closed' },
          {
            target: 'failed',
            actions: assign({ error: ({ event }) => (event.output.kind === 'closed' ? NO_ERROR : event.output.error) }),
          },
        ],
      },
      on: {
        'engine.drain': { actions: 'toBye' },
        'engine.closeNotifySent': { actions: 'toBye' },
        'engine.failed': { actions: 'toBye' },
        'stream.broken': { actions: 'toBye' },
        'peer.closeNotify': { actions: 'toBye' },
        'peer.violated': { actions: 'toBye' },
        'peer.end': { actions: 'toBye' },
      },
    },

    closed: { entry: ['release', 'reportClosed'], type: 'final' },
    failed: { entry: ['release', 'reportFailed'], type: 'final' },
  },
})

function isUnproven({ role, provenEpoch }: SessionContext, event: SessionMachineEvent): boolean {
  return role === 'server' && event.type === 'peer.restarted' && event.epoch > provenEpoch
}
