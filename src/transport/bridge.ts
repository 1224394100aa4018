import type { Clock, TimerHandle } from '../shared/clock.ts'
import { SzmqError } from '../shared/errors.ts'
import type { BridgeLimits } from './bridge-limits.ts'
import { decodeFrame, encodeFrame, type Frame, type SessionId } from './frame.codec.ts'
import { HelloMemory } from './hello-memory.ts'

/**
 * Why a connection is over.
 * - `tool.ended`: the tool had no more to say, and the server nothing left to answer.
 * - `tool.cut`: its TCP connection broke.
 * - `server.ended`: the server asked for a new handshake, which over TCP is another connection. Failed handshakes end so too.
 * - `server.unreachable`: the way to the server never stood.
 * - `server.lost`: it did, and broke.
 * - `stream.broken`: a frame of the server is missing, so TLS could not go on.
 * - `idle`: no byte moved for `idleTimeoutMs`.
 * - `stopped`: the bridge itself was.
 */
export type BridgeEnd =
  'tool.ended' | 'tool.cut' | 'server.ended' | 'server.unreachable' | 'server.lost' | 'stream.broken' | 'idle' | 'stopped'

/** What a connection was. */
export interface BridgeOutcome {
  readonly end: BridgeEnd
  readonly durationMs: number
  readonly bytesToServer: number
  readonly bytesToTool: number
  /** Messages of the server that were none of this session, or came twice. */
  readonly framesDropped: number
}

/** What the driver has to do, in this order. */
export type BridgeEffect =
  /** One ZeroMQ message; answer with {@link BridgeConnection.sent} once ZeroMQ took it. */
  | { readonly kind: 'send'; readonly parts: readonly [header: Uint8Array, bytes: Uint8Array] }
  /** Bytes for the tool; answer with {@link BridgeConnection.written} once TCP took them. */
  | { readonly kind: 'write'; readonly bytes: Uint8Array }
  /** Read that side no more until `release`. */
  | { readonly kind: 'hold' | 'release'; readonly side: 'tool' | 'server' }
  /** Nothing more will be written: end our half of the TCP connection. */
  | { readonly kind: 'end' }
  /** The last one: free both sides. A TCP connection that did not end is to be cut, so that the tool does not take it for an end. */
  | { readonly kind: 'closed'; readonly isCut: boolean; readonly outcome: BridgeOutcome }

const EPOCH = 1

/**
 * One raw TCP connection of a tool ⇄ one szmq session, without a word of TLS: bytes become `tls` frames of epoch 1 and back. TCP knows no
 * second handshake, so what a szmq client would answer with a new epoch ends the connection.
 *
 * Sans-IO. At first both sides are held. What is held is bounded as long as the driver heeds `hold`.
 */
export class BridgeConnection {
  readonly #id: SessionId
  readonly #limits: BridgeLimits
  readonly #clock: Clock
  readonly #output: (effect: BridgeEffect) => void
  readonly #startedAt: number
  /**
   * - `connecting`: to the server.
   * - `open`: bytes flow.
   * - `ending`: the server ended; what it said before goes out, what the tool still says goes nowhere.
   */
  #phase: 'connecting' | 'open' | 'ending' | 'closed' = 'connecting'
  #hasToolEnded = false
  /** Who ended first, once the connection is on its way to an orderly end. */
  #firstEnd: BridgeEnd | undefined
  #nextOut = 0
  #nextIn = 0
  readonly #hello = new HelloMemory()
  readonly #held = { tool: 0, server: 0 }
  readonly #isHeld = { tool: true, server: true }
  #bytesToServer = 0
  #bytesToTool = 0
  #framesDropped = 0
  #timer: TimerHandle

  /** @param id random, of this connection alone */
  constructor(id: SessionId, limits: BridgeLimits, clock: Clock, output: (effect: BridgeEffect) => void) {
    this.#id = id
    this.#limits = limits
    this.#clock = clock
    this.#output = output
    this.#startedAt = clock.now()
    this.#watch(limits.connectTimeoutMs)
  }

  /** Bytes taken from `side` and not yet by the other one. */
  heldFrom(side: 'tool' | 'server'): number {
    return this.#held[side]
  }

