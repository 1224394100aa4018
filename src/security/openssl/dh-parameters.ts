import { badCredentials } from '../credentials/pem.ts'

/** Less falls to whoever prepares for that one prime (https://weakdh.org); more takes a server long. */
const MIN_PRIME_BITS = 2_048
const MAX_PRIME_BITS = 8_192

/**
 * Node takes any text for Diffie-Hellman parameters, and out of what is none makes a server without DHE.
 *
 * @returns `pem`
 * @throws ERR_SZMQ_BAD_CREDENTIALS unless it holds PKCS #3 parameters with a prime of 2 048 to 8 192 bits
 */
export function requireDhParameters(pem: string): string {
  const [, base64] = /-----BEGIN DH PARAMETERS-----([^-]*)-----END DH PARAMETERS-----/.exec(pem) ?? []
  const bits = base64 === undefined ? undefined : readPrimeBits(Buffer.from(base64, 'base64'))
  if (bits !== undefined && bits >= MIN_PRIME_BITS && bits <= MAX_PRIME_BITS) return pem
  throw badCredentials(
    bits === undefined ? 'dhParametersPem holds no "BEGIN DH PARAMETERS" block' : `dhParametersPem has a prime of ${bits} bits`,
    `give ${MIN_PRIME_BITS} to ${MAX_PRIME_BITS} bits (openssl dhparam 3072), or leave it out`,
  )
}

/** `SEQUENCE { prime INTEGER, … }`, DER. */
function readPrimeBits(der: Buffer): number | undefined {
  const sequence = readElement(der, 0x30)
  const prime = sequence === undefined ? undefined : readElement(sequence, 0x02)
  if (prime === undefined) return undefined
  const digits = prime.toString('hex').replace(/^0+/, '')
  const [first = '0'] = digits
  return digits === '' ? undefined : digits.length * 4 - Math.clz32(parseInt(first, 16)) + 28
}

/** The content of the element that `der` begins with. */
function readElement(der: Buffer, tag: number): Buffer | undefined {
  const [seenTag, first] = der
  if (seenTag !== tag || first === undefined) return undefined
  const lengthBytes = first < 0x80 ? 0 : first & 0x7f
  if (lengthBytes > 2 || der.length < 2 + lengthBytes) return undefined
  const length = lengthBytes === 0 ? first : der.readUIntBE(2, lengthBytes)
  const content = der.subarray(2 + lengthBytes, 2 + lengthBytes + length)
  return content.length === length ? content : undefined
}
