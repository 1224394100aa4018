import { chmod, readdir, stat } from 'node:fs/promises'
import { SzmqError } from '../../shared/errors.ts'
import { createFirstCrl, exists, makeFolder } from './folder.driver.ts'
import { inFolder } from './in-folder.ts'
import { withFolderLock } from '../files/folder-lock.driver.ts'
import { listPki, pkiPaths, type PkiListing } from './listing.driver.ts'
import { requireCaName } from './names.ts'
import { createDevelopmentCa, type KeyKind } from './pki.driver.ts'
import { removeLeftovers, writeWholeFiles } from '../files/whole-files.driver.ts'

export const DEFAULT_PKI_CA_DAYS = 3_650
export const DEFAULT_CA_NAME = 'szmq development CA'

export interface PkiInitRequest {
  /** Of the PKI: made if it is not there, for its owner only. */
  readonly folder: string
  /** Of the CA. Default: `szmq development CA`. */
  readonly name?: string | undefined
  /** Default: {@link DEFAULT_PKI_CA_DAYS}. */
  readonly days?: number | undefined
  /** Default: `ecdsa-p256`. */
  readonly key?: KeyKind | undefined
  /** Replace a CA that is there. What it issued then counts no more. */
  readonly force?: boolean | undefined
}

export interface PkiInitialised extends PkiListing {
  readonly caKeyFile: string
  /** The folder was there, and lets others than its owner in. */
  readonly isOpenToOthers: boolean
}

/**
 * Makes a PKI for development: a CA with its key, an empty revocation list and a place for what it will issue.
 *
 * @throws ERR_SZMQ_NAME_TAKEN if a CA is there, ERR_SZMQ_INVALID_ARGUMENT for a wrong name, ERR_SZMQ_BAD_CREDENTIALS for a folder that
 * cannot be used.
 */
export async function initPki(request: PkiInitRequest): Promise<PkiInitialised> {
  const { folder, name = DEFAULT_CA_NAME, days = DEFAULT_PKI_CA_DAYS, key = 'ecdsa-p256', force = false } = request
  requireCaName(name)
  return inFolder(folder, async () => {
    await makeFolder(folder)
    if ((await readdir(folder)).length === 0) await chmod(folder, 0o700)
    return withFolderLock(folder, async () => {
      await removeLeftovers(folder)
      const { caFile, caKeyFile, crlFile, issuedFolder } = pkiPaths(folder)
      if (!force) await requireNoCa(folder)
      const ca = await createDevelopmentCa({ name, days, key })
      await makeFolder(issuedFolder)
      await writeWholeFiles([
        { path: caKeyFile, text: ca.privateKeyPem, isSecret: true },
        { path: crlFile, text: await createFirstCrl(ca), isSecret: false },
        { path: caFile, text: ca.certificatePem, isSecret: false },
      ])
      return { ...(await listPki(folder)), caKeyFile, isOpenToOthers: ((await stat(folder)).mode & 0o077) !== 0 }
    })
  })
}

async function requireNoCa(folder: string): Promise<void> {
  const { caFile, caKeyFile } = pkiPaths(folder)
  if (await exists(caFile)) {
    throw taken(
      `there is a CA in ${folder} already: give --force to replace it (all it issued then counts no more), or another --folder`,
    )
  }
  if (await exists(caKeyFile)) {
    throw taken(`${caKeyFile} is there without its ca.pem: put the certificate back, or give --force to replace the key`)
  }
}

function taken(message: string): SzmqError {
  return new SzmqError('ERR_SZMQ_NAME_TAKEN', message)
}
