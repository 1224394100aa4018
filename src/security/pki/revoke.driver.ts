import { SzmqError } from '../../shared/errors.ts'
import { createCrl, DEFAULT_CRL_DAYS, type Revocation, type RevocationReason } from './crl.driver.ts'
import { inDays, withPki } from './folder.driver.ts'
import { inFolder } from './in-folder.ts'
import { listPki, pkiPaths, readCrlFile, type ListedCertificate, type PkiListing } from './listing.driver.ts'
import { writeWholeFiles } from '../files/whole-files.driver.ts'

export interface PkiRevokeRequest {
  /** Of the PKI. */
  readonly folder: string
  /** A name: all its certificates that are not over. A serial number, or 8 or more of its first digits: that one. None: only sign anew. */
  readonly target?: string | undefined
  /** Default: `unspecified`. */
  readonly reason?: RevocationReason | undefined
  /** How long the list is current. Default: {@link DEFAULT_CRL_DAYS}. */
  readonly days?: number | undefined
}

export interface PkiRevoked {
  readonly revoked: readonly ListedCertificate[]
  readonly listing: PkiListing
}

/**
 * Revokes certificates by a new revocation list, which also holds all that was revoked before.
 *
 * @throws ERR_SZMQ_BAD_CREDENTIALS if there is no such certificate, if it is revoked already, or for a folder that cannot be used.
 */
export async function revokeInPki(request: PkiRevokeRequest): Promise<PkiRevoked> {
  const { folder, target, reason = 'unspecified', days = DEFAULT_CRL_DAYS } = request
  return inFolder(folder, () =>
    withPki(folder, async ({ ca }) => {
      const { crlFile } = pkiPaths(folder)
      const before = await readCrlFile(folder)
      const revoked = target === undefined ? [] : selectCertificates(await listPki(folder), target)
      const now = new Date()
      const added: readonly Revocation[] = revoked.map(({ serialNumber }) => ({ serialNumber, revokedAt: now, reason }))
      const crl = await createCrl(ca, {
        revocations: [...(before?.revocations ?? []), ...added],
        number: (before?.number ?? 0) + 1,
        nextUpdate: inDays(days),
      })
      await writeWholeFiles([{ path: crlFile, text: crl, isSecret: false }])
      return { revoked, listing: await listPki(folder) }
    }),
  )
}

/** The certificates that `target` names, none of them revoked yet. See {@link PkiRevokeRequest}. */
function selectCertificates({ folder, certificates }: PkiListing, target: string): readonly ListedCertificate[] {
  const found = findCertificates(certificates, target)
  const [first] = found
  if (first === undefined)
    throw bad(`${folder} holds no certificate named ${JSON.stringify(target)}: "szmq pki show" lists them`)
  const isSerial = first.name !== target
  const good = found.filter(({ status }) => status !== 'revoked' && (isSerial || status !== 'expired'))
  if (good.length > 0) return good
  if (first.status === 'expired') throw bad(`${target} expired on ${first.validTo.slice(0, 10)}: there is nothing to revoke`)
  throw bad(`${target} was revoked on ${(first.revokedAt ?? '').slice(0, 10)} already: there is nothing more to revoke`)
}

/** By name, else by serial number or at least 8 of its first digits. @throws ERR_SZMQ_BAD_CREDENTIALS if digits fit several. */
export function findCertificates(certificates: readonly ListedCertificate[], target: string): readonly ListedCertificate[] {
  const named = certificates.filter(({ name }) => name === target)
  if (named.length > 0) return named
  const digits = target.replaceAll(':', '').toUpperCase()
  if (!/^[0-9A-F]{8,}$/.test(digits)) return []
  const fitting = certificates.filter(({ serialNumber }) => serialNumber.startsWith(digits))
  if (fitting.length > 1) throw bad(`${target} begins ${fitting.length} serial numbers: give more of its digits`)
  return fitting
}

function bad(message: string): SzmqError {
  return new SzmqError('ERR_SZMQ_BAD_CREDENTIALS', message)
}
