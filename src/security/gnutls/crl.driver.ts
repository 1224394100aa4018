import { make } from './check.driver.ts'
import { CERT, X509_FMT } from './constants.ts'
import type { GnutlsLibrary } from './library.driver.ts'
import { takeOwnDatum, toDatum, toTextDatum } from './memory.driver.ts'
import type { CBox, Pointer } from './prototype.ts'

/** A certificate's names (DER, hexadecimal) and itself. */
export interface ChainLink {
  readonly der: Uint8Array
  readonly issuer: string
  readonly subject: string
}

/** `UNABLE_TO_GET_CRL` and others that `toCertificateError` knows. */
export type CrlProblem = 'UNABLE_TO_GET_CRL' | 'CRL_HAS_EXPIRED' | 'CRL_NOT_YET_VALID' | 'CRL_SIGNATURE_FAILURE'

/**
 * Our revocation lists. GnuTLS looks a certificate up in the lists that it has, be they stale, and asks for none where there is none (3.7.9). As with
 * OpenSSL, each CA of a chain must have one that is current and signed by it: else whoever can keep a list from us could bring a revoked certificate
 * back.
 */
export class RevocationLists {
  readonly #library: GnutlsLibrary
  readonly #lists: readonly RevocationList[]
  /** Trusted certificates. */
  readonly #authorities: readonly ChainLink[]

  constructor(library: GnutlsLibrary, crlPem: string, caPem: string) {
    this.#library = library
    this.#lists = blocks(crlPem, 'X509 CRL').flatMap((block) => readList(library, block) ?? [])
    this.#authorities = blocks(caPem, 'CERTIFICATE').flatMap((block) => readLink(library, fromPem(block)) ?? [])
  }

  /** @param chain the peer's certificate (DER) first, of a chain that leads to a CA of ours */
  findProblem(chain: readonly Uint8Array[], now: Date): CrlProblem | undefined {
    const links = chain.flatMap((der) => readLink(this.#library, der) ?? [])
    const known = [...this.#authorities, ...links]
    const seen = new Set<ChainLink>()
    for (let link = links[0]; link !== undefined && !seen.has(link);) {
      seen.add(link)
      const { issuer, subject } = link
      const authority = issuer === subject ? link : known.find((each) => each.subject === issuer)
      const problem = this.#findListProblem(issuer, authority, now)
      if (problem !== undefined) return problem
      if (authority === link) return undefined
      link = authority
    }
    return links.length === 0 ? 'UNABLE_TO_GET_CRL' : undefined
  }

  /** The best of the CA's lists decides. */
  #findListProblem(issuer: string, authority: ChainLink | undefined, now: Date): CrlProblem | undefined {
    const problems = this.#lists
      .filter((list) => list.issuer === issuer)
      .map((list) => compare(list, now) ?? this.#verify(list, authority))
    return problems.length === 0 ? 'UNABLE_TO_GET_CRL' : problems.includes(undefined) ? undefined : problems[0]
  }

  /** Looked at once for each CA certificate, for a list may be long. */
  #verify(list: RevocationList, authority: ChainLink | undefined): CrlProblem | undefined {
    if (authority === undefined) return 'CRL_SIGNATURE_FAILURE'
    const key = Buffer.from(authority.der).toString('base64')
    if (!list.signers.has(key)) list.signers.set(key, isSignedBy(this.#library, list.pem, authority.der))
    return list.signers.get(key) === true ? undefined : 'CRL_SIGNATURE_FAILURE'
  }
}

interface RevocationList {
  readonly pem: string
  readonly issuer: string
  readonly thisUpdateMs: number
  /** Undefined: it does not say. */
  readonly nextUpdateMs: number | undefined
  /** CA certificates (base64), and whether they signed it. */
  readonly signers: Map<string, boolean>
}

function compare({ thisUpdateMs, nextUpdateMs }: RevocationList, now: Date): CrlProblem | undefined {
  if (now.getTime() < thisUpdateMs) return 'CRL_NOT_YET_VALID'
  return nextUpdateMs !== undefined && now.getTime() > nextUpdateMs ? 'CRL_HAS_EXPIRED' : undefined
}

function readList(library: GnutlsLibrary, pem: string): RevocationList | undefined {
  const { fn } = library
  return withCrl(library, pem, (crl) => {
    const issuer = takeOwnDatum(library, (datum) => fn.gnutls_x509_crl_get_raw_issuer_dn(crl, datum))
    if (issuer === undefined) return undefined
    const nextUpdate = Number(fn.gnutls_x509_crl_get_next_update(crl))
    return {
      pem,
      issuer: issuer.toString('hex'),
      thisUpdateMs: Number(fn.gnutls_x509_crl_get_this_update(crl)) * 1_000,
      nextUpdateMs: nextUpdate < 0 ? undefined : nextUpdate * 1_000,
      signers: new Map(),
    }
  })
}

function isSignedBy(library: GnutlsLibrary, crlPem: string, caDer: Uint8Array): boolean {
  const { fn, koffi } = library
  return (
    withCrl(library, crlPem, (crl) =>
      withCertificate(library, caDer, (ca) => {
        const list: Pointer = koffi.alloc('void *', 1)
        try {
          koffi.encode(list, 'void *', ca)
          const status: CBox<number> = [0]
          const result = fn.gnutls_x509_crl_verify(crl, list, 1, 0, status)
          // Its dates were looked at already.
          return result >= 0 && ((status[0] ?? ~0) & ~DATE_FLAGS) === 0
        } finally {
          koffi.free(list)
        }
      }),
    ) === true
  )
}

const DATE_FLAGS = CERT.REVOCATION_DATA_SUPERSEDED | CERT.REVOCATION_DATA_ISSUED_IN_FUTURE | CERT.EXPIRED | CERT.NOT_ACTIVATED

function readLink(library: GnutlsLibrary, der: Uint8Array): ChainLink | undefined {
  const { fn } = library
  return withCertificate(library, der, (certificate) => {
    const issuer = takeOwnDatum(library, (datum) => fn.gnutls_x509_crt_get_raw_issuer_dn(certificate, datum))
    const subject = takeOwnDatum(library, (datum) => fn.gnutls_x509_crt_get_raw_dn(certificate, datum))
    if (issuer === undefined || subject === undefined) return undefined
    return { der, issuer: issuer.toString('hex'), subject: subject.toString('hex') }
  })
}

function withCertificate<T>(library: GnutlsLibrary, der: Uint8Array, use: (certificate: Pointer) => T): T | undefined {
  const { fn } = library
  const certificate = make(library, 'a certificate', fn.gnutls_x509_crt_init)
  try {
    return fn.gnutls_x509_crt_import(certificate, toDatum(der), X509_FMT.DER) < 0 ? undefined : use(certificate)
  } finally {
    fn.gnutls_x509_crt_deinit(certificate)
  }
}

function withCrl<T>(library: GnutlsLibrary, pem: string, use: (crl: Pointer) => T): T | undefined {
  const { fn } = library
  const crl = make(library, 'a revocation list', fn.gnutls_x509_crl_init)
  try {
    return fn.gnutls_x509_crl_import(crl, toTextDatum(pem), X509_FMT.PEM) < 0 ? undefined : use(crl)
  } finally {
    fn.gnutls_x509_crl_deinit(crl)
  }
}

function blocks(pem: string, label: string): readonly string[] {
  return pem.match(new RegExp(`-----BEGIN ${label}-----[^-]*-----END ${label}-----`, 'g')) ?? []
}

function fromPem(block: string): Buffer {
  return Buffer.from(block.replaceAll(/-----[^-]*-----/g, ''), 'base64')
}
