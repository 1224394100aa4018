import { concatBytes } from '../../../src/shared/bytes.ts'
import type { SzmqError } from '../../../src/shared/errors.ts'
import { MAX_RECORD_FRAGMENT_BYTES, RECORD_HEADER_BYTES, RecordSplitter } from '../../../src/security/records/record.codec.ts'
import type { FuzzInput, FuzzTarget } from '../fuzz-target.ts'
import { promise, promiseSame, requireSzmqError } from '../promises.ts'
import { slicingsOf } from './slicings.ts'

/** Pieces: slices of a stream of TLS records. */
export const recordTarget: FuzzTarget = {
  name: 'record',
  share: 120,
  prepare: () => ({
    seeds: [
      [Uint8Array.of(22, 3, 1, 0, 4, 1, 0, 0, 0)],
      [Uint8Array.of(20, 3, 3, 0, 1, 1, 21, 3, 3, 0), Uint8Array.of(2, 2, 40)],
      [Uint8Array.of(23, 3, 3, 0x48, 0), new Uint8Array(MAX_RECORD_FRAGMENT_BYTES)],
    ],
    words: [Uint8Array.of(22, 3, 3, 0, 0), Uint8Array.of(23, 3, 3, 0x48, 0x01), Uint8Array.of(24, 3, 4, 0xff, 0xff)],
    run: (input) => {
      const [first, ...others] = slicingsOf(input).map(splitAll)
      if (first === undefined) return []
      for (const other of others) promiseSame(other, first, 'another slicing gives other records')
      const written = Buffer.from(concatBytes(input)).toString('hex')
      promise(written.startsWith(first.records.join('')), 'the records are not what was written')
      return [first.error ?? 'whole', `records ${Math.min(3, first.records.length)}`]
    },
  }),
}

function splitAll(slices: FuzzInput): { readonly records: readonly string[]; readonly error: string | undefined } {
  const splitter = new RecordSplitter()
  const records: string[] = []
  let error: SzmqError | undefined
  for (const slice of slices) {
    try {
      for (const { bytes, fragment } of splitter.split(slice)) {
        promise(bytes.length === RECORD_HEADER_BYTES + fragment.length, 'a record has another length than its fragment says')
        records.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex'))
      }
      promise(error === undefined, 'a damaged stream goes on')
    } catch (thrown) {
      const now = requireSzmqError(thrown)
      promise(error === undefined || error === now, 'a damaged stream fails in another way the next time')
      error = now
    }
    promise(splitter.bufferedBytes <= RECORD_HEADER_BYTES + MAX_RECORD_FRAGMENT_BYTES, 'more than a record is held')
  }
  // The error of a header shows the bytes that came with it: only its code is the same for every slicing.
  return { records, error: error?.code }
}
