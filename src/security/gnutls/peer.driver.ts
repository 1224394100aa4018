import { createHash, X509Certificate } from 'node:crypto'
import { messageOf, SzmqError } from '../../shared/errors.ts'
import { findRefusal } from '../authorize.ts'
import { ANONYMOUS, type PeerIdentity } from '../identity.ts'
import {
  carriesName,
  findDateProblem,
  toCertificateError,
  toPeerIdentity,
  toWrongNameError,
} from '../credentials/peer-certificate.ts'
import { CRD, CRT, CTYPE, DT_KEY_PURPOSE_OID } from './constants.ts'
import { toVerdict } from './certificate-verdict.ts'
import { readDatum, takeDatum } from './memory.driver.ts'
import type { CBox, Pointer } from './prototype.ts'
import type { GnutlsSettings } from './settings.driver.ts'

/** Most certificates of a chain that are looked at: GnuTLS reads no more. */
const MAX_CHAIN = 16

/**
 * Judges the peer of one handshake, in the midst of it, and keeps the verdict: first the certificate, as soon as it is there, then, when the
 * handshake has proved that it is the peer's own, whether it may come in.
 */
export class GnutlsJudge {
  readonly #settings: GnutlsSettings
  readonly #session: Pointer
  /** Who the certificate, or whatever else there is, speaks for. */
  #found: PeerIdentity | SzmqError | undefined
  #verdict: PeerIdentity | SzmqError | undefined
  #remembered: readonly Buffer<ArrayBuffer>[] = []

  constructor(settings: GnutlsSettings, session: Pointer) {
    this.#settings = settings
    this.#session = session
  }

  /** What the peer showed when the session that is offered began: GnuTLS tells a client nothing of it when TLS 1.3 resumes that. */
  remember(chain: readonly Uint8Array[]): void {
    this.#remembered = chain.map((certificate) => Buffer.from(certificate))
  }

  /** What the peer showed (DER), now or when the session began: its own certificate first. */
  get chain(): readonly Buffer<ArrayBuffer>[] {
    return this.#shown()
  }

  /** Who the peer is, or why it is refused; undefined as long as it was not concluded. */
  get verdict(): PeerIdentity | SzmqError | undefined {
    return this.#verdict
  }

