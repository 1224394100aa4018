import { Session, type SessionOptions } from '../security/session.ts'
import type { SessionEvent, SessionStatus } from '../security/session-status.ts'
import type { TlsEngine } from '../security/tls-engine.ts'
import { assertNever } from '../shared/assert-never.ts'
import { equalBytes } from '../shared/bytes.ts'
import type { Clock } from '../shared/clock.ts'
import type { SzmqError } from '../shared/errors.ts'
import type { Random } from '../shared/random.ts'
import { encodeFrame, type Frame, type SessionId } from './frame.codec.ts'
import { HelloMemory } from './hello-memory.ts'
import type { ChannelEvent, ChannelObservation, SecureChannel } from './secure-channel.ts'
import type { StreamCounters } from './stream-counters.ts'
import { DEFAULT_STREAM_LIMITS, MAX_SENT_FRAME_BYTES } from './stream-limits.ts'

/** The parts in front of a frame: where the answer goes. Empty on a DEALER. */
export type Envelope = readonly Uint8Array[]

/** For the socket: one ZeroMQ message, the envelope first. */
export interface FrameOutput {
  readonly kind: 'frame'
  readonly envelope: Envelope
  readonly parts: readonly [header: Uint8Array, bytes: Uint8Array]
}

export interface StreamDependencies {
  readonly clock: Clock
  readonly random: Random
  /** Sees every chart move and every handshake message. */
  readonly observe?: (channelId: string, observation: ChannelObservation) => void
}

export interface StreamSessionOptions extends SessionOptions {
  readonly id: SessionId
  readonly envelope: Envelope
  readonly counters: StreamCounters
  /**
   * See {@link StreamLimits}. What comes to a client is not counted: behind the server's acceptance messages may follow at once, and be here before
   * the engine has told that the session is open.
   */
  readonly maxHandshakeBytes?: number
}

type TlsFrame = Extract<Frame, { readonly kind: 'tls' }>

/** What a frame was taken for. A `foreignPath` or an `otherEpoch` of the server's may be answered with a reset. */
export type Verdict = 'fed' | 'dropped' | 'foreignPath' | 'otherEpoch'

/**
 * One session in stream mode: numbers the frames that leave, and feeds TLS with those that come exactly in order.
 *
 * The return path belongs to an epoch: it is the one that the epoch's first frame came by. A ROUTER routing id proves nothing, so a
 * frame by another path is not taken; a client whose connection got a new routing id begins a new epoch, and proves itself there.
 */
export class StreamSession implements SecureChannel {
  readonly id: SessionId
  readonly #role: 'client' | 'server'
  readonly #counters: StreamCounters
  readonly #transmit: (frame: FrameOutput) => void
  readonly #report: (event: ChannelEvent) => void
  readonly #observe: ((channelId: string, observation: ChannelObservation) => void) | undefined
  readonly #session: Session
  readonly #maxHandshakeBytes: number
  readonly #hello = new HelloMemory()
  #epoch: number
  /** Of this epoch, until it is open; undefined then. */
  #handshakeBytes: { in: number; out: number } | undefined = { in: 0, out: 0 }
  #nextOut = 0
  /** undefined: this epoch is broken, nothing more of it is taken. */
  #nextIn: number | undefined = 0
  #envelope: Envelope
  /** Server: what began the epoch that we follow, until it has proved itself. */
  #peerHello: Uint8Array | undefined
  /** Where the hello of a newer epoch came from. */
  #offered: Envelope
  /** Where the peer was when it last proved itself, and in which epoch. */
  #proven: { readonly envelope: Envelope; readonly epoch: number } | undefined

