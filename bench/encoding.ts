import { Packr } from 'msgpackr'
import type { Message } from './payload.ts'

/** Peers that carry bytes only put each message into one frame, encoded by the library that szmq uses: a selector and plain `bin` bytes. */
const SELECTOR = 1
const packr = new Packr({ useRecords: false })

export function encode({ payload }: Message): Uint8Array {
  return packr.pack([SELECTOR, payload])
}

export function decode(frame: Uint8Array): Message {
  const [, payload] = packr.unpack(frame) as [number, Uint8Array]
  return { payload }
}
