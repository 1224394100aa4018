import { assign, setup } from 'xstate'
import type { ErrorReference } from './error-reference.ts'
import type { SessionLimits } from './limits.ts'

export interface HandshakeInput {
  readonly role: 'client' | 'server'
  readonly limits: SessionLimits
}

export type HandshakeEvent =
  /** Our first bytes left. */
  | { readonly type: 'hello.sent' }
  /** The peer's first bytes are here. */
  | { readonly type: 'hello.received' }
  /** Keys exist and *we* verified the peer. */
  | { readonly type: 'engine.secure' }
  /** The peer says, inside TLS, that it verified us. */
  | { readonly type: 'peer.accepted' }
  | { readonly type: 'engine.failed'; readonly error: ErrorReference }
  | { readonly type: 'stream.broken'; readonly error: ErrorReference }
  | { readonly type: 'peer.violated'; readonly error: ErrorReference }
  | { readonly type: 'peer.closeNotify' }
  /** Plain text from the network: perhaps forged. */
  | { readonly type: 'peer.reset' }

export type HandshakeOutput = { readonly kind: 'done' } | { readonly kind: 'failed'; readonly error: ErrorReference }

export interface HandshakeContext extends HandshakeInput {
  readonly error: ErrorReference | undefined
}

const REFUSED: ErrorReference = {
  code: 'ERR_SZMQ_REFUSED_BY_PEER',
  message:
    'the peer closed during the handshake, most often because it does not accept our certificate; look at the log of the peer',
}
const EARLY_ACCEPT: ErrorReference = {
  code: 'ERR_SZMQ_HANDSHAKE_FAILED',
  message: 'the peer accepted a handshake that was not complete on our side; it does not follow the protocol',
}

/**
 * One handshake. In TLS 1.3 a client has its keys before the server has looked at the client's certificate, so keys are not enough:
 * each side sends ACCEPT inside TLS when it verified the other, and is done when it has verified *and* was accepted.
 */
export const handshakeMachine = setup({
  types: {} as { input: HandshakeInput; context: HandshakeContext; events: HandshakeEvent; output: HandshakeOutput },
  actions: {
    /** A client emits its ClientHello, a server begins to listen. */
    beginHandshake: () => {},
    sendAccept: () => {},
    keepError: assign({ error: ({ event }) => ('error' in event ? event.error : undefined) }),
    keepRefusal: assign({ error: REFUSED }),
    keepEarlyAccept: assign({ error: EARLY_ACCEPT }),
    keepTimeout: assign({ error: ({ context }) => timeoutError(context.limits.handshakeTimeoutMs) }),
  },
  guards: { isClient: ({ context }) => context.role === 'client' },
  delays: {
    handshakeTimeout: ({ context }) => context.limits.handshakeTimeoutMs,
    refusalGrace: ({ context }) => context.limits.refusalGraceMs,
  },
}).createMachine({
  id: 'handshake',
  context: ({ input }) => ({ ...input, error: undefined }),
  output: ({ context }) => (context.error === undefined ? { kind: 'done' } : { kind: 'failed', error: context.error }),
  initial: 'running',
  states: {
    running: {
      type: 'parallel',
      after: { handshakeTimeout: { target: 'failed', actions: 'keepTimeout' } },
      on: {
        'engine.failed': { target: 'failed', actions: 'keepError' },
        'stream.broken': { target: 'failed', actions: 'keepError' },
        'peer.violated': { target: 'failed', actions: 'keepError' },
        'peer.closeNotify': { target: 'failed', actions: 'keepRefusal' },
        'peer.accepted': { target: 'failed', actions: 'keepEarlyAccept' },
      },
      states: {
        exchange: {
          initial: 'choosingRole',
          states: {
            choosingRole: { always: [{ guard: 'isClient', target: 'sendingClientHello' }, { target: 'awaitingClientHello' }] },
            sendingClientHello: { entry: 'beginHandshake', on: { 'hello.sent': 'awaitingServerHello' } },
            awaitingServerHello: { on: { 'hello.received': 'negotiating', 'engine.secure': 'awaitingAcceptance' } },
            awaitingClientHello: {
              entry: 'beginHandshake',
              on: { 'hello.received': 'negotiating', 'engine.secure': 'accepting' },
            },
            negotiating: {
              on: { 'engine.secure': [{ guard: 'isClient', target: 'awaitingAcceptance' }, { target: 'accepting' }] },
            },
            awaitingAcceptance: { entry: 'sendAccept', on: { 'peer.accepted': '#handshake.done' } },
            accepting: { entry: 'sendAccept', on: { 'peer.accepted': '#handshake.done' } },
          },
        },
        refusal: {
          initial: 'unheard',
          states: {
            unheard: { on: { 'peer.reset': 'heard' } },
            heard: { after: { refusalGrace: { target: '#handshake.failed', actions: 'keepRefusal' } } },
          },
        },
      },
    },
    done: { type: 'final' },
    failed: { type: 'final' },
  },
})

function timeoutError(timeoutMs: number): ErrorReference {
  return {
    code: 'ERR_SZMQ_HANDSHAKE_TIMEOUT',
    message: `the handshake was not complete after ${timeoutMs} ms; the peer is silent, too slow or not a szmq peer`,
  }
}
