import type { SessionLimits } from '../security/limits.ts'
import type { TlsEngineFactory } from '../security/tls-engine.ts'
import { assertNever } from '../shared/assert-never.ts'
import { SzmqError } from '../shared/errors.ts'
import { decodeFrame, SESSION_ID_BYTES, sessionIdOf, type Frame } from './frame.codec.ts'
import type { ChannelListener, SecureChannel } from './secure-channel.ts'
import { createStreamCounters, type StreamCounters } from './stream-counters.ts'
import { StreamSession, type Envelope, type FrameOutput, type StreamDependencies } from './stream-session.ts'

export interface StreamClientOptions {
  /** Makes client engines. */
  readonly engine: TlsEngineFactory
  readonly sessionLimits?: Partial<SessionLimits>
}

const NO_ENVELOPE: Envelope = []

/**
 * One session over one DEALER. Sans-IO: `receive` takes each ZeroMQ message, `output` gets each message for the socket.
 * Call {@link open} to begin.
 */
export class StreamClient {
  readonly counters: Readonly<StreamCounters>
  readonly #counters = createStreamCounters()
  readonly #session: StreamSession

  constructor(
    { engine, sessionLimits = {} }: StreamClientOptions,
    dependencies: StreamDependencies,
    output: (frame: FrameOutput) => void,
    listener: ChannelListener,
  ) {
    this.counters = this.#counters
    const id = sessionIdOf(dependencies.random.bytes(SESSION_ID_BYTES))
    this.#session = new StreamSession(
      { role: 'client', engine, limits: sessionLimits, id, envelope: NO_ENVELOPE, counters: this.#counters },
      dependencies,
      output,
      listener,
    )
  }

  get channel(): SecureChannel {
    return this.#session
  }

  open(): void {
    this.#session.open()
  }

  /** One ZeroMQ message, all its parts. Never throws for what is in it. May keep the parts. */
  receive(message: readonly Uint8Array[]): void {
    const frame = message.length === 2 ? decodeFrame(message[0], message[1]) : decodeFrame(undefined, undefined)
    if (frame instanceof SzmqError) {
      this.#counters[frame.code === 'ERR_SZMQ_PROTOCOL_MISMATCH' ? 'unknownVersion' : 'malformed'] += 1
    } else if (frame.from === 'client') this.#counters.reflected += 1
    else if (frame.sessionId !== this.#session.id) this.#counters.otherSession += 1
    else this.#take(frame)
  }

  #take(frame: Exclude<Frame, { readonly from: 'client' }>): void {
    switch (frame.kind) {
      case 'tls':
        this.#session.receiveTls(frame, NO_ENVELOPE)
        return
      case 'reset':
        this.#session.receiveReset(frame.epoch)
        return
      case 'cookie':
        this.#session.receiveCookie(frame.epoch, frame.cookie)
        return
      default:
        assertNever(frame)
    }
  }
}
