import { byteAt, uint16At } from '../records/record.codec.ts'

const SUPPORTED_VERSIONS = 43

/**
 * The versions that the `supported_versions` of a ClientHello names (RFC 8446 §4.2.1), such as `0x0304`; undefined if it has none. Takes the body
 * without its header of 4 bytes. Total: any bytes give an answer.
 */
export function readOfferedVersions(body: Uint8Array): ReadonlySet<number> | undefined {
  const FIXED_BYTES = 2 + 32
  let at = FIXED_BYTES + 1 + byteAt(body, FIXED_BYTES)
  at += 2 + uint16At(body, at)
  at += 1 + byteAt(body, at)
  for (at += 2; at + 4 <= body.length; at += 4 + uint16At(body, at + 2)) {
    if (uint16At(body, at) !== SUPPORTED_VERSIONS) continue
    const content = body.subarray(at + 5, Math.min(at + 4 + uint16At(body, at + 2), at + 5 + byteAt(body, at + 4)))
    return new Set(Array.from({ length: content.length >> 1 }, (_, index) => uint16At(content, index * 2)))
  }
  return undefined
}