  /** GnuTLS has read the peer's certificate, or that there is none. @returns why the peer is refused */
  look(): SzmqError | undefined {
    if (this.#shown().length > 0) this.#found ??= this.#find()
    return this.#found instanceof SzmqError ? this.#found : undefined
  }

  /** Judges whatever the peer proved. Call it when the handshake has proved it. Only the first call judges. */
  conclude(): PeerIdentity | SzmqError {
    if (this.#verdict !== undefined) return this.#verdict
    const identity = (this.#found ??= this.#find())
    this.#verdict =
      identity instanceof SzmqError ? identity : (findRefusal(identity, this.#settings.options.authorize) ?? identity)
    return this.#verdict
  }

  /** Does a signature prove the peer, before its Finished does? */
  get isProvenBySignature(): boolean {
    return this.#typeOfPeer() === CRD.CERTIFICATE
  }

  #find(): PeerIdentity | SzmqError {
    try {
      return this.#identify()
    } catch (cause) {
      // A peer chose these bytes.
      const text = `the peer's certificate cannot be judged: ${messageOf(cause)}`
      return new SzmqError('ERR_SZMQ_CERTIFICATE_INVALID', text, { cause })
    }
  }

  #typeOfPeer(): number {
    const { fn } = this.#settings.thread.library
    return this.#settings.role === 'server'
      ? fn.gnutls_auth_client_get_type(this.#session)
      : fn.gnutls_auth_server_get_type(this.#session)
  }

  #identify(): PeerIdentity | SzmqError {
    const { role, clientCertificate, thread, proofs } = this.#settings
    const { fn } = thread.library
    const isServer = role === 'server'
    switch (this.#typeOfPeer()) {
      case CRD.PSK: {
        const shown = takeDatum(thread.library, (datum) => fn.gnutls_psk_server_get_username2(this.#session, datum))
        return { verifiedBy: 'psk', subject: isServer ? String(shown ?? '') : (proofs.psk?.identity ?? ''), names: [] }
      }
      case CRD.SRP: {
        const subject = isServer ? fn.gnutls_srp_server_get_username(this.#session) : proofs.srp?.username
        return { verifiedBy: 'srp', subject: subject ?? '', names: [] }
      }
      case CRD.ANON:
        return ANONYMOUS
      default: {
        const chain = this.#shown()
        if (chain.length > 0) return this.#judgeCertificate(chain)
        if (isServer && clientCertificate !== 'required') return ANONYMOUS
        return toCertificateError('no certificate was shown', undefined, new Date())
      }
    }
  }

  #judgeCertificate(chain: readonly Buffer<ArrayBuffer>[]): PeerIdentity | SzmqError {
    const { thread, role, options, proofs } = this.#settings
    const { fn } = thread.library
    const [shown = Buffer.alloc(0)] = chain
    if (fn.gnutls_certificate_type_get2(this.#session, CTYPE.PEERS) === CRT.RAWPK) {
      const digest = createHash('sha256').update(shown).digest('hex').toUpperCase()
      const subject = digest.replaceAll(/..(?!$)/g, '$&:')
      if (proofs.rawPublicKey?.trusts(shown) === true) return { verifiedBy: 'rawPublicKey', subject, names: [] }
      const text = `the peer's raw public key (SHA-256 ${subject}) is not among our trusted keys: add it if you trust it`
      return new SzmqError('ERR_SZMQ_UNKNOWN_CA', text)
    }
    const now = new Date()
    const certificate = new X509Certificate(shown)
    if (proofs.trust === undefined) return toCertificateError('UNABLE_TO_GET_ISSUER_CERT', certificate, now)
    const reason = this.#verifyChain(chain, now) ?? this.#settings.revocations?.findProblem(chain, now)
    if (reason !== undefined) return toCertificateError(reason, certificate, now)
    const { serverName } = options
    if (role === 'client' && serverName !== undefined && !carriesName(certificate, serverName))
      return toWrongNameError(certificate, serverName)
    return toPeerIdentity(certificate)
  }

  #verifyChain(chain: readonly Buffer<ArrayBuffer>[], now: Date): string | undefined {
    const { thread, role } = this.#settings
    // It was verified when the session began, and the session is bound to the CAs of that time: what passes is time.
    if (chain === this.#remembered) return findFirst(chain, (each) => findDateProblem(new X509Certificate(each), now))
    const purpose = Buffer.from(`${role === 'client' ? SERVER_AUTH : CLIENT_AUTH}\0`, 'latin1')
    const status: CBox<number> = [0]
    const data = [{ type: DT_KEY_PURPOSE_OID, data: purpose, size: 0 }]
    const result = thread.library.fn.gnutls_certificate_verify_peers(this.#session, data, data.length, status)
    if (result < 0) return thread.library.fn.gnutls_strerror_name(result) ?? `error ${result}`
    return toVerdict(status[0] ?? ~0)
  }

  /** The peer's certificates (DER), its own first; or its SubjectPublicKeyInfo. */
  #shown(): readonly Buffer<ArrayBuffer>[] {
    const { library } = this.#settings.thread
    const count: CBox<number> = [0]
    const list = library.fn.gnutls_certificate_get_peers(this.#session, count)
    if (list === null) return library.fn.gnutls_session_is_resumed(this.#session) === 0 ? [] : this.#remembered
    return Array.from({ length: Math.min(count[0] ?? 0, MAX_CHAIN) }, (_, at) => readDatum(library, list, at))
  }
}

/** Key purposes of RFC 5280 §4.2.1.12. */
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1'
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2'

function findFirst<Item, Found>(items: readonly Item[], find: (item: Item) => Found | undefined): Found | undefined {
  for (const item of items) {
    const found = find(item)
    if (found !== undefined) return found
  }
  return undefined
}
