import './seed.ts'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { RingReader, RingWriter } from '../../src/transport/ring.ts'
import { smallBoard } from '../support/small-board.ts'

/** Where the counters begin: some just before they wrap at 2³¹ (the sign) and 2³². */
const mark = fc.oneof(fc.constant(0), fc.integer({ min: -300, max: 300 }), fc.integer({ min: 2 ** 31 - 300, max: 2 ** 31 - 1 }))
const step = fc.record({ isWrite: fc.boolean(), length: fc.integer({ min: 0, max: 70 }) })

it('gives back the same bytes in the same order, wherever its counters stand, and never counts more room than it has', () => {
  fc.assert(
    fc.property(mark, fc.array(step, { maxLength: 100, size: 'max' }), (start, steps) => {
      const marks = smallBoard({ ringBytes: 64, mark: start }).marks(0, 1)
      const writer = new RingWriter(marks)
      const reader = new RingReader(marks)
      const model: number[] = []
      let next = 0
      for (const { isWrite, length } of steps) {
        expect(writer.free).toBe(writer.capacity - model.length)
        if (isWrite && length <= writer.free) {
          const bytes = Uint8Array.from({ length }, () => (next = (next + 1) & 0xff))
          writer.write(bytes)
          model.push(...bytes)
        } else if (!isWrite && length <= model.length) {
          const target = new Uint8Array(length)
          reader.readInto(target)
          expect([...target]).toEqual(model.splice(0, length))
        }
      }
    }),
  )
})

it('lies apart from every other ring of its board', () => {
  const board = smallBoard({ ringBytes: 64 })
  new RingWriter(board.marks(0, 1)).write(new Uint8Array(64).fill(1))
  new RingWriter(board.marks(1, 0)).write(new Uint8Array(64).fill(2))
  const [one, two] = [new Uint8Array(64), new Uint8Array(64)]
  new RingReader(board.marks(0, 1)).readInto(one)
  new RingReader(board.marks(1, 0)).readInto(two)
  expect([new Set(one), new Set(two)]).toEqual([new Set([1]), new Set([2])])
})
