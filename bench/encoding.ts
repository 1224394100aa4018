import { Packr } from 'msgpackr'
import type { Message } from './payload.ts'

/** Peers that carry bytes only put each message into one frame, encoded as szmq encodes a message: msgpackr, a selector, a payload. */
const SELECTOR = 1
const packr = new Packr({ useRecords: false })

export function encode({ payload }: Message): Uint8Array {
  return packr.pack([SELECTOR, payload])
}

export function decode(frame: Uint8Array): Message {
  const [, payload] = packr.unpack(frame) as [number, Uint8Array]
  return { payload }
}
