import { createHash } from 'node:crypto'
import { concatBytes, equalBytes } from '../../shared/bytes.ts'

/** What a client keeps of a handshake, beside what its TLS library says of it. */
export interface KeptSession {
  /** What the server showed (DER), its own certificate first: a TLS library may not tell it again when the session is resumed. */
  readonly chain: readonly Uint8Array[]
  /** Of the TLS library. A secret. */
  readonly data: Uint8Array
}

/** Most certificates of a chain. */
export const MAX_KEPT_CERTIFICATES = 16
const LENGTH_BYTES = 4
const DIGEST_BYTES = 32

/** SHA-256 of what follows; the number of certificates (1 byte), each with its length in front (4 bytes, big-endian), then the data. */
export function encodeKeptSession({ chain, data }: KeptSession): Uint8Array {
  const kept = chain.slice(0, MAX_KEPT_CERTIFICATES)
  const parts = kept.flatMap((certificate) => {
    const length = new Uint8Array(LENGTH_BYTES)
    new DataView(length.buffer).setUint32(0, certificate.length)
    return [length, certificate]
  })
  const content = concatBytes([Uint8Array.of(kept.length), ...parts, data])
  return concatBytes([digestOf(content), content])
}

/** @returns undefined for bytes that {@link encodeKeptSession} does not make, damaged ones too. Aliases `bytes`. */
export function decodeKeptSession(bytes: Uint8Array): KeptSession | undefined {
  const content = bytes.subarray(DIGEST_BYTES)
  return equalBytes(bytes.subarray(0, DIGEST_BYTES), digestOf(content)) ? decodeContent(content) : undefined
}

function decodeContent(bytes: Uint8Array): KeptSession | undefined {
  const [count] = bytes
  if (count === undefined || count > MAX_KEPT_CERTIFICATES) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const chain: Uint8Array[] = []
  let at = 1
  for (let index = 0; index < count; index += 1) {
    const start = at + LENGTH_BYTES
    if (start > bytes.length) return undefined
    const end = start + view.getUint32(at)
    if (end > bytes.length) return undefined
    chain.push(bytes.subarray(start, end))
    at = end
  }
  return { chain, data: bytes.subarray(at) }
}

function digestOf(content: Uint8Array): Uint8Array {
  return createHash('sha256').update(content).digest()
}
