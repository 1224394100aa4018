import { byteAt, uint16At } from './record.codec.ts'

/** Bytes before each handshake message: type and 24-bit length (RFC 8446 §4). */
const HANDSHAKE_HEADER_BYTES = 4

/** The longest message whose body is kept. Longer ones (certificate chains) are named and skipped, never held. */
export const MAX_HANDSHAKE_BODY_BYTES = 8_192

/** `HandshakeType` of RFC 8446 §4 and RFC 5246 §7.4. */
const HANDSHAKE_NAMES: Readonly<Record<number, string>> = {
  0: 'HelloRequest',
  1: 'ClientHello',
  2: 'ServerHello',
  4: 'NewSessionTicket',
  5: 'EndOfEarlyData',
  8: 'EncryptedExtensions',
  11: 'Certificate',
  12: 'ServerKeyExchange',
  13: 'CertificateRequest',
  14: 'ServerHelloDone',
  15: 'CertificateVerify',
  16: 'ClientKeyExchange',
  20: 'Finished',
  21: 'CertificateURL',
  22: 'CertificateStatus',
  24: 'KeyUpdate',
  25: 'CompressedCertificate',
  254: 'MessageHash',
}

/** `NamedGroup` code points, in the names that OpenSSL gives them. */
const GROUP_NAMES: Readonly<Record<number, string>> = {
  0x0017: 'prime256v1',
  0x0018: 'secp384r1',
  0x0019: 'secp521r1',
  0x001a: 'brainpoolP256r1',
  0x001b: 'brainpoolP384r1',
  0x001c: 'brainpoolP512r1',
  0x001d: 'X25519',
  0x001e: 'X448',
  0x0100: 'ffdhe2048',
  0x0101: 'ffdhe3072',
  0x0102: 'ffdhe4096',
  0x0103: 'ffdhe6144',
  0x0104: 'ffdhe8192',
  0x0200: 'MLKEM512',
  0x0201: 'MLKEM768',
  0x0202: 'MLKEM1024',
  0x11eb: 'SecP256r1MLKEM768',
  0x11ec: 'X25519MLKEM768',
  0x11ed: 'SecP384r1MLKEM1024',
}

/** SHA-256 of "HelloRetryRequest": the random of a ServerHello that is one (RFC 8446 §4.1.3). */
const HELLO_RETRY_RANDOM_HEX = 'cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c'

const EXTENSION = { preSharedKey: 41, supportedVersions: 43, keyShare: 51 } as const

/** A handshake message in plain text. */
export interface HandshakeMessage {
  readonly type: number
  /** By its RFC 8446 or 5246 name; `HandshakeType(n)` for one that neither has. */
  readonly name: string
  /** With its header. */
  readonly length: number
  /** Without its header; undefined if it is longer than {@link MAX_HANDSHAKE_BODY_BYTES}. */
  readonly body: Uint8Array | undefined
}

/** What a ServerHello decides. */
export interface ServerHello {
  readonly isRetry: boolean
  /** `0x0304` for TLS 1.3. */
  readonly version: number
  readonly cipherSuite: number
  /** The group of its `key_share`; undefined in TLS 1.2, and when a session was resumed without one. */
  readonly group: string | undefined
  /** TLS 1.3: one of the client's pre-shared keys or tickets was taken. */
  readonly isPskAccepted: boolean
}

/** The name of a handshake type, for any byte. */
export function nameHandshake(type: number): string {
  return HANDSHAKE_NAMES[type] ?? `HandshakeType(${type})`
}

/** The name of a key exchange group, for any code point. */
export function nameGroup(codePoint: number): string {
  return GROUP_NAMES[codePoint] ?? `group(0x${codePoint.toString(16).padStart(4, '0')})`
}

/**
 * Puts handshake messages together from the fragments of plain-text handshake records, where one message may span many records
 * and one record hold many messages. Total: any bytes make some messages. Holds at most {@link MAX_HANDSHAKE_BODY_BYTES} and a header.
 */
