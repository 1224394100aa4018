import { X509Certificate } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf, SzmqError } from '../../shared/errors.ts'
import { readBoundedFile } from '../files/bounded-file.driver.ts'
import { inFolder } from './in-folder.ts'
import { countDays, describeCertificate, type CertificateFacts } from './certificate.ts'
import { readCrl, type CrlFacts, type Revocation, type RevocationReason } from './crl.driver.ts'

/** Of a certificate or key. */
export const MAX_PEM_BYTES = 64 * 1024
/** Some hundred thousand revocations. */
export const MAX_CRL_BYTES = 16 * 1024 * 1024
/** Certificates that one PKI keeps. */
export const MAX_CERTIFICATES = 10_000

/** Where things are in the folder of a PKI. Beside them lie `NAME.pem` and `NAME.key` of each node. */
export function pkiPaths(folder: string): {
  readonly caFile: string
  readonly caKeyFile: string
  readonly crlFile: string
  /** Every certificate ever issued, as `SERIAL.pem`: also those that newer ones replaced, as they can be revoked. */
  readonly issuedFolder: string
} {
  return {
    caFile: join(folder, 'ca.pem'),
    caKeyFile: join(folder, 'ca.key'),
    crlFile: join(folder, 'ca.crl'),
    issuedFolder: join(folder, 'issued'),
  }
}

export interface ListedCertificate extends CertificateFacts {
  readonly status: CertificateFacts['validity'] | 'revoked'
  readonly certFile: string
  /** Is it the one in `NAME.pem`? If not, a newer one took its place, or the file is gone. */
  readonly isInPlace: boolean
  /** ISO 8601. */
  readonly revokedAt?: string
  readonly reason?: RevocationReason
}

export interface ListedCrl {
  readonly file: string
  readonly number: number | undefined
  /** ISO 8601, as is `nextUpdate`. */
  readonly thisUpdate: string
  readonly nextUpdate: string | undefined
  readonly daysLeft: number | undefined
  readonly revoked: number
}

export interface PkiListing {
  readonly folder: string
  readonly ca: CertificateFacts & { readonly certFile: string }
  /** undefined if there is none, or none that counts. */
  readonly crl: ListedCrl | undefined
  /** By name, the newest first. */
  readonly certificates: readonly ListedCertificate[]
  /** What is wrong in the folder, a sentence each. */
  readonly problems: readonly string[]
}

/**
 * Reads what a PKI's folder holds, without any key.
 *
 * @throws ERR_SZMQ_BAD_CREDENTIALS if there is no readable CA, or more than {@link MAX_CERTIFICATES} certificates.
 */
export async function listPki(folder: string): Promise<PkiListing> {
  return inFolder(folder, () => readListing(folder))
}

async function readListing(folder: string): Promise<PkiListing> {
  const { caFile } = pkiPaths(folder)
  const now = new Date()
  const ca = await readCaCertificate(folder)
  const problems: string[] = []
  const crl = await readCrlFile(folder).catch((error: unknown) => {
    problems.push(messageOf(error))
    return undefined
  })
  const found = await readCertificates(folder, problems)
  const own = found.filter(({ certificate }) => certificate.checkIssued(ca))
  // Not those on record: they are what an older CA of this folder left.
  const strangers = found.filter((one) => one.isCurrent && !own.includes(one)).map(({ file }) => file)
  if (strangers.length > 0) problems.push(describeStrangers(strangers))
  const revocations = new Map((crl?.revocations ?? []).map((one) => [toSerial(one.serialNumber), one]))
  return {
    folder,
    ca: { ...describeCertificate(ca, now), certFile: caFile },
    crl: crl === undefined ? undefined : describeCrl(pkiPaths(folder).crlFile, crl, now),
    certificates: own.map((one) => describeListed(one, revocations, now)).toSorted(byName),
    problems,
  }
}

/** @throws ERR_SZMQ_BAD_CREDENTIALS if there is none, or it is unreadable or no CA. */
export async function readCaCertificate(folder: string): Promise<X509Certificate> {
  const { caFile } = pkiPaths(folder)
  const pem = await readBoundedFile(caFile, MAX_PEM_BYTES)
  if (pem === undefined) {
    throw bad(`there is no PKI in ${folder} (no ca.pem): make one with "szmq pki init", or name its folder with --folder`)
  }
  try {
    const certificate = new X509Certificate(pem)
    if (certificate.ca) return certificate
  } catch {
    throw bad(`${caFile} is no readable certificate: put the CA's certificate back, or begin anew with "szmq pki init --force"`)
  }
  throw bad(
    `${caFile} is not the certificate of a CA: put the CA's certificate back, or begin anew with "szmq pki init --force"`,
  )
}

