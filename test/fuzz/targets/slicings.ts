import { concatBytes } from '../../../src/shared/bytes.ts'
import { byteLength, type FuzzInput } from '../fuzz-target.ts'

const MAX_SINGLE_BYTES = 400

/** The same bytes as given, in one piece, and, if they are few, one by one. */
export function slicingsOf(input: FuzzInput): readonly FuzzInput[] {
  const whole = concatBytes(input)
  const slicings: FuzzInput[] = [input, [whole]]
  if (byteLength(input) <= MAX_SINGLE_BYTES) slicings.push([...whole].map((byte) => Uint8Array.of(byte)))
  return slicings
}
