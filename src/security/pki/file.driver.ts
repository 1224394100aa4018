import { createPrivateKey, X509Certificate } from 'node:crypto'
import { messageOf, SzmqError } from '../../shared/errors.ts'
import { readBoundedFile } from '../files/bounded-file.driver.ts'
import { describeCertificate, describeKey, type CertificateFacts } from './certificate.ts'
import { readCrl, type CrlFacts } from './crl.driver.ts'

const MAX_FILE_BYTES = 16 * 1024 * 1024
const MAX_BLOCKS = 1_000

/** One PEM block of a file. Of a private key nothing but its kind. */
export type PemBlock =
  | { readonly kind: 'certificate'; readonly certificate: CertificateFacts }
  | { readonly kind: 'crl'; readonly crl: CrlFacts }
  | { readonly kind: 'private-key'; readonly key: string }
  | { readonly kind: 'other'; readonly label: string }

/**
 * What a PEM file holds, in its order. Signatures are not looked at.
 *
 * @returns undefined if there is no such file.
 * @throws ERR_SZMQ_BAD_CREDENTIALS if it holds nothing, more than 1 000 blocks, or one that is unreadable.
 */
export async function readPemFile(path: string): Promise<readonly PemBlock[] | undefined> {
  const text = await readBoundedFile(path, MAX_FILE_BYTES).catch((cause: unknown) => {
    if (cause instanceof SzmqError) throw cause
    throw bad(`${path} cannot be read (${messageOf(cause)}): name a PEM file`)
  })
  if (text === undefined) return undefined
  const blocks = [...text.matchAll(/-----BEGIN ([A-Z0-9 ]+)-----[^-]*-----END \1-----/g)]
  if (blocks.length === 0) throw bad(`${path} holds no PEM block ("-----BEGIN …"): name a certificate or a revocation list`)
  if (blocks.length > MAX_BLOCKS) throw bad(`${path} holds ${blocks.length} PEM blocks, more than ${MAX_BLOCKS}: split it`)
  const now = new Date()
  return Promise.all(blocks.map(([pem, label = '']) => readBlock(path, pem, label, now)))
}

async function readBlock(path: string, pem: string, label: string, now: Date): Promise<PemBlock> {
  if (label === 'X509 CRL') return { kind: 'crl', crl: await readCrl(pem) }
  if (label.endsWith('PRIVATE KEY')) return { kind: 'private-key', key: describePrivateKey(pem) }
  if (label !== 'CERTIFICATE') return { kind: 'other', label }
  try {
    return { kind: 'certificate', certificate: describeCertificate(new X509Certificate(pem), now) }
  } catch (cause) {
    throw bad(`${path} holds an unreadable certificate (${messageOf(cause)}): copy the whole PEM block again`)
  }
}

function describePrivateKey(pem: string): string {
  try {
    return describeKey(createPrivateKey(pem))
  } catch {
    // Without the cause: nothing that stood near a key travels on.
    return 'encrypted or unreadable'
  }
}

function bad(message: string): SzmqError {
  return new SzmqError('ERR_SZMQ_BAD_CREDENTIALS', message)
}
