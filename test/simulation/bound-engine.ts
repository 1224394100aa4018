import type { Random } from '../../src/shared/random.ts'
import { insecureCleartextEngine, type CleartextEngineOptions } from '../../src/testing/cleartext-engine.ts'
import type { TlsEngine, TlsEngineFactory, TlsListener } from '../../src/security/tls-engine.ts'

/**
 * The clear-text engine, with what simulated intruders must not be able to do: nothing of one handshake is of use in another one, as in
 * TLS. A unit is u32 length, u32 tag, in the first unit of each side its 8 random bytes, and then one unit of the engine. Tags depend on both
 * sides' random bytes and on the unit's number; intruders of a simulation never compute one. A client's hello needs no tag, so it can be
 * replayed, as in TLS.
 */
export function boundEngine(options: CleartextEngineOptions, random: Random): TlsEngineFactory {
  return (listener) => new BoundEngine(options, random, listener)
}

class BoundEngine implements TlsEngine {
  readonly name = 'cleartext'
  readonly #role: 'client' | 'server'
  readonly #inner: TlsEngine
  readonly #ownNonce: Uint8Array
  #peerNonce: Uint8Array | undefined
  #sealed = 0
  #opened = 0
  #held: Uint8Array = NOTHING

  constructor(options: CleartextEngineOptions, random: Random, listener: TlsListener) {
    this.#role = options.role
    this.#ownNonce = random.bytes(NONCE_BYTES)
    this.#inner = insecureCleartextEngine(options)((event) => {
      listener(event.kind === 'ciphertext' ? { kind: 'ciphertext', bytes: this.#seal(event.bytes) } : event)
    })
  }

  start(): void {
    this.#inner.start()
  }

  receive(ciphertext: Uint8Array): void {
    this.#held = this.#held.length === 0 ? ciphertext : Buffer.concat([this.#held, ciphertext])
    for (;;) {
      if (this.#held.length < HEADER_BYTES) return
      const view = new DataView(this.#held.buffer, this.#held.byteOffset)
      const length = view.getUint32(0)
      if (length > MAX_UNIT_BYTES) {
        this.#held = NOTHING
        this.#inner.receive(NO_RECORD)
        return
      }
      if (this.#held.length < HEADER_BYTES + length) return
      const body = this.#held.subarray(HEADER_BYTES, HEADER_BYTES + length)
      this.#held = this.#held.subarray(HEADER_BYTES + length)
      this.#inner.receive(this.#open(body, view.getUint32(4)))
    }
  }

  send(plaintext: Uint8Array): boolean {
    return this.#inner.send(plaintext)
  }

  exportKeyingMaterial(label: string, length: number, context?: Uint8Array): Uint8Array {
    return this.#inner.exportKeyingMaterial(label, length, context)
  }

  rekey(): boolean {
    return this.#inner.rekey()
  }

  close(): void {
    this.#inner.close()
  }

  destroy(): void {
    this.#inner.destroy()
  }

  #seal(body: Uint8Array): Uint8Array {
    const nonce = this.#sealed === 0 ? this.#ownNonce : NOTHING
    const unit = new Uint8Array(HEADER_BYTES + nonce.length + body.length)
    unit.set(nonce, HEADER_BYTES)
    unit.set(body, HEADER_BYTES + nonce.length)
    const view = new DataView(unit.buffer)
    view.setUint32(0, nonce.length + body.length)
    view.setUint32(4, this.#tag(this.#role, this.#sealed, unit.subarray(HEADER_BYTES)))
    this.#sealed += 1
    return unit
  }

  #open(unit: Uint8Array, tag: number): Uint8Array {
    const isFirst = this.#opened === 0
    if (isFirst) {
      if (unit.length < NONCE_BYTES) return NO_RECORD
      this.#peerNonce = unit.subarray(0, NONCE_BYTES)
    }
    const isHello = isFirst && this.#role === 'server'
    const isGenuine = isHello || tag === this.#tag(this.#role === 'client' ? 'server' : 'client', this.#opened, unit)
    this.#opened += 1
    if (!isGenuine) return NO_RECORD
    return isFirst ? unit.subarray(NONCE_BYTES) : unit
  }

  /** The engine's own checksum, which ends its unit, covers the rest. */
  #tag(sender: 'client' | 'server', number: number, unit: Uint8Array): number {
    let hash = Math.imul(sender === 'client' ? SECRET : ~SECRET, number + 1)
    const [clientNonce, serverNonce] =
      this.#role === 'client' ? [this.#ownNonce, this.#peerNonce] : [this.#peerNonce, this.#ownNonce]
    for (const part of [clientNonce, serverNonce, unit.subarray(-CHECKSUM_BYTES)]) {
      for (const byte of part ?? NOTHING) hash = Math.imul(hash ^ byte, 0x0100_0193)
    }
    return (hash ^ unit.length) >>> 0
  }
}

const SECRET = 0x5eed_a11e
const HEADER_BYTES = 8
const NONCE_BYTES = 8
const CHECKSUM_BYTES = 4
const MAX_UNIT_BYTES = 32_768
/** Begins with a content type that nobody knows. */
const NO_RECORD = Uint8Array.of(0xff)
const NOTHING = new Uint8Array(0)
