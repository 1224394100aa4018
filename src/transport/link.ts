import { resolveLimits } from '../security/limits.ts'
import type { TlsFacts } from '../security/tls-engine.ts'
import { MAX_NODE_BATCH_BYTES } from './batch-limits.ts'
import { assertNever } from '../shared/assert-never.ts'
import type { Clock, Instant, TimerHandle } from '../shared/clock.ts'
import { messageOf, SzmqError } from '../shared/errors.ts'
import { toHex } from '../shared/bytes.ts'
import type { Random } from '../shared/random.ts'
import { decodeLinkMessage, encodeLinkMessage, type LinkMessage } from './link.codec.ts'
import type { ChannelEvent, SecureChannel } from './secure-channel.ts'

/**
 * Every bound of a link: its unit, its default, and what happens there. Both ends must have the same window: a peer that sends more
 * than `maxUnackedBatches` or `maxUnackedBytes` ahead of its acknowledgements breaks the protocol and loses the link.
 */
export interface LinkLimits {
  /** Batches sent and not yet acknowledged; at the limit `send` says no. Default 512, below ZeroMQ's high-water mark. */
  readonly maxUnackedBatches: number
  /** … and their bytes. Default 8 MiB; a single longer batch goes alone. */
  readonly maxUnackedBytes: number
  /** The longest batch. Default 16 MiB less 64 bytes, for the session's own limit lies above. */
  readonly maxBatchBytes: number
  /** A batch is acknowledged at the latest after this many milliseconds … Default 5. */
  readonly ackDelayMs: number
  /** … or when this many wait for it. Default 32. */
  readonly ackEveryBatches: number
  /** A ping goes out after this many milliseconds without anything else. Default 1 000. */
  readonly heartbeatMs: number
  /** A peer that was silent for so many milliseconds is lost. Default 10 000. */
  readonly silenceMs: number
}

export const DEFAULT_LINK_LIMITS: LinkLimits = {
  maxUnackedBatches: 512,
  maxUnackedBytes: 8 * 1024 * 1024,
  maxBatchBytes: MAX_NODE_BATCH_BYTES,
  ackDelayMs: 5,
  ackEveryBatches: 32,
  heartbeatMs: 1_000,
  silenceMs: 10_000,
}

/** @throws ERR_SZMQ_INVALID_ARGUMENT for a limit that is not a positive number */
export function resolveLinkLimits(limits: Partial<LinkLimits> = {}): LinkLimits {
  return resolveLimits(DEFAULT_LINK_LIMITS, limits)
}

/** Who a node is: its name for people, and the incarnation that tells it from an earlier run of the same node. */
export interface NodeIdentity {
  readonly name: string
  readonly incarnation: string
}

export type LinkEvent =
  /** Both sides know each other; comes once. */
  | { readonly kind: 'up'; readonly peer: NodeIdentity; readonly facts: TlsFacts; readonly handshakeMs: number }
  /** Answer with {@link Link.delivered} when it was handed on. The body belongs to the listener. */
  | { readonly kind: 'batch'; readonly sequence: number; readonly to: number; readonly from: number; readonly body: Uint8Array }
  /** {@link Link.send} takes batches again. */
  | { readonly kind: 'room' }
  /** The session resets; the link waits for it and then replays. */
  | { readonly kind: 'suspended'; readonly error: SzmqError }
  | { readonly kind: 'resumed' }
  /** The end, exactly once. Without `error` both sides said bye. What the peer has not acknowledged is given back, oldest first. */
  | { readonly kind: 'down'; readonly error: SzmqError | undefined; readonly unacknowledged: readonly Uint8Array[] }

/** What went over a link, in its plain form, without replays. */
export interface LinkCounters {
  batchesSent: number
  batchesReceived: number
  bytesSent: number
  bytesReceived: number
  replayed: number
  duplicates: number
}

/** The unacknowledged batch number `sequence`, as it goes over the session. */
interface Unacked {
  readonly sequence: number
  readonly message: Uint8Array
  readonly bodyBytes: number
}

/**
 * The link between two nodes: ordered, acknowledged batches over one secure channel, across its resets. Batches are numbered from 1;
 * what is not acknowledged is kept, in a bounded window, and sent again when the session has been reset. Acknowledgements travel
 * inside TLS. Sans-IO but for the timers of the clock it is given.
 */
