import { resolveLimits } from '../security/limits.ts'
import type { TlsFacts } from '../security/tls-engine.ts'
import { MAX_NODE_BATCH_BYTES } from './batch-limits.ts'
import { assertNever } from '../shared/assert-never.ts'
import type { Clock, Instant, TimerHandle } from '../shared/clock.ts'
import { messageOf, SzmqError } from '../shared/errors.ts'
import { decodeLinkMessage, encodeLinkMessage, type LinkMessage } from './link.codec.ts'
import type { ChannelEvent, SecureChannel } from './secure-channel.ts'

/** Every bound of a link: its unit, its default, and what happens there. */
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

const HELLO_PENDING = new SzmqError('ERR_SZMQ_INVALID_STATE', 'no hello yet')

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
  #peer: NodeIdentity | undefined
  #facts: { readonly facts: TlsFacts; readonly handshakeMs: number } | undefined
  /** - `waiting`: for the session, or the peer's hello in this epoch. - `flowing`. - `down`: for ever. */
  #phase: 'waiting' | 'flowing' | 'down' = 'waiting'

  #unacked: Unacked[] = []
  #unackedBytes = 0
  #nextOut = 1
  #isHeldBack = false
  #owesRoom = false

  #receivedUpTo = 0
  #deliveredUpTo = 0
  #acknowledgedUpTo = 0
  #ackTimer: TimerHandle | undefined

  #heartbeat: TimerHandle | undefined
  #lastSent: Instant
  #lastReceived: Instant

  constructor(
    { local, limits }: { readonly local: NodeIdentity; readonly limits?: Partial<LinkLimits> },
    { clock }: { readonly clock: Clock },
    listener: (event: LinkEvent) => void,
  ) {
    this.#local = local
    this.#limits = resolveLimits(DEFAULT_LINK_LIMITS, limits)
    this.#clock = clock
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
   * Sends one batch from our thread `from` to their thread `to`; the bytes are copied. False: not taken, `room` follows.
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
    this.#deliveredUpTo = Math.max(this.#deliveredUpTo, sequence)
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
    this.#channel?.close()
  }

  /** Ends at once; `down` follows. */
  destroy(error: SzmqError): void {
    this.#channel?.destroy(error)
  }

  onChannelEvent(event: ChannelEvent): void {
    this.#lastReceived = this.#clock.now()
    switch (event.kind) {
      case 'open':
        this.#facts = { facts: event.facts, handshakeMs: this.#facts?.handshakeMs ?? event.handshakeMs }
        this.#isHeldBack = false
        this.#put(encodeLinkMessage({ kind: 'hello', ...this.#local, receivedUpTo: this.#receivedUpTo }))
        this.#heartbeat ??= this.#clock.setTimeout(this.#onHeartbeat, this.#limits.heartbeatMs)
        return
      case 'message':
        this.#take(event.bytes)
        return
      case 'drain':
        this.#isHeldBack = false
        this.#announceRoom()
        return
      case 'resetting':
        if (this.#phase === 'flowing') this.#phase = 'waiting'
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
      if (this.#phase === 'waiting' && message.kind !== 'hello') throw HELLO_PENDING
    } catch (error) {
      this.destroy(error instanceof SzmqError ? error : new SzmqError('ERR_SZMQ_MALFORMED_MESSAGE', messageOf(error)))
      return
    }
    switch (message.kind) {
      case 'hello':
        this.#takeHello(message)
        return
      case 'batch':
        this.#takeAck(message.acknowledged)
        this.#takeBatch(message)
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

  #takeHello({ name, incarnation, receivedUpTo }: Extract<LinkMessage, { kind: 'hello' }>): void {
    if (this.#peer !== undefined && this.#peer.incarnation !== incarnation) {
      this.destroy(
        new SzmqError('ERR_SZMQ_NODE_LOST', `node ${this.#peer.name} was started anew: it is another incarnation now`),
      )
      return
    }
    this.#phase = 'flowing'
    this.#takeAck(receivedUpTo)
    if (this.#peer === undefined) {
      this.#peer = { name, incarnation }
      if (this.#facts !== undefined) this.#listener({ kind: 'up', peer: this.#peer, ...this.#facts })
    } else {
      this.counters.replayed += this.#unacked.length
      for (const { message } of this.#unacked) this.#put(message)
      this.#listener({ kind: 'resumed' })
    }
    this.#announceRoom()
  }

  #takeBatch({ sequence, to, from, body }: Extract<LinkMessage, { kind: 'batch' }>): void {
    if (sequence <= this.#receivedUpTo) {
      this.counters.duplicates += 1
      return
    }
    if (sequence !== this.#receivedUpTo + 1) {
      this.destroy(
        new SzmqError('ERR_SZMQ_MALFORMED_MESSAGE', `batch ${sequence} came where ${this.#receivedUpTo + 1} was expected`),
      )
      return
    }
    this.#receivedUpTo = sequence
    this.counters.batchesReceived += 1
    this.counters.bytesReceived += body.length
    this.#listener({ kind: 'batch', sequence, to, from, body })
  }

  #takeAck(acknowledged: number): void {
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
    if (this.#unacked.length >= this.#limits.maxUnackedBatches) return
    this.#owesRoom = false
    this.#listener({ kind: 'room' })
  }

  readonly #onHeartbeat = (): void => {
    const now = this.#clock.now()
    const silentMs = now - this.#lastReceived
    if (silentMs >= this.#limits.silenceMs) {
      const who = this.#peer === undefined ? 'the peer' : `node ${this.#peer.name}`
      this.destroy(new SzmqError('ERR_SZMQ_NODE_LOST', `${who} has been silent for ${Math.round(silentMs)} ms`))
      return
    }
    if (now - this.#lastSent >= this.#limits.heartbeatMs / 2 && this.#phase === 'flowing') this.#put(PING)
    this.#heartbeat = this.#clock.setTimeout(this.#onHeartbeat, this.#limits.heartbeatMs)
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

const PING = encodeLinkMessage({ kind: 'ping' })
