import { SzmqError } from '../../shared/errors.ts'

/** Bytes before each record's fragment: type, version, length (RFC 8446 §5.1). */
export const RECORD_HEADER_BYTES = 5

/** The longest fragment a peer may send: 2^14 and the 2 048 bytes that TLS 1.2 allows encryption to add (RFC 5246 §6.2.3). */
export const MAX_RECORD_FRAGMENT_BYTES = 16_384 + 2_048

/** `ContentType` of RFC 8446 §5.1. Everything that TLS 1.3 encrypts travels as `applicationData`. */
export const CONTENT_TYPE = { changeCipherSpec: 20, alert: 21, handshake: 22, applicationData: 23, heartbeat: 24 } as const

/** One whole TLS record. */
export interface TlsRecord {
  /** See {@link CONTENT_TYPE}. */
  readonly type: number
  /** The legacy version field: `0x0303` for TLS 1.2 and 1.3. */
  readonly version: number
  /** What stands behind the header. Aliases `bytes`. */
  readonly fragment: Uint8Array
  /** Header and fragment: what goes on the wire. Aliases the input if the record came in one slice. */
  readonly bytes: Uint8Array
}

/**
 * Finds the boundaries of TLS records in a stream that was sliced in any way. Holds at most one unfinished record.
 * Copies only records that came in more than one slice.
 */
export class RecordSplitter {
  /** What came of the unfinished record; its length is known once the header is whole. */
  #partial: Uint8Array = new Uint8Array(RECORD_HEADER_BYTES)
  #partialLength = 0
  /** Once lost, a boundary is never found again. */
  #damage: SzmqError | undefined

  /** How many bytes of an unfinished record are held. */
  get bufferedBytes(): number {
    return this.#partialLength
  }

  /**
   * Yields each record that `slice` completes: run it to its end, then call again with the next slice.
   *
   * @throws ERR_SZMQ_BAD_RECORD at a header that no TLS record has, before anything of its fragment is held. Each further
   * call throws it again: the stream is lost.
   */
  *split(slice: Uint8Array): Generator<TlsRecord, void, undefined> {
    if (this.#damage !== undefined) throw this.#damage
    try {
      yield* this.#split(slice)
    } catch (error) {
      if (error instanceof SzmqError) this.#damage = error
      throw error
    }
  }

  *#split(slice: Uint8Array): Generator<TlsRecord, void, undefined> {
    let offset = 0
    while (offset < slice.length) {
      if (this.#partialLength === 0 && slice.length - offset >= RECORD_HEADER_BYTES) {
        const end = offset + recordLength(slice, offset)
        if (end <= slice.length) {
          yield toRecord(slice.subarray(offset, end))
          offset = end
          continue
        }
      }
      offset += this.#collect(slice, offset)
      const whole = this.#takeWhole()
      if (whole !== undefined) yield toRecord(whole)
    }
  }

  /** Moves bytes into the unfinished record, not beyond its header while its length is unknown. @returns how many. */
  #collect(slice: Uint8Array, offset: number): number {
    const count = Math.min(this.#partial.length - this.#partialLength, slice.length - offset)
    this.#partial.set(slice.subarray(offset, offset + count), this.#partialLength)
    this.#partialLength += count
    if (this.#partialLength === RECORD_HEADER_BYTES && this.#partial.length === RECORD_HEADER_BYTES) {
      const header = this.#partial
      this.#partial = new Uint8Array(recordLength(header, 0))
      this.#partial.set(header)
    }
    return count
  }

  #takeWhole(): Uint8Array | undefined {
    if (this.#partialLength < RECORD_HEADER_BYTES || this.#partialLength < this.#partial.length) return undefined
    const whole = this.#partial
    this.#partial = new Uint8Array(RECORD_HEADER_BYTES)
    this.#partialLength = 0
    return whole
  }
}

/** Header and fragment of the record whose header is at `offset`. */
function recordLength(bytes: Uint8Array, offset: number): number {
  const type = byteAt(bytes, offset)
  const major = byteAt(bytes, offset + 1)
  const length = uint16At(bytes, offset + 3)
  if (type < CONTENT_TYPE.changeCipherSpec || type > CONTENT_TYPE.heartbeat || major !== 3) {
    const seen = [...bytes.subarray(offset, offset + RECORD_HEADER_BYTES)].map((byte) => byte.toString(16).padStart(2, '0'))
    throw new SzmqError(
      'ERR_SZMQ_BAD_RECORD',
      `saw ${seen.join(' ')} where the header of a TLS record was expected: the peer does not speak TLS, or bytes were lost`,
    )
  }
  if (length > MAX_RECORD_FRAGMENT_BYTES) {
    throw new SzmqError(
      'ERR_SZMQ_BAD_RECORD',
      `a TLS record announces ${length} bytes, at most ${MAX_RECORD_FRAGMENT_BYTES} are allowed: the stream is damaged`,
    )
  }
  return RECORD_HEADER_BYTES + length
}

function toRecord(bytes: Uint8Array): TlsRecord {
  return {
    type: byteAt(bytes, 0),
    version: uint16At(bytes, 1),
    fragment: bytes.subarray(RECORD_HEADER_BYTES),
    bytes,
  }
}

/** Beyond the end reads as 0: every reader here checks lengths first, and none may fail on hostile bytes. */
export function byteAt(bytes: Uint8Array, at: number): number {
  return bytes[at] ?? 0
}

/** Big-endian. */
export function uint16At(bytes: Uint8Array, at: number): number {
  return (byteAt(bytes, at) << 8) | byteAt(bytes, at + 1)
}
