import { randomBytes, webcrypto } from 'node:crypto'
import { createRequire } from 'node:module'
import { isIP } from 'node:net'
import type * as X509 from '@peculiar/x509'
import { messageOf, SzmqError } from '../shared/errors.ts'

/** How long a development CA lives unless told otherwise. */
export const DEFAULT_CA_DAYS = 365
/** How long an issued certificate lives unless told otherwise. */
export const DEFAULT_CERTIFICATE_DAYS = 30

const DAY_MS = 86_400_000
/** Certificates begin a little earlier than now, for peers whose clocks are behind. */
const CLOCK_SKEW_MS = 5 * 60_000
const SIGNATURE = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const

/** A certificate and its private key, as PEM text. The key is a secret. */
export interface IssuedCertificate {
  readonly certificatePem: string
  readonly privateKeyPem: string
}

/** A CA for development and tests: its key lies about as a plain string. For production have your own CA issue certificates. */
export type DevelopmentCa = IssuedCertificate

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
  readonly usages?: readonly ('server' | 'client')[]
}

export interface CrlRequest {
  /** PEM of certificates that this CA issued and no longer stands for. */
  readonly revoked: readonly string[]
  /** Until when the list is current. Default: 30 days from now. */
  readonly nextUpdate?: Date
  readonly thisUpdate?: Date
}

