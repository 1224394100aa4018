import { SzmqError } from '../../shared/errors.ts'
import { HandshakeReader, readEcdheGroup, readServerHello, type HandshakeMessage } from './handshake.codec.ts'
import { CONTENT_TYPE, RecordSplitter, type TlsRecord } from './record.codec.ts'

/** A handshake message, or a ChangeCipherSpec or Alert among them. */
export interface SeenMessage {
  /** By its name in RFC 8446 or 5246. */
  readonly message: string
  /** Its size with header; of one that is encrypted, the record's fragment. */
  readonly bytes: number
}

const TLS_1_3 = 0x0304

/**
 * Sans-IO: names what can be read of a handshake as its ciphertext passes by in both directions. It only looks: bytes that are no TLS
 * make it fall silent, and the verdict stays with the engine.
 */
export class HandshakeWatch {
  readonly #directions = { sent: new Direction(), received: new Direction() }
  #version: number | undefined
  #keyShareGroup: string | undefined
  #isPskAccepted = false
  #ecdheGroup: string | undefined

  /** The messages that `ciphertext` completes, in order. */
  see(direction: 'sent' | 'received', ciphertext: Uint8Array): readonly SeenMessage[] {
    const seen: SeenMessage[] = []
    try {
      for (const record of this.#directions[direction].splitter.split(ciphertext)) {
        seen.push(...this.#name(this.#directions[direction], record))
      }
    } catch (error) {
      if (!(error instanceof SzmqError)) throw error
    }
    return seen
  }

  /** From here on TLS 1.2 encrypts what we send, alerts too. */
  get hasSentChangeCipherSpec(): boolean {
    return this.#directions.sent.isCipherChanged
  }

  /** TLS 1.3: the ServerHello took a pre-shared key or a ticket of the client's. */
  get isPskAccepted(): boolean {
    return this.#isPskAccepted
  }

  /** The key exchange group that both sides agreed on, as far as it was visible. */
  groupFor(cipherSuite: string): string | undefined {
    return this.#keyShareGroup ?? (cipherSuite.startsWith('ECDHE') ? this.#ecdheGroup : undefined)
  }

  #name(direction: Direction, record: TlsRecord): readonly SeenMessage[] {
    switch (record.type) {
      case CONTENT_TYPE.changeCipherSpec:
        direction.isCipherChanged = true
        return [{ message: 'ChangeCipherSpec', bytes: record.fragment.length }]
      case CONTENT_TYPE.alert:
        return [{ message: 'Alert', bytes: record.fragment.length }]
      case CONTENT_TYPE.handshake:
        // TLS 1.2 encrypts from here on, and what comes first is always this one. TLS 1.3's ChangeCipherSpec changes nothing.
        if (direction.isCipherChanged && this.#version !== undefined && this.#version < TLS_1_3)
          return [{ message: 'Finished', bytes: record.fragment.length }]
        return direction.reader.read(record.fragment).map((message) => this.#learn(message))
      default:
        return []
    }
  }

  #learn({ name, length, body }: HandshakeMessage): SeenMessage {
    if (body !== undefined && (name === 'ServerHello' || name === 'HelloRetryRequest')) {
      const hello = readServerHello(body)
      this.#version = hello?.version
      this.#keyShareGroup = hello?.group
      this.#isPskAccepted = hello?.isPskAccepted === true
    }
    if (body !== undefined && name === 'ServerKeyExchange') this.#ecdheGroup = readEcdheGroup(body)
    return { message: name, bytes: length }
  }
}

class Direction {
  readonly splitter = new RecordSplitter()
  readonly reader = new HandshakeReader()
  isCipherChanged = false
}
