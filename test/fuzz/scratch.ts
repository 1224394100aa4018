import { concatBytes } from '../../src/shared/bytes.ts'
import type { FuzzInput } from './fuzz-target.ts'

/** An input as one run of bytes: the number of pieces, then each with its length in front. What stands behind it is of earlier ones. */
export function encodeScratch(input: FuzzInput): Uint8Array {
  return concatBytes([uint32(input.length), ...input.flatMap((piece) => [uint32(piece.length), piece])])
}

export function decodeScratch(bytes: Uint8Array): FuzzInput {
  if (bytes.length < 4) return []
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  let at = 4
  return Array.from({ length: view.getUint32(0) }, () => {
    const start = at + 4
    at = start + view.getUint32(at)
    return bytes.slice(start, at)
  })
}

function uint32(value: number): Uint8Array {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, value)
  return bytes
}
