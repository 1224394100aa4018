import { SzmqError } from '../shared/errors.ts'

/** Content types of RFC 8446, without the cryptography. */
export type CleartextContentType = 'alert' | 'handshake' | 'application'

export interface CleartextRecord {
  readonly type: CleartextContentType
  readonly payload: Uint8Array
}

export const MAX_CLEARTEXT_PAYLOAD_BYTES = 16_384

const HEADER_BYTES = 3
const TAG_BYTES = 4
const TYPES: ReadonlyMap<number, CleartextContentType> = new Map([
  [21, 'alert'],
  [22, 'handshake'],
  [23, 'application'],
])
const NUMBERS = { alert: 21, handshake: 22, application: 23 } as const

/**
 * Record number `sequence` of one direction: u8 type, u16 length, payload, u32 checksum over all that and the number, so that a changed,
 * lost, repeated or swapped record is noticed as in TLS. **A checksum is no tag**: anyone can make one.
 */
export function encodeCleartextRecord({ type, payload }: CleartextRecord, sequence: number): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + payload.length + TAG_BYTES)
  const view = new DataView(bytes.buffer)
  view.setUint8(0, NUMBERS[type])
  view.setUint16(1, payload.length)
  bytes.set(payload, HEADER_BYTES)
  view.setUint32(HEADER_BYTES + payload.length, checksum(bytes.subarray(0, -TAG_BYTES), sequence))
  return bytes
}

/** Cuts a byte stream into records. */
export class CleartextRecordDecoder {
  #held = new Uint8Array(0)
  #sequence = 0

  /** The records that `chunk` completes; an error is the last item, and nothing may be pushed after it. */
  push(chunk: Uint8Array): readonly (CleartextRecord | SzmqError)[] {
    const records: (CleartextRecord | SzmqError)[] = []
    let bytes = chunk
    if (this.#held.length > 0) {
      bytes = new Uint8Array(this.#held.length + chunk.length)
      bytes.set(this.#held)
      bytes.set(chunk, this.#held.length)
    }
    let at = 0
    for (;;) {
      const length = recordLength(bytes, at)
      if (length instanceof SzmqError) return [...records, length]
      if (length === undefined || bytes.length - at < length) break
      const record = decodeRecord(bytes.subarray(at, at + length), this.#sequence)
      records.push(record)
      if (record instanceof SzmqError) return records
      this.#sequence += 1
      at += length
    }
    this.#held = bytes.slice(at)
    return records
  }
}

function recordLength(bytes: Uint8Array, at: number): number | undefined | SzmqError {
  const type = bytes[at]
  if (type === undefined) return undefined
  if (!TYPES.has(type)) return new SzmqError('ERR_SZMQ_BAD_RECORD', `a record begins with the unknown content type ${type}`)
  const [high, low] = [bytes[at + 1], bytes[at + 2]]
  if (high === undefined || low === undefined) return undefined
  const payload = high * 256 + low
  if (payload <= MAX_CLEARTEXT_PAYLOAD_BYTES) return HEADER_BYTES + payload + TAG_BYTES
  return new SzmqError(
    'ERR_SZMQ_BAD_RECORD',
    `a record of ${payload} bytes; at most ${MAX_CLEARTEXT_PAYLOAD_BYTES} are allowed`,
  )
}

function decodeRecord(bytes: Uint8Array, sequence: number): CleartextRecord | SzmqError {
  const type = TYPES.get(bytes[0] ?? 0)
  const tag = new DataView(bytes.buffer, bytes.byteOffset).getUint32(bytes.length - TAG_BYTES)
  if (type === undefined || tag !== checksum(bytes.subarray(0, -TAG_BYTES), sequence)) {
    return new SzmqError('ERR_SZMQ_BAD_RECORD', `the checksum of record ${sequence} is wrong`)
  }
  return { type, payload: bytes.subarray(HEADER_BYTES, -TAG_BYTES) }
}

/** FNV-1a. */
function checksum(bytes: Uint8Array, sequence: number): number {
  let hash = Math.imul(0x811c9dc5 ^ sequence, 0x01000193)
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193)
  return hash >>> 0
}
