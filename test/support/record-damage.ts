import fc from 'fast-check'
import { RecordSplitter } from '../../src/security/records/record.codec.ts'
import type { Way } from '../contract/engine-pair.ts'

/** What may become of one TLS record on its way. */
export const damage = fc.oneof(
  fc.record({ kind: fc.constant('flip' as const), bit: fc.nat({ max: 200_000 }) }),
  fc.record({ kind: fc.constant('drop' as const) }),
  fc.record({ kind: fc.constant('repeat' as const) }),
  fc.record({ kind: fc.constant('swap' as const) }),
  fc.record({ kind: fc.constant('inject' as const), bytes: fc.uint8Array({ minLength: 1, maxLength: 80 }) }),
  fc.record({
    kind: fc.constant('inject record' as const),
    type: fc.integer({ min: 20, max: 24 }),
    bytes: fc.uint8Array({ maxLength: 60 }),
  }),
  fc.record({ kind: fc.constant('truncate' as const), keep: fc.nat({ max: 200_000 }) }),
)
export type Damage = typeof damage extends fc.Arbitrary<infer T> ? T : never

/** Lets records pass, whole and in order, but does `what` to the one at `position`. */
export function damageRecord(position: number, what: Damage): Way {
  const splitter = new RecordSplitter()
  let seen = -1
  let held: Uint8Array | undefined
  return function* pass(ciphertext) {
    for (const { bytes } of splitter.split(ciphertext)) {
      seen += 1
      if (seen !== position) {
        yield bytes
        if (held !== undefined) yield held
        held = undefined
      } else if (what.kind === 'swap') held = bytes
      else yield* spoil(bytes, what)
    }
  }
}

function* spoil(record: Uint8Array, what: Exclude<Damage, { kind: 'swap' }>): Generator<Uint8Array> {
  switch (what.kind) {
    case 'flip': {
      const flipped = record.slice()
      const at = Math.floor(what.bit / 8) % flipped.length
      flipped[at] = (flipped[at] ?? 0) ^ (1 << (what.bit % 8))
      yield flipped
      return
    }
    case 'drop':
      return
    case 'repeat':
      yield record
      yield record
      return
    case 'inject':
      yield what.bytes
      yield record
      return
    case 'inject record':
      yield Uint8Array.of(what.type, 3, 3, 0, what.bytes.length, ...what.bytes)
      yield record
      return
    case 'truncate':
      yield record.subarray(0, what.keep % record.length)
  }
}

/** Lets so many bytes pass, then nothing any more. */
export function cutAfter(bytes: number): Way {
  let left = bytes
  return function* pass(ciphertext) {
    const passing = ciphertext.subarray(0, left)
    left -= passing.length
    if (passing.length > 0) yield passing
  }
}

/** Flips one bit of the byte at `position`, counted from the first. */
export function flipByte(position: number, bit: number): Way {
  let passed = 0
  return function* pass(ciphertext) {
    const at = position - passed
    passed += ciphertext.length
    const bytes = ciphertext.slice()
    if (at >= 0 && at < bytes.length) bytes[at] = (bytes[at] ?? 0) ^ (1 << (bit & 7))
    yield bytes
  }
}

/** Cuts ciphertext into pieces of these lengths, over and over. */
export function sliceInto(lengths: readonly number[]): Way {
  let turn = 0
  return function* cut(ciphertext) {
    for (let at = 0; at < ciphertext.length;) {
      const length = lengths[turn++ % lengths.length] ?? 1
      yield ciphertext.subarray(at, at + length)
      at += length
    }
  }
}