export class HandshakeReader {
  #held: Uint8Array = new Uint8Array(0)
  #toSkip = 0

  /** The messages that `fragment` completes; a long one is reported as soon as its header is seen. */
  read(fragment: Uint8Array): readonly HandshakeMessage[] {
    const skipped = Math.min(this.#toSkip, fragment.length)
    this.#toSkip -= skipped
    let rest = join(this.#held, fragment.subarray(skipped))
    const messages: HandshakeMessage[] = []
    while (rest.length >= HANDSHAKE_HEADER_BYTES) {
      const type = byteAt(rest, 0)
      const length = (byteAt(rest, 1) << 16) | uint16At(rest, 2)
      const end = HANDSHAKE_HEADER_BYTES + length
      if (length > MAX_HANDSHAKE_BODY_BYTES) {
        messages.push({ type, name: nameHandshake(type), length: end, body: undefined })
        this.#toSkip = Math.max(0, end - rest.length)
        rest = rest.subarray(Math.min(end, rest.length))
        continue
      }
      if (rest.length < end) break
      messages.push(toMessage(type, rest.subarray(HANDSHAKE_HEADER_BYTES, end)))
      rest = rest.subarray(end)
    }
    // Not `slice`: that of a Buffer would hold on to the whole record.
    this.#held = new Uint8Array(rest)
    return messages
  }
}

/** Reads the body of a ServerHello; undefined if the bytes are not one. Never throws. */
export function readServerHello(body: Uint8Array): ServerHello | undefined {
  const sessionIdLength = byteAt(body, 34)
  const suiteAt = 35 + sessionIdLength
  if (body.length < suiteAt + 3) return undefined
  let version = uint16At(body, 0)
  let group: string | undefined
  let isPskAccepted = false
  for (const extension of readExtensions(body.subarray(suiteAt + 3))) {
    if (extension.type === EXTENSION.supportedVersions && extension.content.length === 2)
      version = uint16At(extension.content, 0)
    if (extension.type === EXTENSION.keyShare && extension.content.length >= 2)
      group = nameGroup(uint16At(extension.content, 0))
    if (extension.type === EXTENSION.preSharedKey) isPskAccepted = true
  }
  return { isRetry: isRetryRandom(body.subarray(2, 34)), version, cipherSuite: uint16At(body, suiteAt), group, isPskAccepted }
}

/**
 * The named curve of a TLS 1.2 ServerKeyExchange (RFC 8422 §5.4), or undefined. Only meaningful if the cipher suite is an ECDHE one:
 * the message does not say so itself.
 */
export function readEcdheGroup(body: Uint8Array): string | undefined {
  const NAMED_CURVE = 3
  if (body.length < 4 || body[0] !== NAMED_CURVE) return undefined
  return nameGroup(uint16At(body, 1))
}

function* readExtensions(block: Uint8Array): Generator<{ readonly type: number; readonly content: Uint8Array }> {
  const end = Math.min(block.length, 2 + uint16At(block, 0))
  for (let at = 2; at + 4 <= end;) {
    const next = at + 4 + uint16At(block, at + 2)
    if (next > end) return
    yield { type: uint16At(block, at), content: block.subarray(at + 4, next) }
    at = next
  }
}

function toMessage(type: number, body: Uint8Array): HandshakeMessage {
  const isRetry = type === 2 && isRetryRandom(body.subarray(2, 34))
  return { type, name: isRetry ? 'HelloRetryRequest' : nameHandshake(type), length: HANDSHAKE_HEADER_BYTES + body.length, body }
}

function isRetryRandom(random: Uint8Array): boolean {
  return (
    random.length === 32 && random.every((byte, at) => byte === parseInt(HELLO_RETRY_RANDOM_HEX.slice(at * 2, at * 2 + 2), 16))
  )
}

function join(held: Uint8Array, more: Uint8Array): Uint8Array {
  if (held.length === 0) return more
  const whole = new Uint8Array(held.length + more.length)
  whole.set(held)
  whole.set(more, held.length)
  return whole
}
