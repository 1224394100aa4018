import { chmod, lstat, mkdir } from 'node:fs/promises'
import { messageOf, SzmqError } from '../../shared/errors.ts'
import { readBoundedFile } from '../files/bounded-file.driver.ts'
import { withFolderLock } from '../files/folder-lock.driver.ts'
import { readCa, type DevelopmentCa, type Issuer } from './ca.driver.ts'
import { describeCertificate } from './certificate.ts'
import { createCrl, DEFAULT_CRL_DAYS } from './crl.driver.ts'
import { MAX_PEM_BYTES, pkiPaths, readCaCertificate } from './listing.driver.ts'
import { removeLeftovers, writeWholeFiles } from '../files/whole-files.driver.ts'

const DAY_MS = 86_400_000

/** A PKI whose CA can sign. */
export interface OpenPki {
  readonly ca: DevelopmentCa
  readonly issuer: Issuer
}

/** Runs `work` with a CA that can sign, alone in the folder, the way cleared. */
export async function withPki<T>(folder: string, work: (pki: OpenPki) => Promise<T>): Promise<T> {
  // Before the lock, which needs a folder.
  await readCaCertificate(folder)
  return withFolderLock(folder, async () => {
    const pki = await openCa(folder)
    await removeLeftovers(folder)
    await ensureRecord(folder, pki)
    await removeLeftovers(pkiPaths(folder).issuedFolder)
    return work(pki)
  })
}

async function openCa(folder: string): Promise<OpenPki> {
  const { caFile, caKeyFile } = pkiPaths(folder)
  const { name, validity, validFrom, validTo } = describeCertificate(await readCaCertificate(folder), new Date())
  if (validity !== 'valid') {
    const when = validity === 'expired' ? `expired on ${validTo.slice(0, 10)}` : `is not valid before ${validFrom}`
    throw bad(`the CA "${name}" in ${caFile} ${when}: make a new one with "szmq pki init --force", and issue all names anew`)
  }
  const [certificatePem = '', privateKeyPem] = [
    await readBoundedFile(caFile, MAX_PEM_BYTES),
    await readBoundedFile(caKeyFile, MAX_PEM_BYTES),
  ]
  if (privateKeyPem === undefined) throw bad(`${caKeyFile} is missing: put the CA's key back, it signs everything`)
  try {
    const ca = { certificatePem, privateKeyPem }
    return { ca, issuer: await readCa(ca) }
  } catch (cause) {
    throw bad(`${caFile} and ${caKeyFile} cannot be used: ${messageOf(cause)}`, cause)
  }
}

/** A folder of development credentials becomes a PKI when it is first used as one. */
async function ensureRecord(folder: string, { ca }: OpenPki): Promise<void> {
  const { crlFile, issuedFolder } = pkiPaths(folder)
  const [hasCrl, hasRecord] = await Promise.all([exists(crlFile), exists(issuedFolder)])
  if (!hasCrl && hasRecord) {
    throw bad(`${crlFile} is missing: put it back, as a new one would forget who was revoked`)
  }
  if (!hasCrl) await writeWholeFiles([{ path: crlFile, text: await createFirstCrl(ca), isSecret: false }])
  if (!hasRecord) await makeFolder(issuedFolder)
}

/** Says that nothing is revoked. */
export async function createFirstCrl(ca: DevelopmentCa): Promise<string> {
  return createCrl(ca, { number: 1, nextUpdate: inDays(DEFAULT_CRL_DAYS) })
}

/** For its owner only, whatever the umask; a folder that is there keeps its mode. */
export async function makeFolder(folder: string): Promise<void> {
  if ((await mkdir(folder, { recursive: true, mode: 0o700 })) !== undefined) await chmod(folder, 0o700)
}

/** Also a link that leads nowhere is something. */
export async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path)
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false
    throw error
  }
}

export function inDays(days: number): Date {
  return new Date(Date.now() + days * DAY_MS)
}

function bad(message: string, cause?: unknown): SzmqError {
  return new SzmqError('ERR_SZMQ_BAD_CREDENTIALS', message, cause === undefined ? undefined : { cause })
}
