import { concatBytes } from '../../../src/shared/bytes.ts'
import { SzmqError } from '../../../src/shared/errors.ts'
import { createMessageCodec, wrapBytes } from '../../../src/transport/message.codec.ts'
import type { FuzzInput, FuzzTarget } from '../fuzz-target.ts'
import { kindOf, promise, promiseSame, sizeOf, valueOrSzmqError } from '../promises.ts'

/** Nothing that is decoded holds more than so many elements and bytes for each byte that came. */
const MAX_GROWTH = 16

const VALUES: readonly (readonly unknown[])[] = [
  [],
  [1, -1, 300, 70_000, 2 ** 40, 1.5, true, false, null, undefined, 'text', 'a longer text of more than thirty-one bytes'],
  [
    { a: 1, b: 'two' },
    { a: 2, b: 'three' },
    { a: 3, b: 'four' },
    { a: 4, b: 'five' },
  ],
  [new Map<unknown, unknown>([['k', [1, 2]]]), new Set([1, 'a']), new Date(0), new Date(1.5e12 + 0.25)],
  [1n, -1n, 2n ** 70n, -(2n ** 70n), new TypeError('no'), /a+b/g],
  [Buffer.from('bytes'), new Uint8Array(3), new Float64Array(2), new BigInt64Array(1), new ArrayBuffer(5)],
  [wrapBytes(Uint8Array.of(1, 2, 3)), wrapBytes({ body: new Uint8Array(40) })],
  [[[[[[[[[]]]]]]]]],
]

/** Tokens of extensions and records, as msgpackr writes them; and lengths that nothing stands behind. */
const WORDS = [
  [0xd4, 0x72, 0x40, 0x91, 0xa1, 0x61, 1],
  [0xd5, 0x72, 0x40, 0x00, 0x91, 0xa1, 0x61, 1],
  [0x40],
  [0xd6, 0x69, 0, 0, 0, 1, 0x91],
  [0xd6, 0x70, 0, 0, 0, 1],
  [0xc7, 4, 0x62, 0, 0, 0, 2],
  [0xd6, 0x62, 0, 0, 0, 8],
  [0xc1],
  [0xd4, 0x78, 0, 0x92, 0xa1, 0x61, 0xa1, 0x67],
  [0xd4, 0x65, 0, 0x93, 0xa1, 0x61, 0xa1, 0x67, 0xc0],
  [0xd4, 0x73, 0, 0x91],
  [0xc7, 9, 0x42, 1],
  [0xc7, 2, 0x74, 9],
  [0xc7, 3, 0x55, 1, 2, 3],
  [0xc7, 3, 0x53],
  [0xd6, 0xff, 0, 0, 0, 1],
  [0xd4, 0, 0],
  [0xdd, 0xff, 0xff, 0xff, 0xff],
  [0xdf, 0x7f, 0xff, 0xff, 0xff],
  [0xdc, 0xff, 0xff],
  [0xc9, 0, 0, 1, 0],
  [0xdb, 0xff, 0xff, 0xff, 0xff],
  [0x91],
  [0xa9, ...Buffer.from('__proto__')],
].map((bytes) => Uint8Array.from(bytes))

/** Pieces are put together: one batch. */
export const messageTarget: FuzzTarget = {
  name: 'message',
  share: 100,
  prepare: () => {
    const codec = createMessageCodec()
    return {
      seeds: VALUES.map((values) => [Buffer.from(codec.encode(values))]),
      words: WORDS,
      run: (input) => runMessage(input, codec),
    }
  },
}

/** @param used a codec that has seen other batches: they must not matter */
export function runMessage(input: FuzzInput, used: ReturnType<typeof createMessageCodec>): readonly string[] {
  const bytes = Buffer.from(concatBytes(input))
  const values = valueOrSzmqError(() => used.decode(bytes))
  const fresh = valueOrSzmqError(() => createMessageCodec().decode(Buffer.from(bytes)))
  promiseSame(kindOf(values), kindOf(fresh), 'a codec that has seen other batches decodes differently')
  if (values instanceof SzmqError) return [kindOf(values)]
  promise(Array.isArray(values), 'a batch is no list')
  const most = MAX_GROWTH * (bytes.length + 16)
  promise(sizeOf(values, most) <= most, `${bytes.length} bytes become more than ${most} elements and bytes`)
  promise(({} as Record<string, unknown>)['a'] === undefined, 'the prototype of all objects was changed')
  const again = valueOrSzmqError(() => used.encode(values))
  if (again instanceof SzmqError) return ['not encoded again']
  promise(again.length <= most, `${bytes.length} bytes are decoded, and encode to ${again.length}`)
  return values.slice(0, 3).map((value) => `holds ${value === null ? 'null' : nameOf(value)}`)
}

function nameOf(value: unknown): string {
  return typeof value === 'object' && value !== null ? Object.prototype.toString.call(value) : typeof value
}
