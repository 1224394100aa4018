import { X509Certificate } from 'node:crypto'
import { messageOf, SzmqError } from '../../shared/errors.ts'
import { readCa, type DevelopmentCa } from './ca.driver.ts'
import { SIGNATURES } from './keys.driver.ts'
import { loadX509, type X509Library } from './x509.driver.ts'

/** How long a revocation list is current unless told otherwise. */
export const DEFAULT_CRL_DAYS = 30

const DAY_MS = 86_400_000
const CLOCK_SKEW_MS = 5 * 60_000
/** RFC 5280 §5.2.3. */
const CRL_NUMBER = '2.5.29.20'

/** RFC 5280 §5.3.1, without those that szmq has no use for (holds, delta lists, attribute authorities), and their numbers. */
const REASON_NUMBERS = {
  unspecified: 0,
  keyCompromise: 1,
  cACompromise: 2,
  affiliationChanged: 3,
  superseded: 4,
  cessationOfOperation: 5,
  privilegeWithdrawn: 9,
} as const

export type RevocationReason = keyof typeof REASON_NUMBERS
export const REVOCATION_REASONS = Object.keys(REASON_NUMBERS) as readonly RevocationReason[]

export interface Revocation {
  /** Hexadecimal. */
  readonly serialNumber: string
  readonly revokedAt: Date
  readonly reason: RevocationReason
}

export interface CrlRequest {
  /** PEM of certificates that this CA issued and no longer stands for, as of now and without a reason. */
  readonly revoked?: readonly string[]
  /** The same by serial number, with time and reason. */
  readonly revocations?: readonly Revocation[]
  /** Each list of a CA has a higher one than the list before (RFC 5280 §5.2.3). Default: 1. */
  readonly number?: number
  /** Until when the list is current. Default: {@link DEFAULT_CRL_DAYS} from now. */
  readonly nextUpdate?: Date
  readonly thisUpdate?: Date
}

/** What a revocation list says. */
export interface CrlFacts {
  readonly issuer: string
  /** undefined in a list that has none. */
  readonly number: number | undefined
  readonly thisUpdate: Date
  readonly nextUpdate: Date | undefined
  readonly revocations: readonly Revocation[]
}

/**
 * A revocation list signed by `ca`, as PEM text. An empty one is a list too: it says that nothing is revoked.
 *
 * @throws ERR_SZMQ_BAD_CREDENTIALS for a CA that cannot sign.
 */
export async function createCrl(ca: DevelopmentCa, request: CrlRequest): Promise<string> {
  const { revoked = [], revocations = [], number = 1, nextUpdate, thisUpdate } = request
  const x509 = loadX509()
  const issuer = await readCa(ca)
  const now = Date.now()
  const begin = thisUpdate ?? new Date(now - CLOCK_SKEW_MS)
  const entries: readonly Revocation[] = [
    ...revocations,
    ...revoked.map((pem) => ({
      serialNumber: new X509Certificate(pem).serialNumber,
      revokedAt: begin,
      reason: 'unspecified' as const,
    })),
  ]
  const crl = await x509.X509CrlGenerator.create({
    issuer: issuer.certificate.subjectName,
    thisUpdate: begin,
    nextUpdate: nextUpdate ?? new Date(now + DEFAULT_CRL_DAYS * DAY_MS),
    signingAlgorithm: SIGNATURES[issuer.keyKind],
    signingKey: issuer.privateKey,
    entries: entries.map(({ serialNumber, revokedAt, reason }) => ({
      serialNumber,
      revocationDate: revokedAt,
      // "Unspecified" shall be left out (RFC 5280 §5.3.1), but without any extension the library writes an empty list of them, which
      // must not be (§5.1): the date of invalidity says nothing new.
      ...(reason === 'unspecified' ? { invalidity: revokedAt } : { reason: REASON_NUMBERS[reason] }),
    })),
    extensions: [
      await x509.AuthorityKeyIdentifierExtension.create(issuer.certificate.publicKey),
      new x509.Extension(CRL_NUMBER, false, encodeInteger(number)),
    ],
  })
  // The library labels it CRL; OpenSSL and RFC 7468 say X509 CRL.
  return `${crl
    .toString('pem')
    .replaceAll(/(BEGIN|END) CRL/g, '$1 X509 CRL')
    .trim()}\n`
}

