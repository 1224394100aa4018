import { SzmqError } from '../shared/errors.ts'
import { createMessageCodec } from './message.codec.ts'

/** Version of what links say to each other inside a session. */
export const LINK_VERSION = 1
const MAX_NAME_LENGTH = 64

/**
 * What two nodes say to each other inside a session, one session message each. Numbers are big-endian.
 * - `hello` (1): MessagePack list `[version, name, incarnation, link, receivedUpTo]`; the first message of each epoch, both ways.
 *   `link` stays the same across resets; a node that gave the link up and makes a new one says another. `receivedUpTo`: nothing up
 *   to this batch is sent again.
 * - `batch` (2): u48 number, u48 acknowledged number, u8 receiving thread, u8 sending thread, the batch.
 * - `ack` (3): u48 acknowledged number.
 * - `ping` (4): nothing. Only says that we are alive.
 */
export type LinkMessage =
  | {
      readonly kind: 'hello'
      readonly name: string
      readonly incarnation: string
      readonly link: string
      readonly receivedUpTo: number
    }
  | {
      readonly kind: 'batch'
      readonly sequence: number
      readonly acknowledged: number
      readonly to: number
      readonly from: number
      readonly body: Uint8Array
    }
  | { readonly kind: 'ack'; readonly acknowledged: number }
  | { readonly kind: 'ping' }

const HELLO = 1
const BATCH = 2
const ACK = 3
const PING = 4
const BATCH_HEADER_BYTES = 15

const codec = createMessageCodec()

export function encodeLinkMessage(message: LinkMessage): Uint8Array {
  switch (message.kind) {
    case 'hello': {
      const { name, incarnation, link, receivedUpTo } = message
      return Buffer.concat([Uint8Array.of(HELLO), codec.encode([LINK_VERSION, name, incarnation, link, receivedUpTo])])
    }
    case 'batch': {
      const { sequence, acknowledged, to, from, body } = message
      const bytes = Buffer.allocUnsafe(BATCH_HEADER_BYTES + body.length)
      bytes[0] = BATCH
      bytes.writeUIntBE(sequence, 1, 6)
      bytes.writeUIntBE(acknowledged, 7, 6)
      bytes[13] = to
      bytes[14] = from
      bytes.set(body, BATCH_HEADER_BYTES)
      return bytes
    }
    case 'ack': {
      const bytes = Buffer.allocUnsafe(7)
      bytes[0] = ACK
      bytes.writeUIntBE(message.acknowledged, 1, 6)
      return bytes
    }
    case 'ping':
      return Uint8Array.of(PING)
  }
}

/**
 * A batch's body aliases `message`.
 * @throws ERR_SZMQ_MALFORMED_MESSAGE · ERR_SZMQ_PROTOCOL_MISMATCH for another version
 */
export function decodeLinkMessage(message: Uint8Array): LinkMessage {
  const bytes = Buffer.from(message.buffer, message.byteOffset, message.length)
  const kind = bytes[0]
  if (kind === BATCH && bytes.length >= BATCH_HEADER_BYTES) {
    return {
      kind: 'batch',
      sequence: bytes.readUIntBE(1, 6),
      acknowledged: bytes.readUIntBE(7, 6),
      to: bytes[13] as number,
      from: bytes[14] as number,
      body: bytes.subarray(BATCH_HEADER_BYTES),
    }
  }
  if (kind === ACK && bytes.length === 7) return { kind: 'ack', acknowledged: bytes.readUIntBE(1, 6) }
  if (kind === PING && bytes.length === 1) return { kind: 'ping' }
  if (kind === HELLO) return decodeHello(codec.decode(bytes.subarray(1)))
  throw new SzmqError('ERR_SZMQ_MALFORMED_MESSAGE', `a link message of kind ${kind} and ${bytes.length} bytes`)
}

function decodeHello([version, name, incarnation, link, receivedUpTo]: unknown[]): LinkMessage {
  if (version !== LINK_VERSION) {
    throw new SzmqError(
      'ERR_SZMQ_PROTOCOL_MISMATCH',
      `the peer speaks version ${typeof version === 'number' ? version : 'unknown'} of the link protocol, we speak ${LINK_VERSION}: run the same szmq on both nodes`,
    )
  }
  if (!isName(name) || !isName(incarnation) || !isName(link) || !isSequence(receivedUpTo)) {
    throw new SzmqError('ERR_SZMQ_MALFORMED_MESSAGE', 'a hello that does not have the expected form')
  }
  return { kind: 'hello', name, incarnation, link, receivedUpTo }
}

/** What fits into the 48 bits of a batch number. */
function isSequence(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) < 2 ** 48
}

/** Names end up in errors and logs: printable ASCII only. */
function isName(value: unknown): value is string {
  return typeof value === 'string' && value.length <= MAX_NAME_LENGTH && /^[\x21-\x7e]+$/.test(value)
}