export class Link {
  readonly counters: LinkCounters = {
    batchesSent: 0,
    batchesReceived: 0,
    bytesSent: 0,
    bytesReceived: 0,
    replayed: 0,
    duplicates: 0,
  }
  readonly #local: NodeIdentity
  readonly #limits: LinkLimits
  readonly #clock: Clock
  readonly #listener: (event: LinkEvent) => void
  #channel: SecureChannel | undefined
  /** Tells this link from another one that the same two nodes make later. */
  readonly #id: string
  #peer: NodeIdentity | undefined
  #peerLink: string | undefined
  #facts: { readonly facts: TlsFacts; readonly handshakeMs: number } | undefined
  /**
   * - `waiting`: for the session, or the peer's hello in this epoch.
   * - `flowing`.
   * - `doomed`: destroyed; nothing is taken any more, only the session's last event is still to come.
   * - `down`: for ever.
   */
  #phase: 'waiting' | 'flowing' | 'doomed' | 'down' = 'waiting'

  #unacked: Unacked[] = []
  #unackedBytes = 0
  #nextOut = 1
  #isHeldBack = false
  #owesRoom = false

  #receivedUpTo = 0
  /** Lengths of the batches that were received and not yet delivered, oldest first. */
  #undelivered: number[] = []
  #undeliveredBytes = 0
  #deliveredUpTo = 0
  #acknowledgedUpTo = 0
  #ackTimer: TimerHandle | undefined

  #heartbeat: TimerHandle | undefined
  #heartbeatDueAt: Instant = 0
  #lastSent: Instant
  #lastReceived: Instant

  constructor(
    { local, limits }: { readonly local: NodeIdentity; readonly limits?: Partial<LinkLimits> },
    { clock, random }: { readonly clock: Clock; readonly random: Random },
    listener: (event: LinkEvent) => void,
  ) {
    this.#local = local
    this.#limits = resolveLinkLimits(limits)
    this.#clock = clock
    this.#id = toHex(random.bytes(LINK_ID_BYTES))
    this.#listener = listener
    this.#lastSent = clock.now()
    this.#lastReceived = clock.now()
  }

  get peer(): NodeIdentity | undefined {
    return this.#peer
  }

  get facts(): TlsFacts | undefined {
    return this.#facts?.facts
  }

  get handshakeMs(): number | undefined {
    return this.#facts?.handshakeMs
  }

  /** The channel that this link goes over; its events go to {@link onChannelEvent}. */
  attach(channel: SecureChannel): void {
    this.#channel = channel
  }