  constructor(
    {
      id,
      envelope,
      counters,
      maxHandshakeBytes = DEFAULT_STREAM_LIMITS.maxHandshakeBytes,
      ...sessionOptions
    }: StreamSessionOptions,
    { clock, random, observe }: StreamDependencies,
    transmit: (frame: FrameOutput) => void,
    report: (event: ChannelEvent) => void,
  ) {
    this.id = id
    this.#role = sessionOptions.role
    this.#counters = counters
    this.#maxHandshakeBytes = maxHandshakeBytes
    this.#transmit = transmit
    this.#report = report
    this.#observe = observe
    this.#envelope = envelope
    this.#offered = envelope
    this.#epoch = sessionOptions.firstEpoch ?? 1
    this.#session = new Session(sessionOptions, { clock, random }, (event) => {
      this.#onSessionEvent(event)
    })
  }

  get status(): SessionStatus {
    return this.#session.status
  }

  open(): void {
    this.#session.open()
  }

  send(message: Uint8Array): boolean {
    return this.#session.send(message)
  }

  get engine(): TlsEngine | undefined {
    return this.#session.engine
  }

  rekey(): void {
    this.#session.rekey()
  }

  exportKeyingMaterial(label: string, length: number, context?: Uint8Array): Uint8Array {
    return this.#session.exportKeyingMaterial(label, length, context)
  }

  close(): void {
    this.#session.close()
  }

  destroy(error?: SzmqError): void {
    this.#session.destroy(error)
  }

  receiveTls(frame: TlsFrame, envelope: Envelope): Verdict {
    if (this.#role === 'server' && frame.sequence === 0) this.#takeHello(frame, envelope)
    if (frame.epoch !== this.#epoch) {
      this.#drop(frame.epoch < this.#epoch ? 'staleEpoch' : 'unexpectedEpoch')
      return this.#isOfLeftPeer(frame) ? 'otherEpoch' : 'dropped'
    }
    if (!isSameEnvelope(envelope, this.#envelope)) {
      this.#drop('foreignPath')
      return 'foreignPath'
    }
    if (this.#nextIn === undefined) return this.#drop('staleEpoch')
    if (frame.sequence < this.#nextIn) return this.#drop('duplicate')
    if (frame.sequence > this.#nextIn) {
      const expected = this.#nextIn
      this.#nextIn = undefined
      this.#session.streamBroken(`frame ${frame.sequence} of epoch ${frame.epoch} came, ${expected} was next`)
      return this.#drop('gap')
    }
    this.#nextIn += 1
    this.#hello.forget()
    if (this.#role === 'server' && this.#isTooLong('in', frame.bytes)) return 'dropped'
    this.#session.receive(frame.bytes)
    return 'fed'
  }

  /** Client: a server under load, or whoever says so, wants the hello of `epoch` again with this cookie. */
  receiveCookie(epoch: number, cookie: Uint8Array): void {
    const frames = epoch === this.#epoch && this.#nextIn === 0 ? this.#hello.answer(cookie) : []
    this.#counters[frames.length > 0 ? 'cookiesAnswered' : 'cookiesIgnored'] += 1
    for (const { sequence, bytes } of frames) {
      const sender = { from: 'client', sessionId: this.id, epoch } as const
      if (sequence === 0) this.#emit({ kind: 'hello', ...sender, cookie, bytes }, this.#envelope)
      else this.#emit({ kind: 'tls', ...sender, sequence, bytes }, this.#envelope)
    }
  }

  /** Client: the server, or whoever says so, asks for a reset of `epoch`. */
  receiveReset(epoch: number): void {
    this.#counters.resetsReceived += 1
    if (epoch === this.#epoch) this.#session.peerReset()
    else this.#drop(epoch < this.#epoch ? 'staleEpoch' : 'unexpectedEpoch')
  }

  /**
   * The first frame of an epoch, perhaps a forged one. The newest has its turn: behind a forged one, the peer's own would else pass for its
   * repetition.
   */
  #takeHello(frame: TlsFrame, envelope: Envelope): void {
    if (!this.#isNext(frame)) {
      this.#offered = envelope
      this.#session.peerRestarted(frame.epoch)
      if (this.#isSecondHello(frame)) {
        this.#session.streamBroken(`epoch ${frame.epoch} began twice`)
        this.#session.peerRestarted(frame.epoch)
      }
    }
    if (this.#isNext(frame)) this.#peerHello = frame.bytes
  }

  /** Of the epoch that we follow, which has not proved itself, and not the one that it began with. */
  #isSecondHello(frame: TlsFrame): boolean {
    if (this.#proven === undefined || this.#peerHello === undefined || frame.epoch !== this.#epoch) return false
    return frame.epoch > this.#proven.epoch && this.#nextIn !== 0 && !equalBytes(frame.bytes, this.#peerHello)
  }

  /**
   * Whoever proved itself still speaks in that epoch, or in a later one than its hello could begin, while we follow another hello: it has to
   * begin anew, or silence ends the link.
   */
  #isOfLeftPeer({ epoch, sequence }: TlsFrame): boolean {
    return this.#role === 'server' && sequence > 0 && this.#proven !== undefined && epoch >= this.#proven.epoch
  }

  #isNext({ epoch, sequence }: TlsFrame): boolean {
    return epoch === this.#epoch && sequence === this.#nextIn
  }

  #drop(reason: keyof StreamCounters): 'dropped' {
    this.#counters[reason] += 1
    return 'dropped'
  }

  #onSessionEvent(event: SessionEvent): void {
    switch (event.kind) {
      case 'ciphertext':
        this.#sendTls(event.epoch, event.bytes)
        return
      case 'epoch.started':
        this.#handshakeBytes = { in: 0, out: 0 }
        this.#hello.begin()
        this.#epoch = event.epoch
        this.#nextOut = 0
        this.#nextIn = 0
        this.#envelope = this.#offered
        this.#peerHello = undefined
        return
      case 'reset.request':
        this.#requestReset(event.epoch)
        return
      case 'open':
        this.#handshakeBytes = undefined
        this.#proven = { envelope: this.#envelope, epoch: event.epoch }
        this.#peerHello = undefined
        this.#report(event)
        return
      case 'resetting':
      case 'closed':
      case 'failed':
        this.#hello.forget()
        this.#report(event)
        return
      case 'message':
      case 'drain':
        this.#report(event)
        return
      case 'transition':
      case 'handshake.message':
        this.#observe?.(this.id, event)
        return
      default:
        assertNever(event)
    }
  }

  #sendTls(epoch: number, bytes: Uint8Array): void {
    if (this.#isTooLong('out', bytes)) return
    for (let at = 0; at < bytes.length; at += MAX_SENT_FRAME_BYTES) {
      const piece = bytes.length <= MAX_SENT_FRAME_BYTES ? bytes : bytes.subarray(at, at + MAX_SENT_FRAME_BYTES)
      const sequence = this.#nextOut
      this.#nextOut += 1
      if (this.#role === 'client') this.#hello.keep({ sequence, bytes: piece })
      this.#emit({ kind: 'tls', ...this.#sender(epoch), sequence, bytes: piece }, this.#envelope)
    }
  }

  /** Counts what belongs to a handshake, and breaks the epoch of one that has no end. */
  #isTooLong(way: 'in' | 'out', bytes: Uint8Array): boolean {
    if (this.#handshakeBytes === undefined) return false
    this.#handshakeBytes[way] += bytes.length
    if (this.#handshakeBytes[way] <= this.#maxHandshakeBytes) return false
    // Once: the rest of this epoch is nobody's.
    if (this.#nextIn !== undefined) {
      this.#nextIn = undefined
      this.#counters.oversizedHandshake += 1
      const what = way === 'in' ? 'came' : 'were to leave'
      this.#session.streamBroken(
        `${this.#handshakeBytes[way]} bytes of a handshake ${what}, at most ${this.#maxHandshakeBytes} may`,
      )
    }
    return true
  }

  /** To where the newest hello came from. If it was forged, the peer still is where, and in the epoch that, it proved itself. */
  #requestReset(epoch: number): void {
    this.#emitReset(epoch, this.#envelope)
    if (this.#proven !== undefined && this.#proven.epoch !== epoch) this.#emitReset(this.#proven.epoch, this.#proven.envelope)
  }

  #emitReset(epoch: number, envelope: Envelope): void {
    this.#counters.resetsSent += 1
    this.#emit({ kind: 'reset', ...this.#sender(epoch) }, envelope)
  }

  #sender(epoch: number): { from: 'client' | 'server'; sessionId: SessionId; epoch: number } {
    return { from: this.#role, sessionId: this.id, epoch }
  }

  #emit(frame: Frame, envelope: Envelope): void {
    this.#transmit({ kind: 'frame', envelope, parts: encodeFrame(frame) })
  }
}

function isSameEnvelope(a: Envelope, b: Envelope): boolean {
  return a === b || (a.length === b.length && a.every((part, at) => equalBytes(part, b[at] ?? NOTHING)))
}

const NOTHING = new Uint8Array(0)
