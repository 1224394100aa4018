import { readFile } from 'node:fs/promises'
import { messageOf, SzmqError } from '../shared/errors.ts'
import { parseX509Credentials, type X509Credentials } from './x509-credentials.ts'

/** Where the PEM files of one node are. */
export interface CredentialFiles {
  readonly caFile: string
  readonly certFile: string
  readonly keyFile: string
  readonly crlFile?: string | undefined
}

/**
 * Reads and checks credentials from files, as of now.
 *
 * @throws ERR_SZMQ_BAD_CREDENTIALS naming the file or, if files don't fit together, all of them.
 */
export async function loadCredentials(files: CredentialFiles): Promise<X509Credentials> {
  const [ca, certificate, privateKey, crl] = await Promise.all([
    readPem(files.caFile, 'CA'),
    readPem(files.certFile, 'certificate'),
    readPem(files.keyFile, 'private key'),
    files.crlFile === undefined ? undefined : readPem(files.crlFile, 'CRL'),
  ])
  try {
    return parseX509Credentials({ ca, certificate, privateKey, crl }, { now: new Date() })
  } catch (cause) {
    const named = [files.caFile, files.certFile, files.keyFile, files.crlFile].filter((file) => file !== undefined)
    throw new SzmqError('ERR_SZMQ_BAD_CREDENTIALS', `${messageOf(cause)} (files: ${named.join(', ')})`, { cause })
  }
}

async function readPem(path: string, what: string): Promise<Uint8Array> {
  try {
    return await readFile(path)
  } catch (cause) {
    throw new SzmqError('ERR_SZMQ_BAD_CREDENTIALS', `the ${what} file ${path} cannot be read: ${messageOf(cause)}`, { cause })
  }
}