/**
 * Reads a revocation list.
 *
 * @param signer PEM of the CA that must have signed it; without it the signature is not looked at.
 * @throws ERR_SZMQ_BAD_CREDENTIALS if it is unreadable, or signed by somebody else.
 */
export async function readCrl(pem: string, signer?: string): Promise<CrlFacts> {
  const x509 = loadX509()
  const crl = parseCrl(x509, pem)
  if (signer !== undefined && !(await crl.verify({ publicKey: new x509.X509Certificate(signer) }).catch(() => false)))
    throw new SzmqError('ERR_SZMQ_BAD_CREDENTIALS', 'the revocation list is not signed by this CA')
  try {
    return readFacts(crl)
  } catch (cause) {
    // The library reads some parts only when they are asked for.
    throw unreadable(cause)
  }
}

function readFacts(crl: Crl): CrlFacts {
  const dates = [crl.thisUpdate, crl.nextUpdate ?? crl.thisUpdate, ...crl.entries.map(({ revocationDate }) => revocationDate)]
  if (dates.some((date) => Number.isNaN(date.getTime()))) throw new Error('it has a date that is none')
  return {
    issuer: crl.issuer,
    number: decodeInteger(crl.getExtension(CRL_NUMBER)?.value),
    thisUpdate: crl.thisUpdate,
    nextUpdate: crl.nextUpdate,
    revocations: crl.entries.map(({ serialNumber, revocationDate, reason }) => ({
      serialNumber: serialNumber.toUpperCase(),
      revokedAt: revocationDate,
      reason: REVOCATION_REASONS.find((name) => REASON_NUMBERS[name] === Number(reason ?? 0)) ?? 'unspecified',
    })),
  }
}

type Crl = InstanceType<X509Library['X509Crl']>

function parseCrl(x509: X509Library, pem: string): Crl {
  const [block] = /-----BEGIN X509 CRL-----[^-]*-----END X509 CRL-----/.exec(pem) ?? []
  if (block === undefined) {
    throw new SzmqError('ERR_SZMQ_BAD_CREDENTIALS', 'the revocation list holds no "BEGIN X509 CRL" block')
  }
  try {
    return new x509.X509Crl(Buffer.from(block.replaceAll(/-----[A-Z0-9 ]+-----|\s/g, ''), 'base64'))
  } catch (cause) {
    throw unreadable(cause)
  }
}

function unreadable(cause: unknown): SzmqError {
  return new SzmqError(
    'ERR_SZMQ_BAD_CREDENTIALS',
    `the revocation list is unreadable (${messageOf(cause)}): copy the whole PEM block again`,
  )
}

/** A DER INTEGER, not negative. */
function encodeInteger(value: number): Uint8Array<ArrayBuffer> {
  const hex = value.toString(16)
  const digits = hex.padStart(hex.length + (hex.length % 2), '0')
  const bytes = Buffer.from(/^[89a-f]/.test(digits) ? `00${digits}` : digits, 'hex')
  return Uint8Array.from([0x02, bytes.length, ...bytes])
}

/** @returns undefined for none, and for one that no list of this PKI can have. */
function decodeInteger(der: ArrayBuffer | undefined): number | undefined {
  if (der === undefined) return undefined
  const [tag, length, ...bytes] = new Uint8Array(der)
  if (tag !== 0x02 || length !== bytes.length || bytes.length > 20) return undefined
  const value = Number.parseInt(Buffer.from(bytes).toString('hex'), 16)
  return Number.isSafeInteger(value) ? value : undefined
}
