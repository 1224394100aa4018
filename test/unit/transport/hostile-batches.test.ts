import { expect, it } from 'vitest'
import { createMessageCodec } from '../../../src/transport/message.codec.ts'

const MALFORMED = expect.objectContaining({ code: 'ERR_SZMQ_MALFORMED_MESSAGE' })
const codec = createMessageCodec()

// Found by fuzzing: each shape that is used four times was compiled, 80 µs for 18 bytes.
it('reads a batch of ever new shapes of objects about as fast as any other', () => {
  const SHAPES = 40_000
  const bytes: number[] = []
  for (let shape = 0; shape < SHAPES; shape += 1) {
    const key = Buffer.from(shape.toString(36).padStart(4, 'a'))
    bytes.push(0xd4, 0x72, 0x40, 0x91, 0xa4, ...key, 1, 0x40, 2, 0x40, 3, 0x40, 4, 0x40, 5)
  }
  const head = Buffer.from([0xdd, 0, 0, 0, 0])
  head.writeUInt32BE(5 * SHAPES, 1)
  const startedAt = performance.now()
  const values = codec.decode(Buffer.concat([head, Buffer.from(bytes)]))
  expect(performance.now() - startedAt).toBeLessThan(2_000)
  expect(values).toHaveLength(5 * SHAPES)
  expect(values.slice(0, 5)).toEqual([1, 2, 3, 4, 5].map((aaa0) => ({ aaa0 })))
})

it('reads bytes and typed arrays among many shapes as it does among few', () => {
  const values = Array.from({ length: 500 }, (_, at) => ({ [`key${at}`]: Buffer.from([at & 255]), also: new Map([[at, 1n]]) }))
  expect(codec.decode(codec.encode(values))).toEqual(values)
})

// Found by fuzzing: the error for bytes behind the list wrote the whole list out, which takes a number of a megabyte half a minute.
it('refuses bytes behind a list without looking at what is in it', () => {
  const batch = Buffer.alloc(1_000_008, 0x7f)
  batch[0] = 0x91
  batch[1] = 0xc9
  batch.writeUInt32BE(1_000_000, 2)
  batch[6] = 0x42
  const startedAt = performance.now()
  expect(() => codec.decode(batch)).toThrowError(MALFORMED)
  expect(performance.now() - startedAt).toBeLessThan(2_000)
})

// Found by fuzzing: 449 bytes became a value that takes 64 MiB to send on, and a list could hold itself.
it('takes no references between values', () => {
  const circle = Buffer.from([0x91, 0xd6, 0x69, 0, 0, 0, 1, 0x91, 0xd6, 0x70, 0, 0, 0, 1])
  expect(() => codec.decode(circle)).toThrowError(MALFORMED)
})