/** @returns undefined if there is no list. @throws ERR_SZMQ_BAD_CREDENTIALS for one that is not the CA's. */
export async function readCrlFile(folder: string): Promise<CrlFacts | undefined> {
  const { caFile, crlFile } = pkiPaths(folder)
  const [pem, ca] = await Promise.all([readBoundedFile(crlFile, MAX_CRL_BYTES), readBoundedFile(caFile, MAX_PEM_BYTES)])
  if (pem === undefined) return undefined
  try {
    return await readCrl(pem, ca)
  } catch (cause) {
    throw bad(
      `${crlFile} does not count: ${messageOf(cause)}; put the CA's list back, or remove the file if nothing was revoked`,
      cause,
    )
  }
}

interface Found {
  readonly certificate: X509Certificate
  readonly file: string
  readonly isCurrent: boolean
}

/** Those in place first, then those that were kept; each once. */
async function readCertificates(folder: string, problems: string[]): Promise<readonly Found[]> {
  const { issuedFolder } = pkiPaths(folder)
  const current = (await pemFilesIn(folder)).filter((file) => file !== 'ca.pem').map((file) => join(folder, file))
  const kept = (await pemFilesIn(issuedFolder)).map((file) => join(issuedFolder, file))
  if (kept.length + current.length > 2 * MAX_CERTIFICATES) {
    throw bad(`${folder} holds more than ${MAX_CERTIFICATES} certificates: begin another PKI, in another folder`)
  }
  const found = new Map<string, Found>()
  for (const file of [...current, ...kept]) {
    try {
      const certificate = new X509Certificate((await readBoundedFile(file, MAX_PEM_BYTES)) ?? '')
      const { fingerprint256 } = certificate
      if (!found.has(fingerprint256)) found.set(fingerprint256, { certificate, file, isCurrent: current.includes(file) })
    } catch {
      problems.push(`${file} is no readable certificate: remove it, or issue its name anew with --force`)
    }
  }
  return [...found.values()]
}

async function pemFilesIn(folder: string): Promise<readonly string[]> {
  try {
    return (await readdir(folder)).filter((name) => name.endsWith('.pem'))
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw error
  }
}

function describeListed(
  { certificate, file, isCurrent }: Found,
  revocations: ReadonlyMap<string, Revocation>,
  now: Date,
): ListedCertificate {
  const facts = describeCertificate(certificate, now)
  const revocation = revocations.get(toSerial(facts.serialNumber))
  return {
    ...facts,
    status: revocation === undefined ? facts.validity : 'revoked',
    certFile: file,
    isInPlace: isCurrent,
    ...(revocation === undefined ? {} : { revokedAt: revocation.revokedAt.toISOString(), reason: revocation.reason }),
  }
}

function describeCrl(file: string, { number, thisUpdate, nextUpdate, revocations }: CrlFacts, now: Date): ListedCrl {
  return {
    file,
    number,
    thisUpdate: thisUpdate.toISOString(),
    nextUpdate: nextUpdate?.toISOString(),
    daysLeft: nextUpdate === undefined ? undefined : countDays(nextUpdate.toISOString(), now),
    revoked: revocations.length,
  }
}

/** Libraries differ in whether they write the zeros that it begins with. */
function toSerial(hex: string): string {
  return hex.replace(/^0+/, '')
}

function byName(a: ListedCertificate, b: ListedCertificate): number {
  if (a.name !== b.name) return a.name < b.name ? -1 : 1
  return a.validFrom < b.validFrom || (a.validFrom === b.validFrom && !a.isInPlace) ? 1 : -1
}

function describeStrangers([first = '', ...others]: readonly string[]): string {
  const what = others.length === 0 ? `${first} is` : `${first} and ${others.length} more are`
  return `${what} of another CA: issue anew with --force, or move away`
}

function bad(message: string, cause?: unknown): SzmqError {
  return new SzmqError('ERR_SZMQ_BAD_CREDENTIALS', message, cause === undefined ? undefined : { cause })
}