/** A self-signed CA with an ECDSA P-256 key that may sign certificates and revocation lists, and no further CAs. */
export async function createDevelopmentCa({ name, ...validity }: { readonly name: string } & Validity): Promise<DevelopmentCa> {
  const x509 = loadX509()
  const keys = await generateKeys()
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: newSerialNumber(),
    name: toDistinguishedName(name),
    ...toDates(validity, DEFAULT_CA_DAYS),
    signingAlgorithm: SIGNATURE,
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
 * A certificate with a key of its own, ECDSA P-256, for use as TLS server and client.
 *
 * @throws ERR_SZMQ_INVALID_ARGUMENT for an address that is none, ERR_SZMQ_BAD_CREDENTIALS for a CA that is unreadable.
 */
export async function issueCertificate(ca: DevelopmentCa, request: CertificateRequest): Promise<IssuedCertificate> {
  const issuer = await readCa(ca)
  const keys = await generateKeys()
  const { subjectName, publicKey } = issuer.certificate
  return signCertificate(request, keys, { name: subjectName, publicKey, privateKey: issuer.privateKey })
}

/** A certificate that no CA stands for: peers accept it only if it is among their CAs itself. */
export async function createSelfSignedCertificate(request: CertificateRequest): Promise<IssuedCertificate> {
  const keys = await generateKeys()
  return signCertificate(request, keys, { name: toDistinguishedName(request.name), ...keys })
}

interface Issuer {
  readonly name: X509.Name
  readonly publicKey: webcrypto.CryptoKey | X509.PublicKey
  readonly privateKey: webcrypto.CryptoKey
}

async function signCertificate(
  request: CertificateRequest,
  keys: webcrypto.CryptoKeyPair,
  issuer: Issuer,
): Promise<IssuedCertificate> {
  const x509 = loadX509()
  const usages = request.usages ?? ['server', 'client']
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: newSerialNumber(),
    subject: toDistinguishedName(request.name),
    issuer: issuer.name,
    ...toDates(request, DEFAULT_CERTIFICATE_DAYS),
    publicKey: keys.publicKey,
    signingKey: issuer.privateKey,
    signingAlgorithm: SIGNATURE,
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

/** A revocation list signed by `ca`, as PEM text. An empty one is a list too: it says that nothing is revoked. */
export async function createCrl(ca: DevelopmentCa, { revoked, nextUpdate, thisUpdate }: CrlRequest): Promise<string> {
  const x509 = loadX509()
  const issuer = await readCa(ca)
  const now = Date.now()
  const crl = await x509.X509CrlGenerator.create({
    issuer: issuer.certificate.subjectName,
    thisUpdate: thisUpdate ?? new Date(now - CLOCK_SKEW_MS),
    nextUpdate: nextUpdate ?? new Date(now + DEFAULT_CERTIFICATE_DAYS * DAY_MS),
    signingAlgorithm: SIGNATURE,
    signingKey: issuer.privateKey,
    entries: revoked.map((pem) => ({
      serialNumber: new x509.X509Certificate(pem).serialNumber,
      revocationDate: new Date(now - CLOCK_SKEW_MS),
    })),
    extensions: [await x509.AuthorityKeyIdentifierExtension.create(issuer.certificate.publicKey)],
  })
  // The library labels it CRL; OpenSSL and RFC 7468 say X509 CRL.
  return endLine(crl.toString('pem').replaceAll(/(BEGIN|END) CRL/g, '$1 X509 CRL'))
}

async function readCa(
  ca: DevelopmentCa,
): Promise<{ readonly certificate: X509.X509Certificate; readonly privateKey: webcrypto.CryptoKey }> {
  try {
    const certificate = new (loadX509().X509Certificate)(ca.certificatePem)
    const pkcs8 = Buffer.from(ca.privateKeyPem.replaceAll(/-----[A-Z ]+-----|\s/g, ''), 'base64')
    return { certificate, privateKey: await webcrypto.subtle.importKey('pkcs8', pkcs8, SIGNATURE, false, ['sign']) }
  } catch (cause) {
    throw new SzmqError(
      'ERR_SZMQ_BAD_CREDENTIALS',
      `the development CA is unreadable (${messageOf(cause)}): an ECDSA P-256 certificate and its PKCS #8 key are expected, both as PEM`,
    )
  }
}

async function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(SIGNATURE, true, ['sign', 'verify'])
}

async function exportPrivateKey(key: webcrypto.CryptoKey): Promise<string> {
  const base64 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key)).toString('base64')
  return `-----BEGIN PRIVATE KEY-----\n${(base64.match(/.{1,64}/g) ?? []).join('\n')}\n-----END PRIVATE KEY-----\n`
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
  const wrong = ipAddresses.find((address) => isIP(address) === 0)
  if (wrong !== undefined) {
    throw new SzmqError('ERR_SZMQ_INVALID_ARGUMENT', `"${wrong}" is not an IPv4 or IPv6 address: put names into dnsNames`)
  }
  const dns = dnsNames ?? (ipAddresses.length + uris.length === 0 ? [name] : [])
  return [
    ...dns.map((value) => ({ type: 'dns' as const, value })),
    ...ipAddresses.map((value) => ({ type: 'ip' as const, value })),
    ...uris.map((value) => ({ type: 'url' as const, value })),
  ]
}

function toPem(certificate: X509.X509Certificate): string {
  return endLine(certificate.toString('pem'))
}

function endLine(pem: string): string {
  return `${pem.trim()}\n`
}

type X509Library = typeof X509

let library: X509Library | undefined

/**
 * Loaded at first use: it costs some 100 ms that users with certificates of their own don't pay.
 *
 * Its dependency injection refuses to load without the decorator metadata functions that polyfills put on `Reflect`, though it works
 * without any metadata. Functions that know of none stand there while it loads (synchronously, so nobody else sees them).
 */
function loadX509(): X509Library {
  if (library !== undefined) return library
  const reflect: { [name: string]: unknown } = Reflect as object as { [name: string]: unknown }
  const isLent = reflect['getMetadata'] === undefined
  const lent = { getMetadata: nothing, getOwnMetadata: nothing, defineMetadata: nothing }
  if (isLent) Object.assign(reflect, lent)
  try {
    const loaded = createRequire(import.meta.url)('@peculiar/x509') as X509Library
    loaded.cryptoProvider.set(webcrypto as never)
    library = loaded
    return loaded
  } finally {
    if (isLent) for (const name of Object.keys(lent)) Reflect.deleteProperty(reflect, name)
  }
}

function nothing(): undefined {
  return undefined
}
