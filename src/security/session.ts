import { assertNever } from '../shared/assert-never.ts'
import type { Clock, Instant } from '../shared/clock.ts'
import { SzmqError } from '../shared/errors.ts'
import type { Random } from '../shared/random.ts'
import type { ErrorReference } from './error-reference.ts'
import { encodeInnerFrame, InnerFrameDecoder, type InnerFrame } from './inner-frame.codec.ts'
import { DEFAULT_SESSION_LIMITS, resolveLimits, type SessionLimits } from './limits.ts'
import { SessionCharts, type SessionEffect } from './session-charts.ts'
import type { SessionEvent, SessionStatus } from './session-status.ts'
import type { SessionMachineEvent } from './session.machine.ts'
import type { GnutlsHandles } from './gnutls/handles.ts'
import { identityDigest, type PeerIdentity } from './identity.ts'
import type { TlsEngine, TlsEngineFactory, TlsEvent, TlsFacts } from './tls-engine.ts'

export interface SessionOptions {
  readonly role: 'client' | 'server'
  /** Makes the engine of each epoch, for this role. */
  readonly engine: TlsEngineFactory
  readonly limits?: Partial<SessionLimits>
  /** The epoch to begin with; a server that lost its state joins the client's. Default 1. */
  readonly firstEpoch?: number
}

/**
 * A szmq session: messages in and out over one TLS incarnation after the other, until a bye. Sans-IO: bytes and time come in, events
 * go out. The charts alone say where it stands; this class moves bytes and runs what the charts ask for.
 *
 * The listener is never called in the middle of a transition or of a call into the engine, so it may call back at once.
 */
export class Session {
  readonly #role: 'client' | 'server'
  readonly #makeEngine: TlsEngineFactory
  readonly #limits: SessionLimits
  readonly #clock: Clock
  readonly #listener: (event: SessionEvent) => void
  readonly #charts: SessionCharts

  #engine: TlsEngine | undefined
  /** Lives with the engine. */
  #decoder: InnerFrameDecoder | undefined
  #facts: TlsFacts | undefined
  #provenPeer: PeerIdentity | undefined
  #startedAt: Instant = 0
  #bytesIn = 0
  #bytesOut = 0
  #isHeldBack = false

  readonly #work: (() => void)[] = []
  #isWorking = false

