import { HandshakeReader } from '../records/handshake.codec.ts'
import { byteAt, CONTENT_TYPE, RecordSplitter } from '../records/record.codec.ts'

/** Version and random in front of the session id (RFC 5246 §7.4.1.2). */
const SESSION_ID_AT = 34

/** Sans-IO: finds the session id of a ClientHello as it passes by, sliced in any way. Never throws. */
export class ClientHelloReader {
  readonly #records = new RecordSplitter()
  readonly #messages = new HandshakeReader()
  #isDone = false

  /**
   * @returns the id once the hello is whole, empty if it has none; undefined before, after it was given once, and for what is no hello: GnuTLS
   *   will say so
   */
  read(ciphertext: Uint8Array): Uint8Array | undefined {
    if (this.#isDone) return undefined
    try {
      for (const { type, fragment } of this.#records.split(ciphertext)) {
        if (type !== CONTENT_TYPE.handshake) return this.#end(undefined)
        const [hello] = this.#messages.read(fragment)
        if (hello !== undefined) return this.#end(hello.name === 'ClientHello' ? readSessionId(hello.body) : undefined)
      }
      return undefined
    } catch {
      return this.#end(undefined)
    }
  }

  #end(id: Uint8Array | undefined): Uint8Array | undefined {
    this.#isDone = true
    return id
  }
}

function readSessionId(body: Uint8Array | undefined): Uint8Array {
  if (body === undefined || body.length <= SESSION_ID_AT) return new Uint8Array()
  const start = SESSION_ID_AT + 1
  return body.slice(start, start + byteAt(body, SESSION_ID_AT))
}
