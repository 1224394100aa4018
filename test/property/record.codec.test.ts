import './seed.ts'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { HandshakeReader, readEcdheGroup, readServerHello } from '../../src/security/records/handshake.codec.ts'
import { HandshakeWatch } from '../../src/security/records/handshake-watch.ts'
import { MAX_RECORD_FRAGMENT_BYTES, RECORD_HEADER_BYTES, RecordSplitter } from '../../src/security/records/record.codec.ts'
import { SzmqError } from '../../src/shared/errors.ts'

const records = fc.array(
  fc.record({
    type: fc.integer({ min: 20, max: 24 }),
    minor: fc.integer({ min: 0, max: 4 }),
    fragment: fc.uint8Array({ maxLength: 300 }),
  }),
  { maxLength: 20 },
)
const cuts = fc.array(fc.nat({ max: 6_000 }), { maxLength: 60 })

/** What a splitter makes of slices: the records, and whether it gave up. */
function splitAll(slices: readonly Uint8Array[]): { readonly records: readonly string[]; readonly isDamaged: boolean } {
  const splitter = new RecordSplitter()
  const seen: string[] = []
  try {
    for (const slice of slices) {
      for (const { bytes } of splitter.split(slice)) seen.push(Buffer.from(bytes).toString('hex'))
      if (splitter.bufferedBytes > RECORD_HEADER_BYTES + MAX_RECORD_FRAGMENT_BYTES) throw new Error('holds more than a record')
    }
  } catch (error) {
    if (!(error instanceof SzmqError) || error.code !== 'ERR_SZMQ_BAD_RECORD') throw error
    return { records: seen, isDamaged: true }
  }
  return { records: seen, isDamaged: false }
}

function slice(bytes: Uint8Array, at: readonly number[]): readonly Uint8Array[] {
  const ends = [...new Set([...at.map((cut) => cut % (bytes.length + 1)), bytes.length])].toSorted((a, b) => a - b)
  return ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end))
}

describe('RecordSplitter', () => {
  it('finds the records that were written, sliced in any way', () => {
    fc.assert(
      fc.property(records, cuts, (written, at) => {
        const encoded = written.map(({ type, minor, fragment }) =>
          Buffer.from([type, 3, minor, fragment.length >> 8, fragment.length & 0xff, ...fragment]),
        )
        const found = splitAll(slice(Buffer.concat(encoded), at))
        expect(found).toEqual({ records: encoded.map((bytes) => bytes.toString('hex')), isDamaged: false })
      }),
    )
  })

  it('makes the same of any bytes, however they are sliced: whole records, then at most one typed error', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 500 }),
      fc.uint8Array({ maxLength: 200 }).map((rest) => Uint8Array.of(22, 3, 3, 0, 10, ...rest)),
    )
    fc.assert(
      fc.property(bytes, cuts, (hostile, at) => {
        expect(splitAll(slice(hostile, at))).toEqual(splitAll([hostile]))
      }),
    )
  })
})

describe('handshake readers', () => {
  it('read any bytes without throwing, the same in any slicing', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), cuts, (bytes, at) => {
        const names = (slices: readonly Uint8Array[]): readonly string[] => {
          const reader = new HandshakeReader()
          return slices.flatMap((piece) => reader.read(piece).map(({ name }) => name))
        }
        expect(names(slice(bytes, at))).toEqual(names([bytes]))
        readServerHello(bytes)
        readEcdheGroup(bytes)
      }),
    )
  })

  it('watch any bytes in both directions without throwing', () => {
    const piece = fc.tuple(
      fc.constantFrom('sent' as const, 'received' as const),
      fc.uint8Array({ maxLength: 60 }),
      fc.boolean(),
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
        const watch = new HandshakeWatch()
        for (const [direction, bytes, isRecord] of pieces) {
          const seen = watch.see(direction, isRecord ? Uint8Array.of(22, 3, 3, 0, bytes.length, ...bytes) : bytes)
          expect(seen.every(({ message, bytes: length }) => message !== '' && length >= 0)).toBe(true)
        }
        watch.groupFor('ECDHE-ECDSA-AES256-GCM-SHA384')
      }),
    )
  })
})