  /** @throws ERR_SZMQ_INVALID_ARGUMENT when a limit is not a positive number */
  constructor(
    { role, engine, limits, firstEpoch = 1 }: SessionOptions,
    { clock, random }: { readonly clock: Clock; readonly random: Random },
    listener: (event: SessionEvent) => void,
  ) {
    this.#role = role
    this.#makeEngine = engine
    this.#limits = resolveLimits(DEFAULT_SESSION_LIMITS, limits)
    this.#clock = clock
    this.#listener = listener
    this.#charts = new SessionCharts({ role, firstEpoch, limits: this.#limits }, { clock, random }, (timer) => {
      this.#run(timer)
    })
  }

  get status(): SessionStatus {
    const { state, context } = this.#charts
    const { epoch } = context
    const kind = kindOf(state)
    switch (kind) {
      case 'idle':
      case 'closed':
        return { kind }
      case 'handshaking':
      case 'closing':
        return { kind, epoch }
      case 'open':
        return { kind, epoch, facts: this.#provenFacts() }
      case 'resetting':
      case 'failed':
        return { kind, epoch, error: asError(context.error) }
      default:
        return assertNever(kind)
    }
  }

  /** A client begins its handshake; a server gets ready for the client's hello. */
  open(): void {
    this.#tell({ type: 'open' })
  }

  /** TLS bytes of the current epoch, in order, sliced in any way. The session may keep them. Ignored while no engine lives. */
  receive(ciphertext: Uint8Array): void {
    this.#run(() => {
      const engine = this.#engine
      if (engine === undefined || ciphertext.length === 0) return
      const isFirst = this.#bytesIn === 0
      this.#bytesIn += ciphertext.length
      if (isFirst) this.#step({ type: 'hello.received' })
      if (engine === this.#engine) engine.receive(ciphertext)
    })
  }

  /** The transport lost or reordered something: what TLS has seen cannot be continued. */
  streamBroken(detail: string): void {
    this.#tell({ type: 'stream.broken', error: new SzmqError('ERR_SZMQ_STREAM_BROKEN', `the stream is broken: ${detail}`) })
  }

  /** Somebody on the network, perhaps the server, asks in plain text for a reset. Only a client listens, and never at once. */
  peerReset(): void {
    this.#tell({ type: 'peer.reset' })
  }

  /** Server: the first frame of a newer epoch came. What follows in `receive` belongs to it, if `status.epoch` says so. */
  peerRestarted(epoch: number): void {
    this.#tell({ type: 'peer.restarted', epoch })
  }

  /**
   * One message for the peer. The session may keep a reference until the turn of the event loop ends.
   *
   * @returns false to ask the caller to hold back until `drain`; the message is on its way all the same
   * @throws ERR_SZMQ_INVALID_STATE unless `status.kind` is `open` · ERR_SZMQ_LIMIT_EXCEEDED above `maxMessageBytes`
   */
  send(message: Uint8Array): boolean {
    this.#openEngine()
    const { maxMessageBytes } = this.#limits
    if (message.length > maxMessageBytes) {
      throw new SzmqError(
        'ERR_SZMQ_LIMIT_EXCEEDED',
        `the message has ${message.length} bytes; maxMessageBytes is ${maxMessageBytes}`,
      )
    }
    this.#guarded(() => this.#put({ kind: 'message', bytes: message }))
    return !this.#isHeldBack
  }

  /**
   * New keys for what follows. By KeyUpdate where the engine can (gnutls with TLS 1.3): nothing is interrupted. Otherwise by a new epoch: what
   * is under way may be lost as in any reset, and `resetting` and `open` tell.
   *
   * @throws ERR_SZMQ_INVALID_STATE unless `status.kind` is `open`
   */
  rekey(): void {
    let isDone = false
    this.#guarded(() => {
      isDone = this.#openEngine().rekey()
    })
    if (!isDone) this.#tell({ type: 'rekey' })
  }

  /**
   * Keying material of the current epoch, equal at both ends: see {@link TlsEngine.exportKeyingMaterial}.
   *
   * @throws ERR_SZMQ_INVALID_STATE unless `status.kind` is `open` · ERR_SZMQ_INVALID_ARGUMENT for a length that is not 1 to 8 160
   */
  exportKeyingMaterial(label: string, length: number, context?: Uint8Array): Uint8Array {
    return this.#openEngine().exportKeyingMaterial(label, length, context)
  }

  /**
   * GnuTLS's own structures behind the current epoch (`gnutls_session_t`, credentials, priority, DH parameters), on which any other GnuTLS
   * function can be called; undefined with another engine and while none lives.
   */
  get gnutls(): GnutlsHandles | undefined {
    return this.#engine?.gnutls
  }

  /** The engine of the current epoch; it ends with the epoch. For what only one library can: narrow it by its `name`. */
  get engine(): TlsEngine | undefined {
    return this.#engine
  }

  /**
   * Says END and waits, bounded, for the peer's. Ends in `closed`, or in `failed` with ERR_SZMQ_TRUNCATED. Before the first
   * handshake is complete there is nothing to lose: `closed` at once.
   */
  close(): void {
    this.#tell({ type: 'close', isDrained: !this.#isHeldBack })
  }

  /** Ends at once, tells the peer nothing, and emits `failed` with `error`. Idempotent. */
  destroy(error = new SzmqError('ERR_SZMQ_ABORTED', 'the session was destroyed by its owner')): void {
    this.#tell({ type: 'destroy', error })
  }

  #openEngine(): TlsEngine {
    if (this.#engine !== undefined && this.#charts.state === 'open') return this.#engine
    throw new SzmqError('ERR_SZMQ_INVALID_STATE', `the session is ${this.status.kind}, not open: wait until it is`)
  }

  #tell(event: SessionMachineEvent): void {
    this.#run(() => {
      this.#step(event)
    })
  }

  /** One transition and what it asks for. */
  #step(event: SessionMachineEvent): void {
    if (this.#charts.isOver) return
    this.#charts.send(event)
    this.#followCharts()
  }

  #followCharts(): void {
    const charts = this.#charts
    for (let move = charts.nextMove(); move !== undefined; move = charts.nextMove())
      this.#listener({ kind: 'transition', ...move })
    for (let effect = charts.nextEffect(); effect !== undefined; effect = charts.nextEffect()) this.#do(effect)
  }

  /** Everything that comes in queues here, so that nothing ever re-enters a transition, an engine or a half-written frame. */
  #run(task: () => void): void {
    this.#work.push(task)
    this.#guarded(() => {})
  }

  #guarded(body: () => void): void {
    if (this.#isWorking) {
      body()
      return
    }
    this.#isWorking = true
    try {
      body()
      for (let task = this.#work.shift(); task !== undefined; task = this.#work.shift()) {
        task()
        this.#followCharts()
      }
    } finally {
      this.#isWorking = false
    }
  }

  #onEngineEvent(engine: TlsEngine, event: TlsEvent): void {
    // A destroyed epoch may still have something in the queue.
    if (engine !== this.#engine) return
    switch (event.kind) {
      case 'ciphertext':
        this.#forwardCiphertext(event.bytes)
        return
      case 'plaintext':
        this.#takePlaintext(engine, event.bytes)
        return
      case 'secure':
        this.#takeFacts(event.facts)
        return
      case 'drain':
        this.#isHeldBack = false
        if (this.#charts.state === 'open') this.#listener({ kind: 'drain' })
        else this.#step({ type: 'engine.drain' })
        return
      case 'peer.closeNotify':
        this.#step({ type: 'peer.closeNotify' })
        return
      case 'closeNotify.sent':
        this.#step({ type: 'engine.closeNotifySent' })
        return
      case 'failed':
        this.#step({ type: 'engine.failed', error: event.error })
        return
      case 'handshake.message':
        this.#listener(event)
        return
      default:
        assertNever(event)
    }
  }

  #forwardCiphertext(bytes: Uint8Array): void {
    const isFirst = this.#bytesOut === 0
    this.#bytesOut += bytes.length
    this.#listener({ kind: 'ciphertext', epoch: this.#charts.context.epoch, bytes })
    if (isFirst) this.#step({ type: 'hello.sent' })
  }

  #takePlaintext(engine: TlsEngine, bytes: Uint8Array): void {
    for (const frame of this.#decoder?.push(bytes) ?? []) {
      if (engine !== this.#engine) return
      if (frame instanceof SzmqError) this.#step({ type: 'peer.violated', error: frame })
      else this.#takeFrame(frame)
    }
  }

  #takeFrame(frame: InnerFrame): void {
    switch (frame.kind) {
      case 'accept':
        this.#step({ type: 'peer.accepted' })
        return
      case 'end':
        this.#step({ type: 'peer.end', isDrained: !this.#isHeldBack })
        return
      case 'message': {
        const { state } = this.#charts
        if (state === 'open' || state === 'closing') this.#listener({ kind: 'message', bytes: frame.bytes })
        else this.#step({ type: 'peer.violated', error: EARLY_MESSAGE })
        return
      }
      default:
        assertNever(frame)
    }
  }

  #takeFacts(facts: TlsFacts): void {
    this.#facts = facts
    const before = this.#provenPeer
    if (before === undefined || isSamePeer(before, facts.peer)) this.#step({ type: 'engine.secure' })
    else this.#step({ type: 'peer.violated', error: changedPeer(before, facts.peer) })
  }

  #put(frame: InnerFrame): void {
    for (const part of encodeInnerFrame(frame)) {
      if (this.#engine?.send(part) === false) this.#isHeldBack = true
    }
  }

  #startEngine(epoch: number): void {
    this.#dropEngine()
    this.#startedAt = this.#clock.now()
    this.#decoder = new InnerFrameDecoder(this.#limits.maxMessageBytes)
    this.#listener({ kind: 'epoch.started', epoch })
    const engine: TlsEngine = this.#makeEngine((event) => this.#run(() => this.#onEngineEvent(engine, event)))
    this.#engine = engine
  }

  #dropEngine(): void {
    this.#engine?.destroy()
    this.#engine = undefined
    this.#facts = undefined
    this.#decoder = undefined
    this.#bytesIn = 0
    this.#bytesOut = 0
    this.#isHeldBack = false
  }

  #provenFacts(): TlsFacts {
    if (this.#facts === undefined) throw new SzmqError('ERR_SZMQ_INVALID_STATE', `this ${this.#role} session has no facts yet`)
    return this.#facts
  }

  #do({ name, epoch, error }: SessionEffect): void {
    switch (name) {
      case 'startEpoch':
        this.#startEngine(epoch)
        return
      case 'beginHandshake':
        this.#engine?.start()
        return
      case 'sendAccept':
        this.#put({ kind: 'accept' })
        return
      case 'reportOpen':
        this.#reportOpen(epoch)
        return
      case 'reportResetting':
        this.#listener({ kind: 'resetting', error: asError(error) })
        return
      case 'requestReset':
        this.#listener({ kind: 'reset.request', epoch })
        return
      case 'notifyRefusal':
        if (this.#role === 'server') this.#listener({ kind: 'reset.request', epoch })
        return
      case 'sendEnd':
        this.#put({ kind: 'end' })
        this.#engine?.close()
        return
      case 'disconnect':
        this.#engine?.close()
        return
      case 'discard':
      case 'release':
        this.#dropEngine()
        return
      case 'reportClosed':
        this.#listener({ kind: 'closed' })
        return
      case 'reportFailed':
        this.#listener({ kind: 'failed', error: asError(error) })
        return
      default:
        assertNever(name)
    }
  }

  #reportOpen(epoch: number): void {
    const facts = this.#provenFacts()
    this.#provenPeer ??= facts.peer
    this.#listener({ kind: 'open', epoch, facts, handshakeMs: this.#clock.now() - this.#startedAt })
  }
}

const KINDS = ['idle', 'handshaking', 'open', 'resetting', 'closing', 'closed', 'failed'] as const

/** What the session chart calls `resetting.handshaking` is `resetting`. */
function kindOf(state: string): SessionStatus['kind'] {
  const kind = KINDS.find((known) => state.startsWith(known))
  if (kind === undefined) throw new TypeError(`the session chart is in ${state}, which is no status`)
  return kind
}

const EARLY_MESSAGE = new SzmqError('ERR_SZMQ_MALFORMED_MESSAGE', 'the peer sent a message before it accepted us')

/** The same names, whatever the certificate: it may have been rotated. */
function isSamePeer(a: PeerIdentity, b: PeerIdentity): boolean {
  return identityDigest(a) === identityDigest(b)
}

function changedPeer(before: PeerIdentity, now: PeerIdentity): SzmqError {
  return new SzmqError(
    'ERR_SZMQ_WRONG_NAME',
    `the peer of this session was ${before.subject} [${before.names.join()}] and now proves to be ${now.subject} [${now.names.join()}]`,
  )
}

function asError(reference: ErrorReference): SzmqError {
  return reference instanceof SzmqError ? reference : new SzmqError(reference.code, reference.message)
}
