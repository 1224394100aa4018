import { readPemFile, type PemBlock } from '../security/pki/file.driver.ts'
import { listPki, type PkiListing } from '../security/pki/listing.driver.ts'
import { findCertificates } from '../security/pki/revoke.driver.ts'
import { SzmqError } from '../shared/errors.ts'
import { viewCertificates, viewListing, viewPemFile } from './pki-view.ts'
import type { Painter } from './terminal.ts'

/** The same for machines and for people. */
export interface Shown {
  readonly data: object
  readonly text: (paint: Painter) => string
}

/**
 * What `szmq pki show` shows: all of the PKI in `folder`; or those of its certificates that `target` names; or else the PEM file of that
 * path, for which no PKI is needed.
 *
 * @throws ERR_SZMQ_BAD_CREDENTIALS if nothing of that kind is there, or it is unreadable.
 */
export async function showPki(folder: string, target: string | undefined): Promise<Shown> {
  const listing = await tryToList(folder)
  if (target === undefined) {
    if (listing instanceof SzmqError) throw listing
    return { data: listing, text: (paint) => viewListing(listing, paint) }
  }
  const certificates = listing instanceof SzmqError ? [] : findCertificates(listing.certificates, target)
  if (certificates.length > 0) return { data: { certificates }, text: (paint) => viewCertificates(certificates, paint) }
  return showFile(target, await readPemFile(target), listing)
}

function showFile(path: string, blocks: readonly PemBlock[] | undefined, listing: PkiListing | SzmqError): Shown {
  if (blocks !== undefined) return { data: { file: path, blocks }, text: (paint) => viewPemFile(blocks, paint) }
  if (listing instanceof SzmqError && !path.includes('/')) throw listing
  const where = listing instanceof SzmqError ? 'there is' : `${listing.folder} holds no certificate of this name, and there is`
  throw new SzmqError(
    'ERR_SZMQ_BAD_CREDENTIALS',
    `${where} no file ${JSON.stringify(path)}: "szmq pki show" lists what there is`,
  )
}

async function tryToList(folder: string): Promise<PkiListing | SzmqError> {
  try {
    return await listPki(folder)
  } catch (error) {
    if (error instanceof SzmqError) return error
    throw error
  }
}
