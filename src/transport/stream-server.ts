import { resolveLimits, type SessionLimits } from '../security/limits.ts'
import type { TlsEngineFactory } from '../security/tls-engine.ts'
import { toHex } from '../shared/bytes.ts'
import { SzmqError } from '../shared/errors.ts'
import { decodeFrame, encodeFrame, type Frame, type SessionId } from './frame.codec.ts'
import { HalfOpenTable } from './half-open-table.ts'
import { ResetBudget } from './reset-budget.ts'
import type { ChannelEvent, ChannelListener, SecureChannel } from './secure-channel.ts'
import { createStreamCounters, type StreamCounters } from './stream-counters.ts'
import { DEFAULT_STREAM_LIMITS, type StreamLimits } from './stream-limits.ts'
import { StreamSession, type Envelope, type FrameOutput, type StreamDependencies } from './stream-session.ts'

export interface StreamServerOptions {
  /** Makes server engines. */
  readonly engine: TlsEngineFactory
  readonly limits?: Partial<StreamLimits>
  readonly sessionLimits?: Partial<SessionLimits>
}

/**
 * Every session that comes by one ROUTER, in a table by session id. Sans-IO: `receive` takes each ZeroMQ message, `output` gets each
 * message for the socket. What cannot be taken is dropped and counted; one session's trouble is never another's.
 */
export class StreamServer {
  readonly counters: Readonly<StreamCounters>
  readonly #counters = createStreamCounters()
  readonly #options: StreamServerOptions
  readonly #limits: StreamLimits
  readonly #dependencies: StreamDependencies
  readonly #output: (frame: FrameOutput) => void
  readonly #onChannel: (channel: SecureChannel) => ChannelListener
  readonly #sessions = new Map<SessionId, StreamSession>()
  readonly #halfOpen: HalfOpenTable<StreamSession>
  readonly #closedIds = new Set<SessionId>()
  readonly #resets: ResetBudget

  /** @param onChannel called for each new session, before its first handshake: nothing about the peer is proven until `open` */
  constructor(
    options: StreamServerOptions,
    dependencies: StreamDependencies,
    output: (frame: FrameOutput) => void,
    onChannel: (channel: SecureChannel) => ChannelListener,
  ) {
    this.counters = this.#counters
    this.#options = options
    this.#limits = resolveLimits(DEFAULT_STREAM_LIMITS, options.limits)
    this.#dependencies = dependencies
    this.#output = output
    this.#onChannel = onChannel
    this.#halfOpen = new HalfOpenTable(this.#limits.maxHalfOpenSessions)
    this.#resets = new ResetBudget(this.#limits.maxResetsPerSecond, dependencies.clock)
  }

  get channels(): Iterable<SecureChannel> {
    return this.#sessions.values()
  }

  get halfOpenSessions(): number {
    return this.#halfOpen.size
  }

  /** One ZeroMQ message, all its parts, the envelope included. Never throws for what is in it. May keep the parts. */
  receive(message: readonly Uint8Array[]): void {
    const frame = decodeFrame(message.at(-2), message.at(-1))
    if (frame instanceof SzmqError) {
      this.#drop(frame.code === 'ERR_SZMQ_PROTOCOL_MISMATCH' ? 'unknownVersion' : 'malformed')
      return
    }
    const envelope = message.slice(0, -2)
    if (!this.#fits(envelope)) this.#drop('oversizedEnvelope')
    else if (frame.from === 'server') this.#drop('reflected')
    // Only a server asks for a reset in words; a client just begins a new epoch.
    else if (frame.kind === 'reset') this.#drop('resetsReceived')
    else this.#takeFrame(frame, envelope)
  }

  /** Destroys every session. */
  destroy(error?: SzmqError): void {
    for (const session of [...this.#sessions.values()]) session.destroy(error)
  }

  #takeFrame(frame: Extract<Frame, { kind: 'tls' }>, envelope: Envelope): void {
    const session = this.#sessions.get(frame.sessionId) ?? this.#admit(frame, envelope)
    if (session?.receiveTls(frame, envelope) === 'foreignPath') this.#answerReset(frame, envelope)
  }

  #admit(frame: Extract<Frame, { kind: 'tls' }>, envelope: Envelope): StreamSession | undefined {
    if (this.#closedIds.has(frame.sessionId)) return this.#drop('closedSession')
    if (frame.sequence !== 0) {
      this.#answerReset(frame, envelope)
      return this.#drop('unknownSession')
    }
    if (this.#sessions.size >= this.#limits.maxSessions) return this.#drop('refusedSessions')
    const owner = toHex(envelope[0] ?? NOTHING)
    const room = this.#halfOpen.makeRoom(owner)
    if (room.kind === 'refuse') return this.#drop('refusedHalfOpen')
    if (room.kind === 'evict') {
      this.#drop('evictedHalfOpen')
      room.session.destroy(EVICTED)
    }
    return this.#createSession(frame, envelope, owner)
  }

  #createSession({ sessionId, epoch }: Frame, envelope: Envelope, owner: string): StreamSession {
    let listener: ChannelListener = () => {}
    const session: StreamSession = new StreamSession(
      {
        role: 'server',
        engine: this.#options.engine,
        limits: this.#options.sessionLimits ?? {},
        id: sessionId,
        firstEpoch: epoch,
        envelope,
        counters: this.#counters,
      },
      this.#dependencies,
      this.#output,
      (event) => {
        this.#account(session, event, owner)
        listener(event)
      },
    )
    this.#sessions.set(sessionId, session)
    this.#halfOpen.add(owner, session)
    listener = this.#onChannel(session)
    session.open()
    return session
  }

  #account(session: StreamSession, { kind }: ChannelEvent, owner: string): void {
    if (kind !== 'open' && kind !== 'closed' && kind !== 'failed') return
    this.#halfOpen.delete(owner, session)
    if (kind === 'open') return
    if (this.#sessions.get(session.id) === session) this.#sessions.delete(session.id)
    if (kind === 'closed') this.#rememberClosed(session.id)
  }

  #rememberClosed(id: SessionId): void {
    this.#closedIds.add(id)
    const [oldest] = this.#closedIds
    if (this.#closedIds.size > this.#limits.maxClosedIds && oldest !== undefined) this.#closedIds.delete(oldest)
  }

  /** A reset has no bytes: never more than what came in. */
  #answerReset({ sessionId, epoch }: Frame, envelope: Envelope): void {
    if (!this.#resets.take()) {
      this.#counters.resetsWithheld += 1
      return
    }
    this.#counters.resetsSent += 1
    this.#output({ kind: 'frame', envelope, parts: encodeFrame({ kind: 'reset', from: 'server', sessionId, epoch }) })
  }

  #fits(envelope: Envelope): boolean {
    const { maxEnvelopeParts, maxEnvelopeBytes } = this.#limits
    return envelope.length <= maxEnvelopeParts && envelope.reduce((sum, part) => sum + part.length, 0) <= maxEnvelopeBytes
  }

  #drop(reason: keyof StreamCounters): undefined {
    this.#counters[reason] += 1
  }
}

const NOTHING = new Uint8Array(0)
const EVICTED = new SzmqError(
  'ERR_SZMQ_LIMIT_EXCEEDED',
  'too many handshakes are under way, and the connection of this one has the most: it gave way to a newer one',
)
