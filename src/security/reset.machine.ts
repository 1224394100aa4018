import { assign, setup } from 'xstate'
import type { ErrorReference } from './error-reference.ts'
import type { SessionLimits } from './limits.ts'

export interface ResetInput {
  readonly role: 'client' | 'server'
  /** The incarnation that broke. */
  readonly epoch: number
  /** The last incarnation in which the peer proved itself. What was begun after it and failed may have been forged, and counts for nothing. */
  readonly provenEpoch: number
  /** Re-handshakes in a row that failed before this one. */
  readonly attempt: number
  /** How often the back-off was doubled already. */
  readonly backOffStep: number
  /** Server: the client began this epoch by itself; nothing to ask for. */
  readonly peerEpoch: number | undefined
  /** Why we are here. */
  readonly error: ErrorReference
  readonly limits: SessionLimits
}

export type ResetEvent = { readonly type: 'peer.restarted'; readonly epoch: number }

export type ResetOutput =
  | { readonly kind: 'restart'; readonly epoch: number }
  | { readonly kind: 'lost'; readonly error: ErrorReference }
  | { readonly kind: 'exhausted'; readonly error: ErrorReference }

export interface ResetContext extends ResetInput {
  readonly output: ResetOutput
}

/**
 * The way from a broken incarnation to the next: throw away what was queued, then a client backs off and begins a new epoch, while a
 * server asks for one and waits for the client's hello.
 */
export const resetMachine = setup({
  types: {} as { input: ResetInput; context: ResetContext; events: ResetEvent; output: ResetOutput },
  actions: {
    /** Destroys the engine and what is buffered for this session, and only for this one. */
    discard: () => {},
    /** Sends the plain-text reset frame. */
    requestReset: () => {},
    chooseNextEpoch: assign({ output: ({ context }) => ({ kind: 'restart' as const, epoch: context.epoch + 1 }) }),
    takeKnownEpoch: assign({
      output: ({ context }) => ({ kind: 'restart' as const, epoch: context.peerEpoch ?? context.epoch + 1 }),
    }),
    takePeerEpoch: assign({ output: ({ event }) => ({ kind: 'restart' as const, epoch: event.epoch }) }),
    giveUp: assign({ output: ({ context }) => ({ kind: 'exhausted' as const, error: context.error }) }),
    keepLoss: assign({ output: ({ context }) => ({ kind: 'lost' as const, error: context.error }) }),
  },
  guards: {
    isClient: ({ context }) => context.role === 'client',
    isExhausted: ({ context }) => context.attempt >= context.limits.maxResetAttempts,
    knowsPeerEpoch: ({ context }) => context.peerEpoch !== undefined,
    isNewer: ({ context, event }) => event.epoch > context.provenEpoch,
  },
  delays: {
    /** Without jitter here; the session provides it with its own randomness. */
    backOff: ({ context }) => Math.min(context.limits.backOffMaxMs, context.limits.backOffMinMs * 2 ** context.backOffStep),
    renotify: ({ context }) => context.limits.renotifyMs,
    peerHelloTimeout: ({ context }) => context.limits.peerHelloTimeoutMs,
  },
}).createMachine({
  id: 'reset',
  context: ({ input }) => ({ ...input, output: { kind: 'lost', error: input.error } }),
  output: ({ context }) => context.output,
  initial: 'discarding',
  states: {
    discarding: {
      entry: 'discard',
      always: [
        { guard: 'isExhausted', target: 'exhausted', actions: 'giveUp' },
        { guard: 'isClient', target: 'backingOff' },
        { guard: 'knowsPeerEpoch', target: 'restarting', actions: 'takeKnownEpoch' },
        { target: 'asking' },
      ],
    },
    backingOff: { after: { backOff: { target: 'restarting', actions: 'chooseNextEpoch' } } },
    asking: {
      initial: 'notifyingPeer',
      after: { peerHelloTimeout: { target: 'lost', actions: 'keepLoss' } },
      on: { 'peer.restarted': { guard: 'isNewer', target: 'restarting', actions: 'takePeerEpoch' } },
      states: {
        notifyingPeer: { entry: 'requestReset', always: 'awaitingPeerHello' },
        awaitingPeerHello: { after: { renotify: 'notifyingPeer' } },
      },
    },
    restarting: { type: 'final' },
    lost: { type: 'final' },
    exhausted: { type: 'final' },
  },
})
