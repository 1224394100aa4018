import { assertNever } from '../shared/assert-never.ts'
import type { Clock } from '../shared/clock.ts'
import { isSzmqErrorCode, SzmqError } from '../shared/errors.ts'
import type { TlsEngine, TlsEngineFactory, TlsEvent, TlsFacts, TlsListener } from '../security/tls-engine.ts'
import {
  CleartextRecordDecoder,
  encodeCleartextRecord,
  MAX_CLEARTEXT_PAYLOAD_BYTES,
  type CleartextContentType,
  type CleartextRecord,
} from './cleartext-record.codec.ts'

export interface CleartextEngineOptions {
  readonly role: 'client' | 'server'
  /** The name to claim. Nothing proves it. */
  readonly name: string
  /** Says why the peer of this name is refused. Default: everybody is accepted. */
  readonly refusePeer?: (name: string) => SzmqError | undefined
  /** false: a refusal dies silently, as some TLS libraries do once keys exist. Default true. */
  readonly canAlert?: boolean
  /** Set: events come in later turns of this clock, as with node:tls. Default: within the call, as with GnuTLS. */
  readonly laterBy?: Clock
  /** With `laterBy`: `send` gives false while more than this waits to leave. Default 65 536. */
  readonly highWaterMarkBytes?: number
}

/**
 * **No cryptography. Everything is readable and forgeable.** The flow of TLS 1.3 (flights, records, alerts, close_notify) with nothing
 * secret in it, for simulations with a fake clock. Reports `verifiedBy: 'none'`, so nothing can take it for security.
 */
export function insecureCleartextEngine(options: CleartextEngineOptions): TlsEngineFactory {
  return (listener) => new CleartextEngine(options, listener)
}

type Phase = 'new' | 'hello' | 'certificate' | 'secure' | 'dead'

class CleartextEngine implements TlsEngine {
  readonly name = 'cleartext'
  readonly #options: CleartextEngineOptions
  readonly #listener: TlsListener
  readonly #decoder = new CleartextRecordDecoder()
  #phase: Phase = 'new'
  #hasClosed = false
  #peerHasClosed = false
  #sequence = 0
  #peerName = ''
  readonly #waiting: TlsEvent[] = []
  #waitingBytes = 0
  #owesDrain = false

  constructor(options: CleartextEngineOptions, listener: TlsListener) {
    this.#options = options
    this.#listener = listener
  }

