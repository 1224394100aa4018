import { concatBytes } from '../../src/shared/bytes.ts'

const [CLIENT_HELLO, PRE_SHARED_KEY] = [1, 41]
/** Of a fragment: less than 2^14. */
const FRAGMENT_BYTES = 16_000

/** Puts other identities into the pre_shared_key extension of a ClientHello (RFC 8446 §4.2.11), binders as they were. Other records pass. */
export function replacePskIdentities(
  record: Uint8Array,
  replace: (own: readonly Uint8Array[]) => readonly Uint8Array[],
): Uint8Array {
  const hello = Buffer.from(record.subarray(5))
  if (record[0] !== 22 || hello[0] !== CLIENT_HELLO) return record
  // Version and random, then session id, cipher suites and compression methods.
  let at = 4 + 2 + 32
  at += 1 + hello.readUInt8(at)
  at += 2 + hello.readUInt16BE(at)
  at += 1 + hello.readUInt8(at)
  const extensions: Uint8Array[] = []
  for (let rest = hello.subarray(at + 2); rest.length > 0;) {
    const type = rest.readUInt16BE(0)
    const content = rest.subarray(4, 4 + rest.readUInt16BE(2))
    extensions.push(uint16(type), withLength(type === PRE_SHARED_KEY ? replaceIn(content, replace) : content))
    rest = rest.subarray(4 + content.length)
  }
  const body = concatBytes([hello.subarray(4, at), withLength(concatBytes(extensions))])
  const header = Buffer.alloc(4)
  header.writeUInt32BE(body.length)
  header[0] = CLIENT_HELLO
  return intoRecords(concatBytes([header, body]))
}

function replaceIn(content: Buffer, replace: (own: readonly Uint8Array[]) => readonly Uint8Array[]): Uint8Array {
  const end = 2 + content.readUInt16BE(0)
  const own: Uint8Array[] = []
  for (let at = 2; at < end;) {
    const length = content.readUInt16BE(at)
    own.push(content.subarray(at + 2, at + 2 + length))
    at += 2 + length + 4
  }
  const age = new Uint8Array(4)
  const identities = replace(own).map((identity) => concatBytes([withLength(identity), age]))
  return concatBytes([withLength(concatBytes(identities)), content.subarray(end)])
}

function intoRecords(message: Uint8Array): Uint8Array {
  const records: Uint8Array[] = []
  for (let at = 0; at < message.length; at += FRAGMENT_BYTES) {
    records.push(Uint8Array.of(22, 3, 1), withLength(message.subarray(at, at + FRAGMENT_BYTES)))
  }
  return concatBytes(records)
}

function withLength(bytes: Uint8Array): Uint8Array {
  return concatBytes([uint16(bytes.length), bytes])
}

function uint16(value: number): Uint8Array {
  return Uint8Array.of(value >> 8, value & 0xff)
}
