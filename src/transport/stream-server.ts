import type { SessionLimits } from '../security/limits.ts'
import type { TlsEngineFactory } from '../security/tls-engine.ts'
import { toHex } from '../shared/bytes.ts'
import type { Clock } from '../shared/clock.ts'
import { SzmqError } from '../shared/errors.ts'
import { COOKIE_BYTES, decodeFrame, encodeFrame, type Frame, type SessionId } from './frame.codec.ts'
import { FloodWatch, type FloodEvent } from './flood-watch.ts'
import { HalfOpenTable } from './half-open-table.ts'
import { HelloCookies } from './hello-cookies.ts'
import { PathRate } from './path-rate.ts'
import { PathTally } from './path-tally.ts'
import type { ChannelEvent, ChannelListener, SecureChannel } from './secure-channel.ts'
import { createStreamCounters, type StreamCounters } from './stream-counters.ts'
import { resolveStreamLimits, type StreamLimits } from './stream-limits.ts'
import { StreamSession, type Envelope, type FrameOutput, type StreamDependencies } from './stream-session.ts'
import { TokenBucket } from './token-bucket.ts'

export interface StreamServerOptions {
  /** Makes server engines. */
  readonly engine: TlsEngineFactory
  readonly limits?: Partial<StreamLimits>
  readonly sessionLimits?: Partial<SessionLimits>
  /** Hears when more is refused than `floodFromPerSecond`, and when that is over. */
  readonly onFlood?: (event: FloodEvent) => void
}

