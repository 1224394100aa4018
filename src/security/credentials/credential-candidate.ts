import { createHash } from 'node:crypto'
import type { SzmqError } from '../../shared/errors.ts'
import { describeIdentity, identityDigest, type X509Identity } from '../identity.ts'
import { badCredentials, type Pem, type PemPart } from './pem.ts'
import { parseX509Credentials, type X509Credentials, type X509CredentialsInput } from './x509-credentials.ts'

/** Where the PEM files of one node are. */
export interface CredentialFiles {
  readonly caFile: string
  readonly certFile: string
  readonly keyFile: string
  readonly crlFile?: string | undefined
}

/** What was found when somebody looked for new credentials. Holds a secret: not for events, logs or other threads. */
export type CredentialCandidate =
  | { readonly kind: 'read'; readonly input: X509CredentialsInput }
  /** A part is missing, too large, may not be read … */
  | { readonly kind: 'unreadable'; readonly error: SzmqError }

/** Equal if and only if two candidates have the same texts, or failed alike. Tells nothing of the key. */
export function fingerprintCandidate(candidate: CredentialCandidate): string {
  return candidate.kind === 'read' ? fingerprintInput(candidate.input) : `unreadable: ${candidate.error.message}`
}

/** As {@link fingerprintCandidate} of the candidate that these credentials came from. */
export function fingerprintCredentials(credentials: X509Credentials): string {
  const { trust, certificatePem } = credentials
  const privateKey = credentials.revealPrivateKeyPem()
  return fingerprintInput({ ca: trust.caPem, crl: trust.crlPem, certificate: certificatePem, privateKey })
}

/**
 * @param holder Whose credentials they must be: a node keeps its identity for as long as it runs.
 * @throws ERR_SZMQ_BAD_CREDENTIALS naming the part, what is wrong with it and what to do.
 */
export function parseCandidate(
  input: X509CredentialsInput,
  { now, holder }: { readonly now: Date; readonly holder?: X509Identity | undefined },
): X509Credentials {
  requireWhole(input.ca, 'ca')
  requireWhole(input.certificate, 'certificate')
  requireWhole(input.privateKey, 'private key')
  if (input.crl !== undefined) requireWhole(input.crl, 'crl')
  const credentials = parseX509Credentials(input, { now })
  if (holder !== undefined) requireSameIdentity(holder, credentials.identity)
  return credentials
}

/** A bundle that lost its end would otherwise pass as a shorter one, and shut out whoever stood in what is missing. */
function requireWhole(pem: Pem, part: PemPart): void {
  const [broken] = findBrokenBlocks(textOf(pem))
  if (broken === undefined) return
  throw badCredentials(`the ${part} is cut short: ${broken}`, 'write the whole file, best aside and then rename it')
}

function* findBrokenBlocks(text: string): Generator<string> {
  let open: string | undefined
  for (const line of text.split('\n').map((each) => each.trimEnd())) {
    if (!line.startsWith('-----')) continue
    const [, edge, label] = /^-----(BEGIN|END) ([A-Z0-9 ]+)-----$/.exec(line) ?? []
    if (edge === undefined || label === undefined) yield 'a line that begins with "-----" goes on as no PEM line does'
    else if (edge === 'BEGIN' && open !== undefined) yield `a "${open}" block does not end before the next begins`
    else if (edge === 'END' && open !== label) yield `a "${label}" block ends that did not begin`
    open = edge === 'BEGIN' ? label : undefined
  }
  if (open !== undefined) yield `its last "${open}" block does not end`
  else if (/(^|\n)-{1,4}$/.test(text)) yield 'it ends within a PEM line'
}

function requireSameIdentity(holder: X509Identity, found: X509Identity): void {
  if (identityDigest(holder) === identityDigest(found)) return
  throw badCredentials(
    `the certificate's names changed from ${describeIdentity(holder)} to ${describeIdentity(found)}`,
    'a node keeps its identity while it runs, so restart the node to take the new one, or renew the certificate under the old names',
  )
}

function fingerprintInput({ ca, crl, certificate, privateKey }: X509CredentialsInput): string {
  const texts = [ca, crl ?? '', certificate, privateKey].map(textOf)
  return createHash('sha256').update(JSON.stringify(texts)).digest('hex')
}

function textOf(pem: Pem): string {
  return typeof pem === 'string' ? pem : Buffer.from(pem.buffer, pem.byteOffset, pem.byteLength).toString('latin1')
}
