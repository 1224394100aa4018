import { X509Certificate } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { SzmqError } from '../../shared/errors.ts'
import { readBoundedFile } from '../files/bounded-file.driver.ts'
import { describeCertificate, type CertificateFacts } from './certificate.ts'
import { exists, inDays, withPki } from './folder.driver.ts'
import { inFolder } from './in-folder.ts'
import { MAX_CERTIFICATES, MAX_PEM_BYTES, pkiPaths } from './listing.driver.ts'
import { MAX_ALTERNATIVE_NAMES, requireDnsName, requireNodeName, requireUri } from './names.ts'
import { issueCertificate, type CertificateUsage, type KeyKind } from './pki.driver.ts'
import { writeWholeFiles } from '../files/whole-files.driver.ts'

export const DEFAULT_PKI_NODE_DAYS = 90
/** Without names of its own, a certificate is good for this host too. */
const LOCAL_DNS_NAMES = ['localhost']
const LOCAL_ADDRESSES = ['127.0.0.1', '::1']

export interface PkiIssueRequest {
  /** Of the PKI. */
  readonly folder: string
  readonly name: string
  /** Besides `name`, which always is one. Default without any other name: `localhost`. */
  readonly dnsNames?: readonly string[] | undefined
  /** Default without any other name: `127.0.0.1` and `::1`. */
  readonly ipAddresses?: readonly string[] | undefined
  readonly uris?: readonly string[] | undefined
  /** Default: {@link DEFAULT_PKI_NODE_DAYS}. Never beyond the end of the CA. */
  readonly days?: number | undefined
  /** Default: both. */
  readonly usages?: readonly CertificateUsage[] | undefined
  /** Default: as the CA's. */
  readonly key?: KeyKind | undefined
  /** Replace the certificate and key of this name. */
  readonly force?: boolean | undefined
}

export interface PkiIssued extends CertificateFacts {
  readonly caFile: string
  readonly certFile: string
  readonly keyFile: string
  readonly crlFile: string
  /** It would have lived longer, had the CA. */
  readonly isCutToCa: boolean
}

/**
 * Issues a certificate with a key of its own, into `NAME.pem` and `NAME.key`, for `loadCredentials`.
 *
 * @throws ERR_SZMQ_NAME_TAKEN if one of the files is there, ERR_SZMQ_INVALID_ARGUMENT for a wrong name, ERR_SZMQ_BAD_CREDENTIALS for a
 * folder without a CA that can sign.
 */
export async function issueInPki(request: PkiIssueRequest): Promise<PkiIssued> {
  const { folder, name, days = DEFAULT_PKI_NODE_DAYS, usages, force = false } = request
  requireNodeName(name)
  const names = toAlternativeNames(request)
  return inFolder(folder, () =>
    withPki(folder, async ({ ca, issuer }) => {
      const { caFile, crlFile, issuedFolder } = pkiPaths(folder)
      const files = { certFile: join(folder, `${name}.pem`), keyFile: join(folder, `${name}.key`) }
      if (!force) await requireFree(name, files)
      await requireRoom(issuedFolder)
      const asked = inDays(days)
      const isCutToCa = asked > issuer.notAfter
      const notAfter = isCutToCa ? issuer.notAfter : asked
      const key = request.key ?? issuer.keyKind
      const issued = await issueCertificate(ca, { name, ...names, ...(usages === undefined ? {} : { usages }), key, notAfter })
      const facts = describeCertificate(new X509Certificate(issued.certificatePem), new Date())
      await writeWholeFiles([
        // The first to appear: what is not in here could not be revoked.
        { path: join(issuedFolder, `${facts.serialNumber}.pem`), text: issued.certificatePem, isSecret: false },
        { path: files.keyFile, text: issued.privateKeyPem, isSecret: true },
        { path: files.certFile, text: issued.certificatePem, isSecret: false },
      ])
      return { ...facts, ...files, caFile, crlFile, isCutToCa }
    }),
  )
}

function toAlternativeNames({ name, dnsNames = [], ipAddresses = [], uris = [] }: PkiIssueRequest): {
  readonly dnsNames: readonly string[]
  readonly ipAddresses: readonly string[]
  readonly uris: readonly string[]
} {
  const isLocal = dnsNames.length + ipAddresses.length + uris.length === 0
  const names = {
    dnsNames: [...new Set([name, ...(isLocal ? LOCAL_DNS_NAMES : dnsNames)])],
    ipAddresses: [...new Set(isLocal ? LOCAL_ADDRESSES : ipAddresses)],
    uris: [...new Set(uris)],
  }
  for (const dnsName of names.dnsNames) requireDnsName(dnsName)
  for (const uri of names.uris) requireUri(uri)
  const count = names.dnsNames.length + names.ipAddresses.length + names.uris.length
  if (count <= MAX_ALTERNATIVE_NAMES) return names
  throw new SzmqError(
    'ERR_SZMQ_INVALID_ARGUMENT',
    `${count} names are more than ${MAX_ALTERNATIVE_NAMES}: issue several certificates`,
  )
}

async function requireFree(name: string, { certFile, keyFile }: { certFile: string; keyFile: string }): Promise<void> {
  const [hasCert, hasKey] = await Promise.all([exists(certFile), exists(keyFile)])
  if (!hasCert && !hasKey) return
  if (hasCert !== hasKey) {
    const [there, missing] = hasCert ? [certFile, keyFile] : [keyFile, certFile]
    throw taken(`${there} is there without ${missing}: give --force to make both anew`)
  }
  throw taken(
    `${certFile} exists (${await describeFile(certFile)}): give --force to replace it and its key, or another name than ${name}`,
  )
}

async function describeFile(file: string): Promise<string> {
  try {
    const { validTo, validity } = describeCertificate(
      new X509Certificate((await readBoundedFile(file, MAX_PEM_BYTES)) ?? ''),
      new Date(),
    )
    return validity === 'expired' ? `expired on ${validTo.slice(0, 10)}` : `valid until ${validTo.slice(0, 10)}`
  } catch {
    return 'no readable certificate'
  }
}

async function requireRoom(issuedFolder: string): Promise<void> {
  if ((await readdir(issuedFolder)).length < MAX_CERTIFICATES) return
  const text = `${issuedFolder} holds ${MAX_CERTIFICATES} certificates: begin another PKI, in another folder`
  throw new SzmqError('ERR_SZMQ_LIMIT_EXCEEDED', text)
}

function taken(message: string): SzmqError {
  return new SzmqError('ERR_SZMQ_NAME_TAKEN', message)
}