type TlsFrame = Extract<Frame, { kind: 'tls' }>
/** What may begin a session. */
type Hello = TlsFrame | Extract<Frame, { kind: 'hello' }>

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
  readonly #sessionsOfPath = new PathTally()
  readonly #handshakes: PathRate
  /** Handshakes that may begin without a cookie. */
  readonly #freeHandshakes: TokenBucket
  readonly #cookies: HelloCookies
  readonly #cookieRate: PathRate
  readonly #resetRate: PathRate
  readonly #flood: FloodWatch

  /** @param onChannel called for each new session, before its first handshake: nothing about the peer is proven until `open` */
  constructor(
    options: StreamServerOptions,
    dependencies: StreamDependencies,
    output: (frame: FrameOutput) => void,
    onChannel: (channel: SecureChannel) => ChannelListener,
  ) {
    const limits = resolveStreamLimits(options.limits)
    const { clock } = dependencies
    this.counters = this.#counters
    this.#options = options
    this.#limits = limits
    this.#dependencies = dependencies
    this.#output = output
    this.#onChannel = onChannel
    this.#halfOpen = new HalfOpenTable(limits.maxHalfOpenSessions)
    this.#handshakes = pathRate(limits.maxHandshakesPerSecond, limits.maxHandshakesPerSecondOfPath, clock)
    this.#freeHandshakes = new TokenBucket(limits.cookieFromHandshakesPerSecond, clock)
    this.#cookies = new HelloCookies(limits.cookieLifetimeMs, dependencies)
    this.#cookieRate = pathRate(limits.maxCookiesPerSecond, limits.maxCookiesPerSecondOfPath, clock)
    this.#resetRate = pathRate(limits.maxResetsPerSecond, limits.maxResetsPerSecondOfPath, clock)
    const flood = { perSecond: limits.floodFromPerSecond, quietMs: limits.floodQuietMs }
    this.#flood = new FloodWatch(flood, clock, this.#counters, options.onFlood ?? (() => {}))
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
    else if (frame.bytes.length > this.#limits.maxFrameBytes) this.#drop('oversizedFrame')
    else this.#takeFrame(frame, envelope)
  }

  /** Destroys every session. */
  destroy(error?: SzmqError): void {
    for (const session of [...this.#sessions.values()]) session.destroy(error)
    this.#flood.destroy()
  }

  #takeFrame(frame: Hello, envelope: Envelope): void {
    const tls: TlsFrame = frame.kind === 'tls' ? frame : { ...frame, kind: 'tls', sequence: 0 }
    const session = this.#sessions.get(frame.sessionId) ?? this.#admit(frame, tls.sequence, envelope)
    const verdict = session?.receiveTls(tls, envelope)
    if (verdict === 'fed' || verdict === undefined) return
    this.#flood.note()
    if (verdict === 'foreignPath' || verdict === 'otherEpoch') this.#answerReset(frame, envelope)
  }

  /** Nothing is kept of who is not let in, and nothing begun: see `docs/limits.md` for the order. */
  #admit(frame: Hello, sequence: number, envelope: Envelope): StreamSession | undefined {
    if (this.#closedIds.has(frame.sessionId)) return this.#drop('closedSession')
    if (sequence !== 0) {
      this.#answerReset(frame, envelope)
      return this.#drop('unknownSession')
    }
    const path = pathOf(envelope)
    const full = this.#whyFull(path)
    if (full !== undefined) return this.#drop(full)
    if (!this.#hasGoodCookie(frame, envelope) && this.#isUnderLoad()) return this.#askForCookie(frame, envelope)
    if (!this.#handshakes.take(path)) return this.#drop('refusedRate')
    const room = this.#halfOpen.makeRoom(path)
    if (room.kind === 'refuse') return this.#drop('refusedHalfOpen')
    if (room.kind === 'evict') {
      this.#drop('evictedHalfOpen')
      room.session.destroy(EVICTED)
    }
    return this.#createSession(frame, envelope, path)
  }

  #whyFull(path: string): keyof StreamCounters | undefined {
    const { maxSessions, maxSessionsPerPath, maxHalfOpenPerPath } = this.#limits
    if (this.#sessions.size >= maxSessions) return 'refusedSessions'
    if (this.#sessionsOfPath.of(path) >= maxSessionsPerPath) return 'refusedSessionsOfPath'
    if (this.#halfOpen.countOf(path) >= maxHalfOpenPerPath) return 'refusedHalfOpenOfPath'
    return this.#handshakes.allows(path) ? undefined : 'refusedRateOfPath'
  }

  /** Asked once for each hello without a good cookie: those are counted. */
  #isUnderLoad(): boolean {
    return this.#halfOpen.size >= this.#limits.cookieFromHalfOpenSessions || !this.#freeHandshakes.take()
  }

  #hasGoodCookie(frame: Hello, envelope: Envelope): boolean {
    if (frame.kind === 'tls') return false
    if (this.#cookies.isGood(frame.cookie, { ...frame, envelope })) return true
    this.#counters.cookiesRefused += 1
    return false
  }

  /** Never more bytes than came in, and nothing is remembered. */
  #askForCookie(frame: Hello, envelope: Envelope): undefined {
    if (frame.bytes.length < COOKIE_BYTES || !this.#cookieRate.take(pathOf(envelope))) return this.#drop('cookiesWithheld')
    const { sessionId, epoch } = frame
    const cookie = this.#cookies.bake({ envelope, sessionId, epoch })
    this.#drop('cookiesSent')
    this.#output({ kind: 'frame', envelope, parts: encodeFrame({ kind: 'cookie', from: 'server', sessionId, epoch, cookie }) })
  }

  #createSession({ sessionId, epoch }: Hello, envelope: Envelope, path: string): StreamSession {
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
        maxHandshakeBytes: this.#limits.maxHandshakeBytes,
      },
      this.#dependencies,
      this.#output,
      (event) => {
        this.#account(session, event, path)
        listener(event)
      },
    )
    this.#sessions.set(sessionId, session)
    this.#halfOpen.add(path, session)
    this.#sessionsOfPath.add(path)
    listener = this.#onChannel(session)
    session.open()
    return session
  }

  #account(session: StreamSession, { kind }: ChannelEvent, path: string): void {
    if (kind !== 'open' && kind !== 'closed' && kind !== 'failed') return
    this.#halfOpen.delete(path, session)
    if (kind === 'open') return
    if (this.#sessions.get(session.id) === session && this.#sessions.delete(session.id)) this.#sessionsOfPath.remove(path)
    if (kind === 'closed') this.#rememberClosed(session.id)
  }

  #rememberClosed(id: SessionId): void {
    this.#closedIds.add(id)
    const [oldest] = this.#closedIds
    if (this.#closedIds.size > this.#limits.maxClosedIds && oldest !== undefined) this.#closedIds.delete(oldest)
  }

  /** A reset has no bytes: never more than what came in. */
  #answerReset({ sessionId, epoch }: Frame, envelope: Envelope): void {
    if (!this.#resetRate.take(pathOf(envelope))) {
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
    this.#flood.note(reason)
  }
}

function pathRate(perSecond: number, perSecondOfPath: number, clock: Clock): PathRate {
  return new PathRate({ perSecond, perSecondOfPath }, clock)
}

function pathOf(envelope: Envelope): string {
  return toHex(envelope[0] ?? NOTHING)
}

const NOTHING = new Uint8Array(0)
const EVICTED = new SzmqError(
  'ERR_SZMQ_LIMIT_EXCEEDED',
  'too many handshakes are under way, and the connection of this one has the most: it gave way to a newer one',
)
