import { X509Certificate } from 'node:crypto'
import { messageOf, SzmqError } from '../../shared/errors.ts'

/** PEM text, or its bytes. One or more blocks. */
export type Pem = string | Uint8Array

/** What a PEM text is for, in the words of its errors. */
export type PemPart = 'ca' | 'certificate' | 'private key' | 'crl'

/** @throws ERR_SZMQ_BAD_CREDENTIALS if it is empty */
export function readPem(pem: Pem, part: PemPart): string {
  const text = typeof pem === 'string' ? pem : Buffer.from(pem.buffer, pem.byteOffset, pem.byteLength).toString('latin1')
  if (text.trim() === '') throw badCredentials(`the ${part} is empty`, `give PEM text ("-----BEGIN …")`)
  return text
}

/** Each certificate of `pem` must be readable. @returns the first. */
export function readCertificates(pem: string, part: PemPart): X509Certificate {
  requireBlock(pem, 'CERTIFICATE', part)
  const [first] = readBlocks(pem, 'CERTIFICATE').map((block, index) => {
    try {
      return new X509Certificate(block)
    } catch (cause) {
      throw badCredentials(
        `certificate ${index + 1} of the ${part} is unreadable (${messageOf(cause)})`,
        'copy the whole PEM block again',
        cause,
      )
    }
  })
  if (first === undefined) throw badCredentials(`the ${part} holds no whole certificate`, 'copy the whole PEM block again')
  return first
}

/** @throws ERR_SZMQ_BAD_CREDENTIALS unless a block of this label is there */
export function requireBlock(pem: string, label: string, part: PemPart): void {
  if (pem.includes(`-----BEGIN ${label}-----`)) return
  const seen = /-----BEGIN ([A-Z0-9 ]+)-----/.exec(pem)?.[1]
  throw badCredentials(
    `the ${part} holds ${seen === undefined ? 'no PEM block' : `a "${seen}"`}`,
    `a "BEGIN ${label}" block belongs there`,
  )
}

/** The whole blocks of this label, in order. */
export function readBlocks(pem: string, label: string): readonly string[] {
  return pem.match(new RegExp(`-----BEGIN ${label}-----[^-]*-----END ${label}-----`, 'g')) ?? []
}

/** The error for a text that cannot be used. Never with a cause that stood near a key. */
export function badCredentials(seen: string, remedy: string, cause?: unknown): SzmqError {
  return new SzmqError('ERR_SZMQ_BAD_CREDENTIALS', `${seen}: ${remedy}`, cause === undefined ? undefined : { cause })
}
