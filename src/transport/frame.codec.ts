import { SzmqError } from '../shared/errors.ts'
import { assertNever } from '../shared/assert-never.ts'
import { concatBytes, toHex } from '../shared/bytes.ts'

declare const sessionIdBrand: unique symbol
/** 128 random bits as 32 lower-case hexadecimal digits. */
export type SessionId = string & { readonly [sessionIdBrand]: true }

interface FrameHeader {
  /** Which side made the frame, so that one reflected to its maker is known as such. */
  readonly from: 'client' | 'server'
  readonly sessionId: SessionId
  /** The TLS incarnation, from 1. */
  readonly epoch: number
}

/** One szmq frame: what a ZeroMQ message carries behind its envelope. */
export type Frame =
  | (FrameHeader & {
      readonly kind: 'tls'
      /** Counts the frames of one direction of one epoch, from 0. */
      readonly sequence: number
      readonly bytes: Uint8Array
    })
  /** "I do not know this session, or lost its stream: hand-shake again." Plain text, believed only as far as it can do no harm. */
  | (FrameHeader & { readonly kind: 'reset' })
  /** A server under load, before it keeps anything: "say your hello again, and this with it." */
  | (FrameHeader & { readonly kind: 'cookie'; readonly from: 'server'; readonly cookie: Uint8Array })
  /** The first frame of an epoch once more, with the cookie that was asked for. Otherwise what a `tls` frame of sequence 0 is. */
  | (FrameHeader & {
      readonly kind: 'hello'
      readonly from: 'client'
      readonly cookie: Uint8Array
      readonly bytes: Uint8Array
    })

export const FRAME_HEADER_BYTES = 32
export const SESSION_ID_BYTES = 16
/** Length of every cookie. */
export const COOKIE_BYTES = 16

const MAGIC_S = 0x53
const MAGIC_Z = 0x5a
const VERSION = 1
const TYPE_TLS = 1
const TYPE_RESET = 2
/** From a server a cookie, from a client a hello that begins with one. */
const TYPE_COOKIE = 3
const FROM_SERVER = 0x80
const NOTHING = new Uint8Array(0)

/**
 * Always two parts: the header and the TLS bytes, which are empty for a reset. The second part is the frame's own array; of a hello it is a copy,
 * the cookie first.
 */
export function encodeFrame(frame: Frame): readonly [header: Uint8Array, bytes: Uint8Array] {
  const header = new Uint8Array(FRAME_HEADER_BYTES)
  const view = new DataView(header.buffer)
  header[0] = MAGIC_S
  header[1] = MAGIC_Z
  header[2] = VERSION
  header[3] = TYPES[frame.kind] | (frame.from === 'server' ? FROM_SERVER : 0)
  for (let at = 0; at < SESSION_ID_BYTES; at += 1)
    header[4 + at] = Number.parseInt(frame.sessionId.slice(2 * at, 2 * at + 2), 16)
  view.setUint32(20, frame.epoch)
  switch (frame.kind) {
    case 'reset':
      return [header, NOTHING]
    case 'cookie':
      return [header, frame.cookie]
    case 'hello':
      return [header, concatBytes([frame.cookie, frame.bytes])]
    case 'tls':
      view.setBigUint64(24, BigInt(frame.sequence))
      return [header, frame.bytes]
    default:
      return assertNever(frame)
  }
}

const TYPES = { tls: TYPE_TLS, reset: TYPE_RESET, cookie: TYPE_COOKIE, hello: TYPE_COOKIE } as const

/**
 * Total: any parts give a frame or an error (ERR_SZMQ_MALFORMED_FRAME, ERR_SZMQ_PROTOCOL_MISMATCH). `bytes` and
 * `cookie` are the part itself, or views of it.
 */
export function decodeFrame(header: Uint8Array | undefined, bytes: Uint8Array | undefined): Frame | SzmqError {
  if (header === undefined || bytes === undefined) return malformed('a frame has two parts, header and TLS bytes')
  if (header.length !== FRAME_HEADER_BYTES) return malformed(`a header has ${FRAME_HEADER_BYTES} bytes, not ${header.length}`)
  if (header[0] !== MAGIC_S || header[1] !== MAGIC_Z) return malformed('a header begins with "SZ"')
  if (header[2] !== VERSION) {
    return new SzmqError('ERR_SZMQ_PROTOCOL_MISMATCH', `the frame has version ${header[2]}, we speak ${VERSION}`)
  }
  const view = new DataView(header.buffer, header.byteOffset)
  const typeByte = view.getUint8(3)
  const type = typeByte & ~FROM_SERVER
  if (type !== TYPE_TLS && type !== TYPE_RESET && type !== TYPE_COOKIE) return malformed(`the type ${type} is unknown`)
  const from = typeByte === type ? 'client' : 'server'
  const sender: FrameHeader = {
    from,
    sessionId: sessionIdOf(header.subarray(4, 4 + SESSION_ID_BYTES)),
    epoch: view.getUint32(20),
  }
  if (sender.epoch === 0) return malformed('epochs begin at 1')
  const sequence = view.getUint32(24) * 0x1_0000_0000 + view.getUint32(28)
  if (type === TYPE_TLS) return decodeTls(sender, sequence, bytes)
  if (type === TYPE_COOKIE) {
    if (sequence > 0) return malformed('a cookie carries no sequence')
    return from === 'server' ? decodeCookie({ ...sender, from }, bytes) : decodeHello({ ...sender, from }, bytes)
  }
  if (bytes.length > 0 || sequence > 0) return malformed('a reset carries no sequence and no bytes')
  return { kind: 'reset', ...sender }
}

/** The id that these 16 bytes are. */
export function sessionIdOf(bytes: Uint8Array): SessionId {
  return toHex(bytes) as SessionId
}

function decodeTls(sender: FrameHeader, sequence: number, bytes: Uint8Array): Frame | SzmqError {
  if (!Number.isSafeInteger(sequence)) return malformed('the sequence number is beyond 2^53')
  if (bytes.length === 0) return malformed('a tls frame without TLS bytes')
  return { kind: 'tls', ...sender, sequence, bytes }
}

function decodeCookie(sender: FrameHeader & { readonly from: 'server' }, bytes: Uint8Array): Frame | SzmqError {
  if (bytes.length !== COOKIE_BYTES) return malformed(`a cookie has ${COOKIE_BYTES} bytes, not ${bytes.length}`)
  return { kind: 'cookie', ...sender, cookie: bytes }
}

function decodeHello(sender: FrameHeader & { readonly from: 'client' }, bytes: Uint8Array): Frame | SzmqError {
  if (bytes.length <= COOKIE_BYTES) return malformed('a hello is a cookie and TLS bytes')
  return { kind: 'hello', ...sender, cookie: bytes.subarray(0, COOKIE_BYTES), bytes: bytes.subarray(COOKIE_BYTES) }
}

function malformed(expected: string): SzmqError {
  return new SzmqError('ERR_SZMQ_MALFORMED_FRAME', `not a szmq frame: ${expected}`)
}
