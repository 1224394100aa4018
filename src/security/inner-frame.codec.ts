import { SzmqError } from '../shared/errors.ts'

/**
 * What stands inside TLS: u32 big-endian body length, u8 type, body. `docs/wire.md` has the picture.
 * - `accept`: the sender verified the receiver's identity. Exactly once, before anything else.
 * - `message`: one message of the layer above; may be empty.
 * - `end`: nothing follows.
 */
export type InnerFrame =
  { readonly kind: 'accept' } | { readonly kind: 'message'; readonly bytes: Uint8Array } | { readonly kind: 'end' }

export const INNER_HEADER_BYTES = 5

const ACCEPT = 1
const MESSAGE = 2
const END = 3

/** Up to here header and body are copied into one buffer; beyond, two parts cost less than the copy. */
const MAX_COPIED_BYTES = 512
const FIRST_SPAN_BYTES = 64 * 1024
const NOTHING = new Uint8Array(0)

/** The parts to be sent one after the other. The body of a big message is the caller's own array. */
export function encodeInnerFrame(frame: InnerFrame): readonly Uint8Array[] {
  switch (frame.kind) {
    case 'accept':
      return [header(0, ACCEPT, 0)]
    case 'end':
      return [header(0, END, 0)]
    case 'message': {
      const { bytes } = frame
      if (bytes.length > MAX_COPIED_BYTES) return [header(bytes.length, MESSAGE, 0), bytes]
      const whole = header(bytes.length, MESSAGE, bytes.length)
      whole.set(bytes, INNER_HEADER_BYTES)
      return [whole]
    }
  }
}

/**
 * Takes the plaintext in any slicing. A message that lies in one chunk is a view of that chunk; one that spans many is copied, each
 * byte a constant number of times, and never holds more than twice what has arrived.
 */
export class InnerFrameDecoder {
  readonly #maxMessageBytes: number
  readonly #header = new Uint8Array(INNER_HEADER_BYTES)
  #headerFill = 0
  #body = NOTHING
  #bodyFill = 0
  #broken: SzmqError | undefined

  constructor(maxMessageBytes: number) {
    this.#maxMessageBytes = maxMessageBytes
  }

  /**
   * The frames that `chunk` completes. An error comes last, and once it came every further call gives only that error.
   * Codes: ERR_SZMQ_LIMIT_EXCEEDED (announced length), ERR_SZMQ_MALFORMED_MESSAGE (type, or a body where none belongs).
   */
  push(chunk: Uint8Array): readonly (InnerFrame | SzmqError)[] {
    const frames: (InnerFrame | SzmqError)[] = []
    let at = 0
    while (this.#broken === undefined) {
      at += this.#takeHeader(chunk, at)
      if (this.#headerFill < INNER_HEADER_BYTES) return frames
      const type = this.#header[4] ?? 0
      const length = readUint32(this.#header)
      this.#broken = checkHeader(type, length, this.#maxMessageBytes)
      if (this.#broken !== undefined) break
      const taken = Math.min(length - this.#bodyFill, chunk.length - at)
      const body = this.#takeBody(chunk.subarray(at, at + taken), length)
      at += taken
      if (body === undefined) return frames
      frames.push(frameOf(type, body))
      this.#headerFill = 0
    }
    frames.push(this.#broken)
    return frames
  }

  #takeHeader(chunk: Uint8Array, at: number): number {
    const start = this.#headerFill
    while (this.#headerFill < INNER_HEADER_BYTES) {
      const byte = chunk[at + this.#headerFill - start]
      if (byte === undefined) break
      this.#header[this.#headerFill] = byte
      this.#headerFill += 1
    }
    return this.#headerFill - start
  }

  /** The whole body once it is there. */
  #takeBody(part: Uint8Array, length: number): Uint8Array | undefined {
    if (part.length === length) return part
    const fill = this.#bodyFill + part.length
    if (fill > this.#body.length) this.#grow(Math.min(length, Math.max(fill, 2 * this.#body.length, FIRST_SPAN_BYTES)))
    this.#body.set(part, this.#bodyFill)
    this.#bodyFill = fill
    if (fill < length) return undefined
    const whole = this.#body.subarray(0, length)
    this.#body = NOTHING
    this.#bodyFill = 0
    return whole
  }

  #grow(capacity: number): void {
    const body = new Uint8Array(capacity)
    body.set(this.#body.subarray(0, this.#bodyFill))
    this.#body = body
  }
}

function checkHeader(type: number, length: number, maxMessageBytes: number): SzmqError | undefined {
  if (type !== ACCEPT && type !== MESSAGE && type !== END) {
    return new SzmqError('ERR_SZMQ_MALFORMED_MESSAGE', `the peer sent an inner frame of the unknown type ${type}`)
  }
  if (type !== MESSAGE && length > 0) {
    return new SzmqError(
      'ERR_SZMQ_MALFORMED_MESSAGE',
      `the peer sent an inner frame of type ${type} with ${length} bytes, not 0`,
    )
  }
  if (length > maxMessageBytes) {
    return new SzmqError(
      'ERR_SZMQ_LIMIT_EXCEEDED',
      `the peer announced a message of ${length} bytes; maxMessageBytes is ${maxMessageBytes}`,
    )
  }
  return undefined
}

function frameOf(type: number, bytes: Uint8Array): InnerFrame {
  if (type === ACCEPT) return { kind: 'accept' }
  return type === END ? { kind: 'end' } : { kind: 'message', bytes }
}

function header(length: number, type: number, room: number): Uint8Array {
  const bytes = new Uint8Array(INNER_HEADER_BYTES + room)
  bytes[0] = length >>> 24
  bytes[1] = length >>> 16
  bytes[2] = length >>> 8
  bytes[3] = length
  bytes[4] = type
  return bytes
}

function readUint32(bytes: Uint8Array): number {
  return (((bytes[0] ?? 0) << 24) | ((bytes[1] ?? 0) << 16) | ((bytes[2] ?? 0) << 8) | (bytes[3] ?? 0)) >>> 0
}
