import { describe, expect, it } from 'vitest'
import {
  CONTENT_TYPE,
  MAX_RECORD_FRAGMENT_BYTES,
  RecordSplitter,
  type TlsRecord,
} from '../../../../src/security/records/record.codec.ts'

function record(type: number, fragment: readonly number[]): Uint8Array {
  return Uint8Array.of(type, 3, 3, fragment.length >> 8, fragment.length & 0xff, ...fragment)
}

function split(splitter: RecordSplitter, ...slices: readonly Uint8Array[]): TlsRecord[] {
  return slices.flatMap((slice) => [...splitter.split(slice)])
}

describe('RecordSplitter', () => {
  it('yields each record of a slice that holds many, without copying', () => {
    const slice = Uint8Array.of(...record(22, [1, 2]), ...record(23, [3]), ...record(21, []))
    const records = split(new RecordSplitter(), slice)
    expect(records.map(({ type, version, fragment }) => [type, version, [...fragment]])).toEqual([
      [22, 0x0303, [1, 2]],
      [23, 0x0303, [3]],
      [21, 0x0303, []],
    ])
    for (const { bytes, fragment } of records) expect([bytes.buffer, fragment.buffer]).toEqual([slice.buffer, slice.buffer])
  })

  it('puts a record together that comes one byte at a time', () => {
    const whole = record(23, [9, 8, 7])
    const records = split(new RecordSplitter(), ...[...whole].map((byte) => Uint8Array.of(byte)))
    expect(records.map(({ bytes }) => [...bytes])).toEqual([[...whole]])
  })

  it('holds what is unfinished, and says how much', () => {
    const splitter = new RecordSplitter()
    split(splitter, Uint8Array.of(...record(23, [1]), 23, 3, 3, 0))
    expect(splitter.bufferedBytes).toBe(4)
    expect(split(splitter, Uint8Array.of(1, 5)).map(({ fragment }) => [...fragment])).toEqual([[5]])
    expect(splitter.bufferedBytes).toBe(0)
  })

  it('accepts a fragment of the longest length that is allowed', () => {
    const fragment = Array.from({ length: MAX_RECORD_FRAGMENT_BYTES }, () => 1)
    expect(split(new RecordSplitter(), record(CONTENT_TYPE.applicationData, fragment))).toHaveLength(1)
  })

  it.each([
    ['one byte more than that', [23, 3, 3, (MAX_RECORD_FRAGMENT_BYTES + 1) >> 8, (MAX_RECORD_FRAGMENT_BYTES + 1) & 0xff]],
    ['a giant length', [23, 3, 3, 0xff, 0xff]],
    ['a type that no record has', [0x47, 3, 3, 0, 1]],
    ['a version that TLS never had', [22, 2, 0, 0, 1]],
    ['HTTP', [...Buffer.from('GET /')]],
  ])('refuses %s as soon as the header is whole, and holds nothing of the rest', (_what, header) => {
    const splitter = new RecordSplitter()
    expect(split(splitter, Uint8Array.from(header.slice(0, 4)))).toEqual([])
    expect(() => split(splitter, Uint8Array.from(header.slice(4)))).toThrow(
      expect.objectContaining({ code: 'ERR_SZMQ_BAD_RECORD' }),
    )
    expect(() => split(splitter, new Uint8Array(100_000))).toThrow(expect.objectContaining({ code: 'ERR_SZMQ_BAD_RECORD' }))
    expect(splitter.bufferedBytes).toBe(5)
  })

  it('yields the whole records that came before the damage', () => {
    const seen: number[] = []
    expect(() => {
      for (const { type } of new RecordSplitter().split(Uint8Array.of(...record(22, [1]), 99, 9, 9, 9, 9))) seen.push(type)
    }).toThrow(expect.objectContaining({ code: 'ERR_SZMQ_BAD_RECORD' }))
    expect(seen).toEqual([22])
  })
})
