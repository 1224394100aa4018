import type { X509Certificate } from 'node:crypto'
import { TLSSocket } from 'node:tls'
import { messageOf, SzmqError } from '../../shared/errors.ts'
import { findRefusal } from '../authorize.ts'
import { ANONYMOUS, type PeerIdentity } from '../identity.ts'
import type { OpensslSettings } from './settings.driver.ts'
import { carriesName, findDateProblem, toCertificateError, toWrongNameError } from '../credentials/peer-certificate.ts'
import { keepCertificate, knowCertificate, type KnownCertificate } from '../credentials/known-certificates.ts'
import type { PskExchange } from '../credentials/psk-exchange.ts'

/** Judges the peer of one handshake, outside OpenSSL's own stack, and keeps the verdict. */
export class OpensslJudge {
  readonly #socket: TLSSocket
  readonly #settings: OpensslSettings
  readonly #psk: PskExchange | undefined
  readonly #remembered: KnownCertificate | undefined
  #shown: KnownCertificate | undefined
  #identity: PeerIdentity | undefined

  /**
   * @param remembered what the peer showed when the offered session began: Node tells a client nothing of it when that is resumed (seen
   *   with Node 20 and 24)
   */
  constructor(
    socket: TLSSocket,
    settings: OpensslSettings,
    { psk, remembered }: { readonly psk: PskExchange | undefined; readonly remembered: KnownCertificate | undefined },
  ) {
    this.#socket = socket
    this.#settings = settings
    this.#psk = psk
    this.#remembered = remembered
  }

  /** What the peer showed, now or when the session began. */
  get certificate(): X509Certificate | undefined {
    return this.#known?.certificate
  }

  get #known(): KnownCertificate | undefined {
    this.#shown ??= readCertificate(this.#socket)
    return this.#shown ?? (this.#socket.isSessionReused() ? this.#remembered : undefined)
  }

  /** Who the peer is, once it was found good. */
  get verdict(): PeerIdentity | undefined {
    return this.#identity
  }

  /** Looks at the certificate if there is one yet. @returns why the peer is refused */
  look(): SzmqError | undefined {
    if (this.#identity !== undefined) return undefined
    try {
      const known = this.#known
      return known === undefined ? undefined : this.#judgeCertificate(known)
    } catch (cause) {
      // A peer chose these bytes, and nobody above would catch the exception: it would end the process.
      const text = `the peer's certificate cannot be judged: ${messageOf(cause)}`
      return new SzmqError('ERR_SZMQ_CERTIFICATE_INVALID', text, { cause })
    }
  }

  /** The handshake is done and no certificate was shown: what else proves the peer? */
  conclude(isPskAccepted: boolean): PeerIdentity | SzmqError {
    const user = this.#psk?.provenIdentity(isPskAccepted || this.#socket.getCipher().name.includes('PSK'))
    const { role, clientCertificate } = this.#settings
    if (user !== undefined) return this.#admit({ verifiedBy: 'psk', subject: user, names: [] })
    if (role === 'server' && clientCertificate !== 'required') return this.#admit(ANONYMOUS)
    return toCertificateError('no certificate was shown', undefined, new Date())
  }

  /** What lies behind an error of OpenSSL's, if a pre-shared key does: ours, or the one of a ticket, which OpenSSL does not tell apart. */
  explain(error: SzmqError): SzmqError {
    if (this.#psk === undefined && error.code === 'ERR_SZMQ_WRONG_PASSWORD') {
      return new SzmqError('ERR_SZMQ_BAD_RECORD', "the client's hello was damaged or forged: its ticket is not its own", {
        cause: error,
      })
    }
    return this.#psk?.explain(error, this.#settings.role) ?? error
  }

  #judgeCertificate(known: KnownCertificate): SzmqError | undefined {
    const { certificate } = known
    const now = new Date()
    const reason = readVerdict(this.#socket) ?? findDateProblem(certificate, now)
    if (reason !== undefined) return toCertificateError(reason, certificate, now)
    const { serverName, role } = this.#settings
    if (role === 'client' && serverName !== undefined && !carriesName(certificate, serverName)) {
      return toWrongNameError(certificate, serverName)
    }
    const admitted = this.#admit(known.identity)
    if (admitted instanceof SzmqError) return admitted
    keepCertificate(known)
    return undefined
  }

  #admit(identity: PeerIdentity): PeerIdentity | SzmqError {
    const refusal = findRefusal(identity, this.#settings.authorize)
    if (refusal === undefined) this.#identity = identity
    return refusal ?? identity
  }
}

/** The bytes only: `getPeerX509Certificate()` answers a client once (seen with Node 20.20), and parses the chain behind it anew each time. */
function readCertificate(socket: TLSSocket): KnownCertificate | undefined {
  const shown: { readonly raw?: Buffer } | null = TLSSocket.prototype.getPeerCertificate.call(socket, false)
  return shown?.raw === undefined ? undefined : knowCertificate(shown.raw)
}

/**
 * OpenSSL's verdict on the peer's chain, such as `CERT_HAS_EXPIRED`; undefined if it is good. Node tells it of a server-side socket by this
 * internal function only. Where that is gone, nobody gets in.
 */
function readVerdict(socket: TLSSocket): string | undefined {
  const handle: unknown = '_handle' in socket ? socket._handle : undefined
  if (typeof handle !== 'object' || handle === null || !('verifyError' in handle) || typeof handle.verifyError !== 'function') {
    return 'unknown: this version of Node does not tell the verdict on a certificate'
  }
  const verdict: unknown = handle.verifyError()
  if (verdict === null || verdict === undefined) return undefined
  return verdict instanceof Error && 'code' in verdict ? String(verdict.code) : messageOf(verdict)
}