  /** The way to the server stands. */
  serverReady(): void {
    if (this.#phase !== 'connecting') return
    this.#phase = 'open'
    this.#pace('server')
    this.#pace('tool')
    this.#moved()
  }

  /** The way to the server broke, or cannot be made. After the server's last word that is nothing new. */
  serverFailed(): void {
    if (this.#phase === 'ending') return
    this.#close(this.#phase === 'connecting' ? 'server.unreachable' : 'server.lost')
  }

  fromTool(bytes: Uint8Array): void {
    if (this.#phase !== 'open' || this.#hasToolEnded || bytes.length === 0) return
    this.#held.tool += bytes.length
    this.#bytesToServer += bytes.length
    const sequence = this.#nextOut
    this.#nextOut += 1
    this.#hello.keep({ sequence, bytes })
    this.#pace('tool')
    const parts = encodeFrame({ kind: 'tls', from: 'client', sessionId: this.#id, epoch: EPOCH, sequence, bytes })
    this.#output({ kind: 'send', parts })
    this.#moved()
  }

  /** ZeroMQ took `length` TLS bytes. */
  sent(length: number): void {
    this.#let('tool', length)
  }

  /** The tool ended its half. A szmq session has no such thing, so the server is not told; it may still speak. */
  toolEnded(): void {
    if (this.#phase === 'closed' || this.#hasToolEnded) return
    this.#hasToolEnded = true
    this.#firstEnd ??= 'tool.ended'
    // TLS servers do not speak first: who asked nothing gets no answer.
    if (this.#bytesToServer === 0 && this.#bytesToTool === 0) this.#close('tool.ended')
    else this.#moved()
  }

  /** The tool's TCP connection broke. */
  toolFailed(): void {
    this.#close('tool.cut')
  }

  /** One ZeroMQ message, all its parts. Never throws for what is in it. */
  fromServer(parts: readonly Uint8Array[]): void {
    const frame = parts.length === 2 ? decodeFrame(parts[0], parts[1]) : decodeFrame(undefined, undefined)
    const isOurs = this.#phase === 'open' && this.#isOurs(frame)
    if (isOurs && frame.kind === 'tls') this.#takeTls(frame.sequence, frame.bytes)
    else if (isOurs && frame.kind === 'reset') this.#end()
    else if (isOurs && frame.kind === 'cookie') this.#sayAgain(frame.cookie)
    else this.#framesDropped += 1
  }

  /** TCP took `length` bytes for the tool. */
  written(length: number): void {
    this.#let('server', length)
  }

  stop(): void {
    this.#close('stopped')
  }

  /** The server is under load and wants to hear the hello again before it begins. */
  #sayAgain(cookie: Uint8Array): void {
    const frames = this.#nextIn === 0 ? this.#hello.answer(cookie) : []
    if (frames.length === 0) this.#framesDropped += 1
    for (const { sequence, bytes } of frames) {
      const sender = { from: 'client', sessionId: this.#id, epoch: EPOCH } as const
      const parts = encodeFrame(
        sequence === 0 ? { kind: 'hello', ...sender, cookie, bytes } : { kind: 'tls', ...sender, sequence, bytes },
      )
      this.#held.tool += parts[1].length
      this.#output({ kind: 'send', parts })
    }
    this.#pace('tool')
  }

  #isOurs(frame: Frame | SzmqError): frame is Exclude<Frame, { readonly from: 'client' }> {
    return !(frame instanceof SzmqError) && frame.from === 'server' && frame.sessionId === this.#id && frame.epoch === EPOCH
  }

  #takeTls(sequence: number, bytes: Uint8Array): void {
    if (sequence > this.#nextIn) return this.#close('stream.broken')
    if (sequence < this.#nextIn) {
      this.#framesDropped += 1
      return
    }
    this.#nextIn += 1
    this.#hello.forget()
    this.#held.server += bytes.length
    this.#bytesToTool += bytes.length
    this.#pace('server')
    this.#output({ kind: 'write', bytes })
    this.#moved()
  }

  #end(): void {
    this.#phase = 'ending'
    this.#firstEnd ??= 'server.ended'
    this.#pace('tool')
    this.#output({ kind: 'end' })
    this.#moved()
  }

  #let(side: 'tool' | 'server', length: number): void {
    this.#held[side] -= length
    if (this.#phase === 'closed') return
    this.#pace(side)
    this.#moved()
  }

  /** Holds a side at the limit, and releases it at half of it: one wake-up for many bytes. An ending tool may talk into the void. */
  #pace(side: 'tool' | 'server'): void {
    const held = this.#phase === 'ending' && side === 'tool' ? 0 : this.#held[side]
    const { maxHeldBytes } = this.#limits
    const isHeld = this.#isHeld[side] ? held > maxHeldBytes / 2 : held >= maxHeldBytes
    if (isHeld === this.#isHeld[side]) return
    this.#isHeld[side] = isHeld
    this.#output({ kind: isHeld ? 'hold' : 'release', side })
  }

  /** Something moved: the wait begins anew; or all is said and delivered. */
  #moved(): void {
    if (this.#phase === 'closed') return
    if (this.#phase === 'ending' && this.#hasToolEnded && this.#held.server === 0) {
      this.#close(this.#firstEnd ?? 'server.ended')
      return
    }
    this.#clock.clearTimeout(this.#timer)
    this.#watch(this.#isLingering ? this.#limits.lingerMs : this.#limits.idleTimeoutMs)
  }

  /** One side ended, and what it said is delivered. */
  get #isLingering(): boolean {
    const isSaid = this.#phase === 'ending' || (this.#hasToolEnded && this.#held.tool === 0)
    return isSaid && this.#held.server === 0
  }

  #watch(waitMs: number): void {
    this.#timer = this.#clock.setTimeout(() => {
      this.#onSilence()
    }, waitMs)
  }

  #onSilence(): void {
    if (this.#phase === 'connecting') this.#close('server.unreachable')
    else this.#close(this.#isLingering ? (this.#firstEnd ?? 'idle') : 'idle')
  }

  #close(end: BridgeEnd): void {
    if (this.#phase === 'closed') return
    this.#phase = 'closed'
    this.#clock.clearTimeout(this.#timer)
    this.#output({
      kind: 'closed',
      isCut: end !== 'tool.ended' && end !== 'server.ended',
      outcome: {
        end,
        durationMs: this.#clock.now() - this.#startedAt,
        bytesToServer: this.#bytesToServer,
        bytesToTool: this.#bytesToTool,
        framesDropped: this.#framesDropped,
      },
    })
  }
}