  /**
   * Sends one batch from our thread `from` to their thread `to`; the bytes are copied. False: not taken, `room` or `down` follows;
   * after `down`, neither.
   * @throws ERR_SZMQ_LIMIT_EXCEEDED above `maxBatchBytes`
   */
  send(to: number, from: number, body: Uint8Array): boolean {
    const { maxBatchBytes, maxUnackedBatches, maxUnackedBytes } = this.#limits
    if (body.length > maxBatchBytes) {
      throw new SzmqError(
        'ERR_SZMQ_LIMIT_EXCEEDED',
        `a batch of ${body.length} bytes to another node; at most ${maxBatchBytes} go`,
      )
    }
    const isFull =
      this.#unacked.length >= maxUnackedBatches ||
      (this.#unacked.length > 0 && this.#unackedBytes + body.length > maxUnackedBytes)
    if (this.#phase !== 'flowing' || this.#isHeldBack || isFull) {
      this.#owesRoom = true
      return false
    }
    const sequence = this.#nextOut
    this.#nextOut += 1
    const message = encodeLinkMessage({ kind: 'batch', sequence, acknowledged: this.#deliveredUpTo, to, from, body })
    this.#acknowledgedUpTo = this.#deliveredUpTo
    this.#unacked.push({ sequence, message, bodyBytes: body.length })
    this.#unackedBytes += body.length
    this.counters.batchesSent += 1
    this.counters.bytesSent += body.length
    this.#put(message)
    return true
  }

  /** Batch number `sequence` was handed on. In order. */
  delivered(sequence: number): void {
    while (this.#deliveredUpTo < sequence) {
      this.#deliveredUpTo += 1
      this.#undeliveredBytes -= this.#undelivered.shift() ?? 0
    }
    if (this.#phase !== 'flowing') return
    if (this.#deliveredUpTo - this.#acknowledgedUpTo >= this.#limits.ackEveryBatches) this.#acknowledge()
    else {
      this.#ackTimer ??= this.#clock.setTimeout(() => {
        this.#ackTimer = undefined
        if (this.#phase === 'flowing' && this.#deliveredUpTo > this.#acknowledgedUpTo) this.#acknowledge()
      }, this.#limits.ackDelayMs)
    }
  }

  /** The bye: the session says END, and `down` follows. */
  close(): void {
    // After the END no acknowledgement goes out, and the peer would count what we have as lost.
    if (this.#phase === 'flowing' && this.#deliveredUpTo > this.#acknowledgedUpTo) this.#acknowledge()
    this.#channel?.close()
  }

  /** Ends at once; `down` follows, and nothing else. */
  destroy(error: SzmqError): void {
    if (this.#phase === 'down') return
    this.#phase = 'doomed'
    this.#channel?.destroy(error)
  }

  onChannelEvent(event: ChannelEvent): void {
    if (this.#isOver && event.kind !== 'closed' && event.kind !== 'failed') return
    switch (event.kind) {
      case 'open':
        this.#phase = 'waiting'
        this.#lastReceived = this.#clock.now()
        this.#facts = { facts: event.facts, handshakeMs: this.#facts?.handshakeMs ?? event.handshakeMs }
        this.#isHeldBack = false
        this.#put(encodeLinkMessage({ kind: 'hello', ...this.#local, link: this.#id, receivedUpTo: this.#receivedUpTo }))
        // The channel may have broken while it took the hello.
        if (this.#heartbeat === undefined && !this.#isOver) this.#awaitHeartbeat()
        return
      case 'message':
        this.#lastReceived = this.#clock.now()
        this.#take(event.bytes)
        return
      case 'drain':
        this.#isHeldBack = false
        this.#announceRoom()
        return
      case 'resetting':
        this.#phase = 'waiting'
        this.#listener({ kind: 'suspended', error: event.error })
        return
      case 'closed':
        this.#end(undefined)
        return
      case 'failed':
        this.#end(event.error)
        return
      default:
        assertNever(event)
    }
  }

  #take(bytes: Uint8Array): void {
    let message: LinkMessage
    try {
      message = decodeLinkMessage(bytes)
    } catch (error) {
      this.destroy(error instanceof SzmqError ? error : new SzmqError('ERR_SZMQ_MALFORMED_MESSAGE', messageOf(error)))
      return
    }
    if ((message.kind === 'hello') !== (this.#phase === 'waiting')) {
      this.#blame(`a ${message.kind} came while the link was ${this.#phase}; each epoch begins with one hello`)
      return
    }
    switch (message.kind) {
      case 'hello':
        this.#takeHello(message)
        return
      case 'batch':
        this.#takeAck(message.acknowledged)
        // The room it made may have been used, and that may have ended this epoch.
        if (this.#isFlowing) this.#takeBatch(message)
        return
      case 'ack':
        this.#takeAck(message.acknowledged)
        return
      case 'ping':
        return
      default:
        assertNever(message)
    }
  }

  #takeHello(hello: Extract<LinkMessage, { kind: 'hello' }>): void {
    const { name, incarnation, link } = hello
    const stranger = this.#whyStranger(hello)
    if (stranger !== undefined) {
      this.destroy(new SzmqError('ERR_SZMQ_NODE_LOST', `node ${this.#peer?.name ?? name} ${stranger}`))
      return
    }
    this.#phase = 'flowing'
    if (this.#peer === undefined) {
      this.#peer = { name, incarnation }
      this.#peerLink = link
      if (this.#facts !== undefined) this.#listener({ kind: 'up', peer: this.#peer, ...this.#facts })
    } else {
      this.#replay(hello.receivedUpTo)
      if (this.#isFlowing) this.#listener({ kind: 'resumed' })
    }
    this.#announceRoom()
  }

  /** A peer that began anew, or that has given this link up and made another one of the same session. */
  #whyStranger({ incarnation, link, receivedUpTo }: Extract<LinkMessage, { kind: 'hello' }>): string | undefined {
    if (this.#peer !== undefined && this.#peer.incarnation !== incarnation) {
      return 'was started anew: it is another incarnation now'
    }
    const acknowledged = this.#nextOut - 1 - this.#unacked.length
    const isSameLink = link === (this.#peerLink ?? link) && receivedUpTo >= acknowledged && receivedUpTo < this.#nextOut
    return isSameLink ? undefined : 'knows nothing of this link any more: it had given us up'
  }

  /** Before anything new goes out. What the peer has stays in the window until it is delivered there. */
  #replay(receivedUpTo: number): void {
    for (const { sequence, message } of this.#unacked) {
      if (sequence <= receivedUpTo) continue
      this.counters.replayed += 1
      this.#put(message)
    }
    // The last one may have been lost in the reset.
    if (this.#deliveredUpTo > 0) this.#acknowledge()
  }

  #takeBatch({ sequence, to, from, body }: Extract<LinkMessage, { kind: 'batch' }>): void {
    if (sequence <= this.#receivedUpTo) {
      this.counters.duplicates += 1
      return
    }
    if (sequence !== this.#receivedUpTo + 1) {
      this.#blame(`batch ${sequence} came where ${this.#receivedUpTo + 1} was expected`)
      return
    }
    const { maxBatchBytes, maxUnackedBatches, maxUnackedBytes } = this.#limits
    const isOverrun =
      body.length > maxBatchBytes ||
      this.#undelivered.length >= maxUnackedBatches ||
      (this.#undelivered.length > 0 && this.#undeliveredBytes + body.length > maxUnackedBytes)
    if (isOverrun) {
      this.#blame(`batch ${sequence} of ${body.length} bytes is beyond the window; the same limits hold at both ends`)
      return
    }
    this.#receivedUpTo = sequence
    this.#undelivered.push(body.length)
    this.#undeliveredBytes += body.length
    this.counters.batchesReceived += 1
    this.counters.bytesReceived += body.length
    this.#listener({ kind: 'batch', sequence, to, from, body })
  }

  #takeAck(acknowledged: number): void {
    if (acknowledged >= this.#nextOut) {
      this.#blame(`batch ${acknowledged} was acknowledged, and ${this.#nextOut - 1} was the last one sent`)
      return
    }
    let count = 0
    for (const { sequence, bodyBytes } of this.#unacked) {
      if (sequence > acknowledged) break
      this.#unackedBytes -= bodyBytes
      count += 1
    }
    if (count === 0) return
    this.#unacked.splice(0, count)
    this.#announceRoom()
  }

  /** The peer broke the protocol: it loses its link. */
  #blame(what: string): void {
    this.destroy(new SzmqError('ERR_SZMQ_MALFORMED_MESSAGE', what))
  }

  #acknowledge(): void {
    this.#acknowledgedUpTo = this.#deliveredUpTo
    this.#put(encodeLinkMessage({ kind: 'ack', acknowledged: this.#deliveredUpTo }))
  }

  #put(message: Uint8Array): void {
    if (this.#channel?.status.kind !== 'open') return
    this.#lastSent = this.#clock.now()
    if (!this.#channel.send(message)) this.#isHeldBack = true
  }

  #announceRoom(): void {
    if (!this.#owesRoom || this.#isHeldBack || this.#phase !== 'flowing') return
    const { maxUnackedBatches, maxUnackedBytes } = this.#limits
    if (this.#unacked.length >= maxUnackedBatches || this.#unackedBytes >= maxUnackedBytes) return
    this.#owesRoom = false
    this.#listener({ kind: 'room' })
  }

  /** The next look at the peer: after `heartbeatMs`, or when its silence will be too long. */
  #awaitHeartbeat(): void {
    const { heartbeatMs, silenceMs } = this.#limits
    const now = this.#clock.now()
    // At least one: what is left of the silence may be less than the clock can tell, and a timer for now would never see it pass.
    const delayMs = Math.max(1, Math.min(heartbeatMs, this.#lastReceived + silenceMs - now))
    this.#heartbeatDueAt = now + delayMs
    this.#heartbeat = this.#clock.setTimeout(this.#onHeartbeat, delayMs)
  }

  readonly #onHeartbeat = (): void => {
    const { heartbeatMs, silenceMs } = this.#limits
    const now = this.#clock.now()
    // A timer that is late tells of our own event loop: what the peer sent meanwhile still waits to be read.
    this.#lastReceived = Math.min(now, this.#lastReceived + Math.max(0, now - this.#heartbeatDueAt))
    const silentMs = now - this.#lastReceived
    if (silentMs >= silenceMs) {
      const who = this.#peer === undefined ? 'the peer' : `node ${this.#peer.name}`
      this.destroy(new SzmqError('ERR_SZMQ_NODE_LOST', `${who} has been silent for ${Math.round(silentMs)} ms`))
      return
    }
    // Also while the peer's hello is missing: if hellos were lost, only the next message shows the gap.
    if (now - this.#lastSent >= heartbeatMs / 2) this.#put(PING)
    if (!this.#isOver) this.#awaitHeartbeat()
  }

  // Getters, for a call into the channel or the listener may have changed the phase since it was looked at.
  get #isFlowing(): boolean {
    return this.#phase === 'flowing'
  }

  get #isOver(): boolean {
    return this.#phase === 'doomed' || this.#phase === 'down'
  }

  #end(error: SzmqError | undefined): void {
    if (this.#phase === 'down') return
    this.#phase = 'down'
    for (const timer of [this.#ackTimer, this.#heartbeat]) if (timer !== undefined) this.#clock.clearTimeout(timer)
    const unacknowledged = this.#unacked.map(({ message }) => (decodeLinkMessage(message) as { body: Uint8Array }).body)
    this.#unacked = []
    this.#listener({ kind: 'down', error, unacknowledged })
  }
}

const LINK_ID_BYTES = 8
const PING = encodeLinkMessage({ kind: 'ping' })
