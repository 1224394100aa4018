import { messageOf, SzmqError } from '../../shared/errors.ts'
import { readBoundedFile } from '../files/bounded-file.driver.ts'
import type { CredentialCandidate, CredentialFiles } from './credential-candidate.ts'

/** A larger file of credentials is refused before it is read. */
export const MAX_CREDENTIAL_FILE_BYTES = 1024 * 1024

/**
 * What stands in the files. Never rejects. One after the other, so that a file system that does not answer takes one thread of Node's pool,
 * not all of them.
 */
export async function readCredentialTexts(files: CredentialFiles): Promise<CredentialCandidate> {
  try {
    const ca = await readText(files.caFile, 'CA')
    const certificate = await readText(files.certFile, 'certificate')
    const privateKey = await readText(files.keyFile, 'private key')
    const crl = files.crlFile === undefined ? undefined : await readText(files.crlFile, 'CRL')
    return { kind: 'read', input: { ca, certificate, privateKey, crl } }
  } catch (thrown) {
    const error = thrown instanceof SzmqError ? thrown : unreadable(messageOf(thrown), thrown)
    return { kind: 'unreadable', error }
  }
}

/** For errors: `CA /etc/ca.pem, certificate …`. */
export function describeFiles({ caFile, certFile, keyFile, crlFile }: CredentialFiles): string {
  const crl = crlFile === undefined ? '' : `, CRL ${crlFile}`
  return `CA ${caFile}, certificate ${certFile}, private key ${keyFile}${crl}`
}

async function readText(path: string, what: string): Promise<string> {
  const text = await readBoundedFile(path, MAX_CREDENTIAL_FILE_BYTES).catch((cause: unknown) => {
    throw unreadable(`the ${what} file ${path} cannot be read (${messageOf(cause)}): let this process read it`, cause)
  })
  if (text === undefined) throw unreadable(`the ${what} file ${path} is not there: put it back`)
  return text
}

function unreadable(text: string, cause?: unknown): SzmqError {
  return new SzmqError('ERR_SZMQ_BAD_CREDENTIALS', text, cause === undefined ? undefined : { cause })
}
