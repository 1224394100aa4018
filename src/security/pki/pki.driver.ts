import { randomBytes, type webcrypto } from 'node:crypto'
import { isIP } from 'node:net'
import type * as X509 from '@peculiar/x509'
import { SzmqError } from '../../shared/errors.ts'
import { readCa, type DevelopmentCa, type IssuedCertificate } from './ca.driver.ts'
import { exportPrivateKey, generateKeys, SIGNATURES, type KeyKind } from './keys.driver.ts'
import { loadX509 } from './x509.driver.ts'

export type { DevelopmentCa, IssuedCertificate } from './ca.driver.ts'
export { createCrl } from './crl.driver.ts'
export type { KeyKind } from './keys.driver.ts'

/** How long a development CA lives unless told otherwise. */
export const DEFAULT_CA_DAYS = 365
/** How long an issued certificate lives unless told otherwise. */
export const DEFAULT_CERTIFICATE_DAYS = 30

const DAY_MS = 86_400_000
/** Certificates begin a little earlier than now, for peers whose clocks are behind. */
const CLOCK_SKEW_MS = 5 * 60_000

export interface Validity {
  /** Days from now or from `notBefore`. */
  readonly days?: number
  /** Default: five minutes ago. */
  readonly notBefore?: Date
  /** Wins over `days`. */
  readonly notAfter?: Date
}

export interface CertificateRequest extends Validity {
  /** The common name, for display. Peers check the names below. */
  readonly name: string
  /** Default: `name`, if neither addresses nor URIs are given. */
  readonly dnsNames?: readonly string[]
  readonly ipAddresses?: readonly string[]
  readonly uris?: readonly string[]
  /** What the certificate may be used for. Default: both, as a node both calls and is called. */
  readonly usages?: readonly CertificateUsage[]
  /** Default: `ecdsa-p256`. */
  readonly key?: KeyKind
}

export const CERTIFICATE_USAGES = ['server', 'client'] as const
/** The side of TLS that a certificate may be shown by. */
export type CertificateUsage = (typeof CERTIFICATE_USAGES)[number]

export interface CaRequest extends Validity {
  /** The common name. */
  readonly name: string
  /** Default: `ecdsa-p256`. */
  readonly key?: KeyKind
}

/** A self-signed CA that may sign certificates and revocation lists, and no further CAs. */
export async function createDevelopmentCa({ name, key = 'ecdsa-p256', ...validity }: CaRequest): Promise<DevelopmentCa> {
  const x509 = loadX509()
  const keys = await generateKeys(key)
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: newSerialNumber(),
    name: toDistinguishedName(name),
    ...toDates(validity, DEFAULT_CA_DAYS),
    signingAlgorithm: SIGNATURES[key],
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  return { certificatePem: toPem(certificate), privateKeyPem: await exportPrivateKey(keys.privateKey) }
}

/**
 * A certificate with a key of its own, for use as TLS server and client.
 *
 * @throws ERR_SZMQ_INVALID_ARGUMENT for an address that is none, ERR_SZMQ_BAD_CREDENTIALS for a CA that cannot sign.
 */
export async function issueCertificate(ca: DevelopmentCa, request: CertificateRequest): Promise<IssuedCertificate> {
  const { certificate, privateKey, keyKind } = await readCa(ca)
  const keys = await generateKeys(request.key ?? 'ecdsa-p256')
  const { subjectName, publicKey } = certificate
  return signCertificate(request, keys, { name: subjectName, publicKey, privateKey, keyKind })
}

/** A certificate that no CA stands for: peers accept it only if it is among their CAs itself. */
export async function createSelfSignedCertificate(request: CertificateRequest): Promise<IssuedCertificate> {
  const { name, key = 'ecdsa-p256' } = request
  const keys = await generateKeys(key)
  return signCertificate(request, keys, { name: toDistinguishedName(name), ...keys, keyKind: key })
}

interface Signer {
  readonly name: X509.Name
  readonly publicKey: webcrypto.CryptoKey | X509.PublicKey
  readonly privateKey: webcrypto.CryptoKey
  readonly keyKind: KeyKind
}

async function signCertificate(
  request: CertificateRequest,
  keys: webcrypto.CryptoKeyPair,
  issuer: Signer,
): Promise<IssuedCertificate> {
  const x509 = loadX509()
  const usages = request.usages ?? CERTIFICATE_USAGES
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: newSerialNumber(),
    subject: toDistinguishedName(request.name),
    issuer: issuer.name,
    ...toDates(request, DEFAULT_CERTIFICATE_DAYS),
    publicKey: keys.publicKey,
    signingKey: issuer.privateKey,
    signingAlgorithm: SIGNATURES[issuer.keyKind],
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension(
        usages.map((usage) => (usage === 'server' ? x509.ExtendedKeyUsage.serverAuth : x509.ExtendedKeyUsage.clientAuth)),
      ),
      new x509.SubjectAlternativeNameExtension(toAlternativeNames(request)),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
    ],
  })
  return { certificatePem: toPem(certificate), privateKeyPem: await exportPrivateKey(keys.privateKey) }
}

/** Positive, 127 bits of chance: no two certificates of a CA share one. */
function newSerialNumber(): string {
  const bytes = randomBytes(16)
  bytes.writeUInt8((bytes.readUInt8(0) & 0x3f) | 0x40, 0)
  return bytes.toString('hex')
}

function toDates(
  { days, notBefore, notAfter }: Validity,
  defaultDays: number,
): { readonly notBefore: Date; readonly notAfter: Date } {
  const begin = notBefore ?? new Date(Date.now() - CLOCK_SKEW_MS)
  const from = notBefore ?? new Date()
  return { notBefore: begin, notAfter: notAfter ?? new Date(from.getTime() + (days ?? defaultDays) * DAY_MS) }
}

/** As data, not as `CN=…` text, so that no character of a name means something. */
function toDistinguishedName(name: string): X509.Name {
  return new (loadX509().Name)([{ CN: [{ utf8String: name }] }])
}

function toAlternativeNames({ name, dnsNames, ipAddresses = [], uris = [] }: CertificateRequest): X509.JsonGeneralName[] {
  const dns = dnsNames ?? (ipAddresses.length + uris.length === 0 ? [name] : [])
  return [
    ...dns.map((value) => ({ type: 'dns' as const, value })),
    ...ipAddresses.map((address) => ({ type: 'ip' as const, value: toPlainAddress(address) })),
    ...uris.map((value) => ({ type: 'url' as const, value })),
  ]
}

/** In hexadecimal throughout: of `::ffff:10.0.0.1` the library makes another address. */
function toPlainAddress(address: string): string {
  const family = isIP(address)
  if (family === 4) return address
  if (family === 6 && !address.includes('%')) return new URL(`http://[${address}]`).hostname.slice(1, -1)
  throw new SzmqError(
    'ERR_SZMQ_INVALID_ARGUMENT',
    `"${address}" is not an IPv4 or IPv6 address (without a zone): give host names as DNS names`,
  )
}

function toPem(certificate: X509.X509Certificate): string {
  return endLine(certificate.toString('pem'))
}

function endLine(pem: string): string {
  return `${pem.trim()}\n`
}
