import { describe, expect, it } from 'vitest'
import { decodePipeHead, encodePipeHead, type PipeHead } from '../../../src/actors/pipe-head.codec.ts'

const heads: PipeHead[] = [
  { kind: 'local' },
  { kind: 'toNode', node: 'n'.repeat(64), thread: 255 },
  { kind: 'fromLink', link: 2 ** 48 - 1, thread: 63 },
  { kind: 'origin', link: 1 },
  { kind: 'originGone', link: 1 },
]

describe('the head of a batch on a pipe', () => {
  it.each(heads)('comes out as it went in: $kind', (head) => {
    const bytes = Buffer.concat([Buffer.from('before'), encodePipeHead(head), Buffer.from('batch')]).subarray(6)
    const decoded = decodePipeHead(bytes)
    expect(decoded.head).toEqual(head)
    expect(Buffer.from(decoded.batch).toString()).toBe('batch')
  })

  it.each(heads.filter(({ kind }) => kind !== 'local'))('is refused when it is cut: $kind', (head) => {
    const bytes = encodePipeHead(head)
    for (let length = 0; length < bytes.length; length += 1) {
      expect(() => decodePipeHead(bytes.subarray(0, length))).toThrow(
        expect.objectContaining({ code: 'ERR_SZMQ_MALFORMED_MESSAGE' }),
      )
    }
  })
})
