import { messageOf, SzmqError } from '../../shared/errors.ts'
import type { CredentialFiles } from './credential-candidate.ts'
import { describeFiles, readCredentialTexts } from './credential-texts.driver.ts'
import { parseX509Credentials, type X509Credentials } from './x509-credentials.ts'

export type { CredentialFiles } from './credential-candidate.ts'

/**
 * Reads and checks credentials from files, as of now. Each file is at most 1 MiB.
 *
 * @throws ERR_SZMQ_BAD_CREDENTIALS naming the file or, if files don't fit together, all of them.
 */
export async function loadCredentials(files: CredentialFiles): Promise<X509Credentials> {
  const candidate = await readCredentialTexts(files)
  if (candidate.kind === 'unreadable') throw candidate.error
  try {
    return parseX509Credentials(candidate.input, { now: new Date() })
  } catch (cause) {
    throw new SzmqError('ERR_SZMQ_BAD_CREDENTIALS', `${messageOf(cause)} (files: ${describeFiles(files)})`, { cause })
  }
}