  start(): void {
    this.#phase = 'hello'
    if (this.#options.role === 'client') this.#handshake('ClientHello')
  }

  receive(ciphertext: Uint8Array): void {
    if (this.#isDead() || this.#peerHasClosed) return
    for (const record of this.#decoder.push(ciphertext)) {
      if (record instanceof SzmqError) this.#die(record)
      else this.#takeRecord(record)
      if (this.#isDead() || this.#peerHasClosed) return
    }
  }

  send(plaintext: Uint8Array): boolean {
    // It may be dead and the news still on its way: for the caller this is a living engine.
    if (this.#isDead()) return true
    if (this.#phase !== 'secure' || this.#hasClosed) {
      throw new SzmqError('ERR_SZMQ_INVALID_STATE', 'send is allowed between `secure` and `close`')
    }
    for (let at = 0; at < plaintext.length; at += MAX_CLEARTEXT_PAYLOAD_BYTES) {
      this.#record('application', plaintext.subarray(at, at + MAX_CLEARTEXT_PAYLOAD_BYTES))
    }
    this.#owesDrain = this.#waitingBytes > (this.#options.highWaterMarkBytes ?? 65_536)
    return !this.#owesDrain
  }

  /** Equal at both ends, and at everybody else who asks: nothing is secret here. */
  exportKeyingMaterial(label: string, length: number, context?: Uint8Array): Uint8Array {
    if (this.#phase !== 'secure')
      throw new SzmqError('ERR_SZMQ_INVALID_STATE', 'keying material is there once `secure` was emitted')
    const seed = encodeText(`${label} ${context === undefined ? 'none' : context.join()}`)
    return Uint8Array.from({ length }, (_, at) => (seed[at % seed.length] ?? 0) ^ at)
  }

  rekey(): boolean {
    return false
  }

  close(): void {
    if (this.#isDead() || this.#hasClosed) return
    this.#hasClosed = true
    this.#record('alert', encodeText('close_notify'))
    this.#emit({ kind: 'closeNotify.sent' })
  }

  destroy(): void {
    this.#phase = 'dead'
    this.#waiting.length = 0
  }

  #takeRecord({ type, payload }: CleartextRecord): void {
    switch (type) {
      case 'application':
        if (this.#phase === 'secure') this.#emit({ kind: 'plaintext', bytes: payload })
        else this.#die(new SzmqError('ERR_SZMQ_HANDSHAKE_FAILED', 'application data came before the handshake was complete'))
        return
      case 'handshake':
        this.#takeHandshake(decodeText(payload))
        return
      case 'alert':
        this.#takeAlert(decodeText(payload))
        return
      default:
        assertNever(type)
    }
  }

  #takeHandshake(text: string): void {
    const [message = '', name = ''] = text.split(' ')
    this.#emit({ kind: 'handshake.message', direction: 'received', message, bytes: text.length })
    const expected = this.#expectedMessage()
    if (message !== expected) {
      this.#die(new SzmqError('ERR_SZMQ_HANDSHAKE_FAILED', `expected ${expected ?? 'no handshake message'}, got another`))
      return
    }
    if (message === 'ClientHello') {
      this.#phase = 'certificate'
      this.#handshake('ServerHello')
      return
    }
    const refusal = this.#options.refusePeer?.(name)
    if (refusal !== undefined) {
      this.#die(refusal)
      return
    }
    this.#peerName = name
    if (message === 'ServerHello') this.#handshake('Finished')
    this.#phase = 'secure'
    this.#emit({ kind: 'secure', facts: cleartextFacts(this.#peerName) })
  }

  #expectedMessage(): string | undefined {
    if (this.#phase === 'hello') return this.#options.role === 'client' ? 'ServerHello' : 'ClientHello'
    return this.#phase === 'certificate' ? 'Finished' : undefined
  }

  #takeAlert(alert: string): void {
    if (alert !== 'close_notify') {
      this.#fail(
        new SzmqError('ERR_SZMQ_REFUSED_BY_PEER', `the peer sent the alert ${isSzmqErrorCode(alert) ? alert : 'unknown'}`),
      )
    } else if (this.#phase === 'secure') {
      this.#peerHasClosed = true
      this.#emit({ kind: 'peer.closeNotify' })
    } else {
      this.#die(new SzmqError('ERR_SZMQ_REFUSED_BY_PEER', 'the peer closed during the handshake'))
    }
  }

  #die(error: SzmqError): void {
    if (this.#options.canAlert !== false && !this.#hasClosed) this.#record('alert', encodeText(error.code))
    this.#fail(error)
  }

  #fail(error: SzmqError): void {
    this.#phase = 'dead'
    this.#emit({ kind: 'failed', error })
  }

  #handshake(message: string): void {
    const text = `${message} ${this.#options.name}`
    this.#emit({ kind: 'handshake.message', direction: 'sent', message, bytes: text.length })
    this.#record('handshake', encodeText(text))
  }

  #record(type: CleartextContentType, payload: Uint8Array): void {
    const bytes = encodeCleartextRecord({ type, payload }, this.#sequence)
    this.#sequence += 1
    this.#emit({ kind: 'ciphertext', bytes })
  }

  #emit(event: TlsEvent): void {
    const { laterBy } = this.#options
    if (laterBy === undefined) {
      this.#listener(event)
      return
    }
    this.#waiting.push(event)
    if (event.kind === 'ciphertext') this.#waitingBytes += event.bytes.length
    laterBy.setTimeout(() => {
      this.#emitNext()
    }, 0)
  }

  #emitNext(): void {
    const event = this.#waiting.shift()
    if (event === undefined) return
    if (event.kind === 'ciphertext') this.#waitingBytes -= event.bytes.length
    this.#listener(event)
    if (!this.#owesDrain || this.#waitingBytes > 0 || this.#isDead()) return
    this.#owesDrain = false
    this.#listener({ kind: 'drain' })
  }

  #isDead(): boolean {
    return this.#phase === 'dead'
  }
}

function cleartextFacts(peerName: string): TlsFacts {
  return {
    engine: 'cleartext',
    version: 'none',
    cipherSuite: 'none',
    group: 'none',
    alpn: undefined,
    isResumed: false,
    peer: {
      verifiedBy: 'none',
      subject: peerName,
      names: [`DNS:${peerName}`],
    },
  }
}

function encodeText(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

function decodeText(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes)
}
