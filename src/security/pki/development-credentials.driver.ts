import { createPrivateKey, X509Certificate } from 'node:crypto'
import { chmod, mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf, SzmqError } from '../../shared/errors.ts'
import type { CredentialFiles } from '../credentials/credential-files.driver.ts'
import { withFolderLock } from '../files/folder-lock.driver.ts'
import { requireNodeName } from './names.ts'
import { createDevelopmentCa, issueCertificate, type DevelopmentCa, type IssuedCertificate } from './pki.driver.ts'
import { removeLeftovers, writeWholeFiles } from '../files/whole-files.driver.ts'

/** Certificates that end sooner than this are issued anew. */
export const RENEW_BEFORE_MS = 24 * 60 * 60_000

const CA_NAME = 'szmq development CA'

export interface DevelopmentCredentialsOptions<Name extends string> {
  /** Made if it does not exist, for its owner only. Holds `ca.pem`, `ca.key`, and `NAME.pem` and `NAME.key` of each name. */
  readonly folder: string
  /** Node names: letters, digits, dots, hyphens and underscores. */
  readonly names: readonly Name[]
  /** In each certificate besides its own name. Default: `localhost`. */
  readonly dnsNames?: readonly string[]
  /** Default: `127.0.0.1` and `::1`. */
  readonly ipAddresses?: readonly string[]
  /** Life of certificates that are issued now. Default: 30 for nodes, 365 for the CA. */
  readonly days?: number
  readonly caDays?: number
}

/**
 * Development credentials at the first use, the same ones later. What is good for another day stays untouched; what is about to end is
 * issued anew, and all of it when the CA is. Files that szmq did not make are never overwritten. Files appear whole (written aside, then
 * renamed), and processes that do this at once wait for each other. Not for production: the key of the CA lies in the folder.
 *
 * @returns the files of each name.
 * @throws ERR_SZMQ_INVALID_ARGUMENT for a name that is no file name; ERR_SZMQ_BAD_CREDENTIALS if the folder, or a file of another
 * origin in it, cannot be used.
 */
export async function ensureDevelopmentCredentials<Name extends string>(
  options: DevelopmentCredentialsOptions<Name>,
): Promise<Readonly<Record<Name, CredentialFiles>>> {
  for (const name of options.names) requireNodeName(name)
  const { folder } = options
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    await chmod(folder, 0o700)
    return await withFolderLock(folder, async () => {
      await removeLeftovers(folder)
      const ca = await ensureCa(options)
      const files: [Name, CredentialFiles][] = []
      for (const name of options.names) files.push([name, await ensureNode(name, ca, options)])
      return Object.fromEntries(files) as Record<Name, CredentialFiles>
    })
  } catch (cause) {
    if (cause instanceof SzmqError) throw cause
    throw new SzmqError('ERR_SZMQ_BAD_CREDENTIALS', `the credentials folder ${folder} cannot be used: ${messageOf(cause)}`, {
      cause,
    })
  }
}

interface PairFiles {
  readonly certFile: string
  readonly keyFile: string
}

async function ensureCa({ folder, caDays }: DevelopmentCredentialsOptions<string>): Promise<DevelopmentCa> {
  const files = { certFile: join(folder, 'ca.pem'), keyFile: join(folder, 'ca.key') }
  const kept = await readPair(files)
  if (kept !== undefined && isGood(kept)) return kept
  requireOwn(kept, files)
  const made = await createDevelopmentCa({ name: CA_NAME, ...(caDays === undefined ? {} : { days: caDays }) })
  await writePair(files, made)
  return made
}

async function ensureNode(
  name: string,
  ca: DevelopmentCa,
  options: DevelopmentCredentialsOptions<string>,
): Promise<CredentialFiles> {
  const { folder, days, dnsNames = ['localhost'], ipAddresses = ['127.0.0.1', '::1'] } = options
  const files = { caFile: join(folder, 'ca.pem'), certFile: join(folder, `${name}.pem`), keyFile: join(folder, `${name}.key`) }
  const kept = await readPair(files)
  if (kept !== undefined && isGood(kept, ca)) return files
  requireOwn(kept, files)
  const request = { name, dnsNames: [...new Set([name, ...dnsNames])], ipAddresses, ...(days === undefined ? {} : { days }) }
  await writePair(files, await issueCertificate(ca, request))
  return files
}

/** Whole, not about to end and, if it is a node's, issued by this very CA. */
function isGood({ certificatePem, privateKeyPem }: IssuedCertificate, ca?: DevelopmentCa): boolean {
  try {
    const certificate = new X509Certificate(certificatePem)
    return (
      Date.parse(certificate.validTo) - Date.now() > RENEW_BEFORE_MS &&
      certificate.checkPrivateKey(createPrivateKey(privateKeyPem)) &&
      (ca === undefined || certificate.verify(new X509Certificate(ca.certificatePem).publicKey))
    )
  } catch {
    return false
  }
}

/** What is to be replaced must be ours: nothing, half a pair after a crash, or a certificate of a development CA. */
function requireOwn(kept: IssuedCertificate | undefined, { certFile, keyFile }: PairFiles): void {
  if (kept === undefined || kept.certificatePem === '') return
  try {
    if (new X509Certificate(kept.certificatePem).issuer === `CN=${CA_NAME}`) return
  } catch {
    // Unreadable: not ours, as ours appear whole.
  }
  throw new SzmqError(
    'ERR_SZMQ_BAD_CREDENTIALS',
    `${certFile} and ${keyFile} are no usable pair for this folder, and szmq did not make them: move them away, or choose another folder`,
  )
}

/** @returns undefined if neither file is there; '' for one that is missing. */
async function readPair({ certFile, keyFile }: PairFiles): Promise<IssuedCertificate | undefined> {
  const [certificatePem, privateKeyPem] = await Promise.all([readIfThere(certFile), readIfThere(keyFile)])
  if (certificatePem === undefined && privateKeyPem === undefined) return undefined
  return { certificatePem: certificatePem ?? '', privateKeyPem: privateKeyPem ?? '' }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined
    throw error
  }
}

/** The key first: after a crash between the two, the old certificate does not fit it, and both are made anew. */
async function writePair({ certFile, keyFile }: PairFiles, pair: IssuedCertificate): Promise<void> {
  await writeWholeFiles([
    { path: keyFile, text: pair.privateKeyPem, isSecret: true },
    { path: certFile, text: pair.certificatePem, isSecret: false },
  ])
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
