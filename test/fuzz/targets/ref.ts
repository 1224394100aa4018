import { ActorRef } from '../../../src/actors/ref.ts'
import { createRefCodec } from '../../../src/actors/ref.codec.ts'
import { decodeShape } from '../../../src/actors/ref-shape.ts'
import { concatBytes } from '../../../src/shared/bytes.ts'
import { SzmqError } from '../../../src/shared/errors.ts'
import { createMemoryRuntime } from '../../support/memory-runtime.ts'
import type { FuzzTarget } from '../fuzz-target.ts'
import { kindOf, promise, valueOrSzmqError } from '../promises.ts'

/** Pieces are put together: first byte odd, the JSON of a ref that is wrapped in a batch; even, a batch as it is. */
export const refTarget: FuzzTarget = {
  name: 'ref',
  share: 40,
  prepare: () => {
    const { runtime } = createMemoryRuntime()
    const codec = createRefCodec(runtime)
    const address = { node: 'there', thread: 3, id: 17, path: '/a/b' }
    const ref = runtime.createRef(address, decodeShape(['+add', '?total', '~size']))
    return {
      seeds: [
        [Uint8Array.of(0), Buffer.from(codec.encode([7, 16, ref, { ref }]))],
        [Uint8Array.of(1), Buffer.from('["there",3,17,"/a/b",["+add","?total","~size"]]')],
        [Uint8Array.of(1), Buffer.from('["x",255,9007199254740991,"",[]]')],
      ],
      words: ['"', '[', ']', ',', '"+__proto__"', '"+constructor"', '-1', '1e999', '\\u0000', '256', '["+a","?a"]'].map(
        (text) => Buffer.from(text),
      ),
      run: (input) => {
        const [first, ...bytes] = concatBytes(input)
        const batch = ((first ?? 0) & 1) === 1 ? wrapRef(bytes) : Buffer.from(bytes)
        const values = valueOrSzmqError(() => codec.decode(batch))
        if (values instanceof SzmqError) return [kindOf(values)]
        const [found] = values
        if (!(found instanceof ActorRef)) return ['no ref']
        const again = codec.decode(codec.encode([found]))[0]
        promise(again instanceof ActorRef, 'a ref does not come back')
        if (again instanceof ActorRef) promise(sameAddress(again, found), 'a ref comes back with another address')
        // What actors use: it is made on first use.
        return ['ref', `tell ${Object.keys(Object.getPrototypeOf(found.tell) ?? {}).length}`]
      },
    }
  },
}

function wrapRef(json: readonly number[]): Buffer {
  const head = Buffer.from([0x91, 0xc9, 0, 0, 0, 0, 0x53])
  head.writeUInt32BE(json.length, 2)
  return Buffer.concat([head, Buffer.from(json)])
}

function sameAddress({ address: a }: ActorRef, { address: b }: ActorRef): boolean {
  return a.node === b.node && a.thread === b.thread && a.id === b.id && a.path === b.path
}
