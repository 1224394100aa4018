import { constants, X509Certificate } from 'node:crypto'
import { Duplex } from 'node:stream'
import {
  connect,
  createSecureContext,
  TLSSocket,
  type CipherNameAndProtocol,
  type SecureContext,
  type SecureVersion,
} from 'node:tls'
import { messageOf, SzmqError } from '../shared/errors.ts'
import { ALERT, encodeFatalAlert, sealFatalAlert, type AlertCode } from './alert.codec.ts'
import type { X509Credentials } from './x509-credentials.ts'
import { HandshakeWatch } from './handshake-watch.ts'
import { toTlsError } from './openssl-errors.ts'
import {
  carriesName,
  findDateProblem,
  isAddress,
  toCertificateError,
  toPeerIdentity,
  toWrongNameError,
} from './peer-certificate.ts'
import { byteAt, CONTENT_TYPE, RECORD_HEADER_BYTES, uint16At } from './record.codec.ts'
import { requireExportLength, type TlsEngine, type TlsEngineFactory, type TlsFacts, type TlsListener } from './tls-engine.ts'

/** Plaintext that an engine holds before {@link TlsEngine.send} says false. */
export const HIGH_WATER_MARK_BYTES = 256 * 1024

/** Forward secrecy and authenticated encryption only: the three of TLS 1.3, and ECDHE with AES-GCM or ChaCha20 in TLS 1.2. */
const DEFAULT_CIPHERS = 'TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256:ECDHE+AESGCM:ECDHE+CHACHA20'

export interface OpensslEngineOptions {
  readonly role: 'client' | 'server'
  readonly credentials: X509Credentials
  /**
   * For clients: the DNS name, IP address or URI that the server's certificate must carry as subject alternative name. A DNS name is
   * also told to the server (SNI). Without it any peer that our CA vouches for is accepted, and `facts.peer` says who it is.
   */
  readonly serverName?: string | undefined
  /** Default: `TLSv1.2`. */
  readonly minVersion?: 'TLSv1.2' | 'TLSv1.3' | undefined
  /** Default: `TLSv1.3`. */
  readonly maxVersion?: 'TLSv1.2' | 'TLSv1.3' | undefined
  /** The application protocol. If given, a peer that does not agree to it is refused. */
  readonly alpn?: string | undefined
  /** OpenSSL cipher list. Default: authenticated encryption with forward secrecy. */
  readonly ciphers?: string | undefined
  /** OpenSSL group list, such as `X25519:P-256`. Default: OpenSSL's. */
  readonly groups?: string | undefined
}

/**
 * TLS by `node:tls` over a Duplex in memory. Authentication is mutual: each side verifies the other's certificate before it sends its
 * own last flight, so a client shows its certificate to verified servers only. The rejected peer gets a fatal alert.
 *
 * The peer's close_notify is answered at once, behind everything sent so far. Handshake deadlines belong to the caller.
 *
 * @throws ERR_SZMQ_BAD_CREDENTIALS if OpenSSL refuses the credentials, ERR_SZMQ_INVALID_ARGUMENT for other options that it refuses.
 */
export function createOpensslEngineFactory(options: OpensslEngineOptions): TlsEngineFactory {
  requireName(options.serverName)
  const settings: Settings = { ...options, secureContext: buildContext(options) }
  return (listener) => new OpensslEngine(settings, listener)
}

interface Settings extends OpensslEngineOptions {
  readonly secureContext: SecureContext
}

function buildContext(options: OpensslEngineOptions): SecureContext {
  const { credentials, minVersion = 'TLSv1.2', maxVersion = 'TLSv1.3', ciphers = DEFAULT_CIPHERS, groups } = options
  requireVersions(minVersion, maxVersion)
  try {
    return createSecureContext({
      ca: credentials.trust.caPem,
      cert: credentials.certificatePem,
      key: credentials.revealPrivateKeyPem(),
      ...(credentials.trust.crlPem === undefined ? {} : { crl: credentials.trust.crlPem }),
      minVersion,
      maxVersion,
      ciphers,
      ...(groups === undefined ? {} : { ecdhCurve: groups }),
      // Without a context of its own OpenSSL refuses to resume a session in which the client showed a certificate.
      sessionIdContext: 'szmq',
      secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
    })
  } catch (cause) {
    const text = `OpenSSL refuses to work with these options: ${messageOf(cause)}`
    const isOption = /cipher|curve|group|ECDH/i.test(messageOf(cause))
    throw new SzmqError(isOption ? 'ERR_SZMQ_INVALID_ARGUMENT' : 'ERR_SZMQ_BAD_CREDENTIALS', text, { cause })
  }
}

function requireName(serverName: string | undefined): void {
  if (serverName === undefined || /^[\x21-\x7e]{1,2048}$/.test(serverName)) return
  const text = `serverName ${JSON.stringify(serverName)} is no DNS name, IP address or URI: write international names in ASCII (xn--…)`
  throw new SzmqError('ERR_SZMQ_INVALID_ARGUMENT', text)
}

function requireVersions(minVersion: SecureVersion, maxVersion: SecureVersion): void {
  if (minVersion <= maxVersion) return
  throw new SzmqError('ERR_SZMQ_INVALID_ARGUMENT', `minVersion ${minVersion} is above maxVersion ${maxVersion}: swap them`)
}

/**
 * - `new`: made, not started.
 * - `handshaking`: all ciphertext is looked at; nothing of the peer is delivered.
 * - `open`: the peer is verified.
 * - `closing`: our close_notify waits behind what was sent; the peer may still send.
 * - `closed`: our close_notify was handed out; the peer may still send.
 * - `failing`: OpenSSL gave up; its alert may still leave.
 * - `dead`: nothing is heard or said any more.
 */
type Phase = 'new' | 'handshaking' | 'open' | 'closing' | 'closed' | 'failing' | 'dead'

class OpensslEngine implements TlsEngine {
  readonly name = 'openssl'
  readonly #settings: Settings
  readonly #listener: TlsListener
  #phase: Phase = 'new'
  /** The wire as OpenSSL sees it: what is pushed was received, what is written goes to the listener. */
  #wire: Duplex | undefined
  #socket: TLSSocket | undefined
  /** Only while handshaking. */
  #watch: HandshakeWatch | undefined = new HandshakeWatch()
  /** The TLS 1.3 secret of our own direction, only while handshaking: to tell the peer why it is refused. */
  #alertSecret: Buffer | undefined
  /** What the peer showed, once it did. */
  #certificate: X509Certificate | undefined
  #isPeerVerified = false
  /** Flights that OpenSSL has produced and that wait for our verdict on the peer. */
  #held: Buffer[] = []
  #hasSpoken = false
  #isCorked = false

  constructor(settings: Settings, listener: TlsListener) {
    this.#settings = settings
    this.#listener = listener
  }

  start(): void {
    if (this.#phase === 'dead') return
    if (this.#phase !== 'new') throw invalidState('start() was called twice: make a new engine for each handshake')
    this.#phase = 'handshaking'
    const wire = new Duplex({
      // Inherited by the TLS socket. If true, the peer's close_notify would never be answered.
      allowHalfOpen: false,
      read: () => {},
      write: (chunk: Buffer, _encoding, done) => {
        this.#emitCiphertext(chunk)
        done()
      },
      writev: (chunks, done) => {
        this.#emitCiphertext(Buffer.concat(chunks.map(({ chunk }) => chunk as Buffer)))
        done()
      },
    })
    this.#wire = wire
    const socket = this.#settings.role === 'client' ? connectOver(wire, this.#settings) : acceptOver(wire, this.#settings)
    this.#socket = socket
    socket.on('keylog', (line: Buffer) => {
      this.#keepAlertSecret(line.toString('latin1'))
    })
    socket.on('secure', () => {
      this.#onHandshakeDone(socket)
    })
    // `_tlsError`: where Node reports the errors of a server-side socket that has no tls.Server.
    for (const event of ['error', '_tlsError']) {
      socket.on(event, (error: Error) => {
        this.#onOpensslError(error)
      })
    }
    socket.on('end', () => {
      this.#onPeerClose()
    })
    socket.on('finish', () => {
      this.#onCloseSent()
    })
    socket.on('drain', () => {
      if (this.#phase === 'open') this.#listener({ kind: 'drain' })
    })
    this.#delayDestruction(socket)
    wire.on('error', () => {})
  }

  receive(ciphertext: Uint8Array): void {
    if (this.#phase === 'failing' || this.#phase === 'dead' || this.#wire === undefined || ciphertext.length === 0) return
    this.#nameMessages('received', ciphertext)
    if (this.#isDead()) return
    this.#wire.push(ciphertext)
  }

  send(plaintext: Uint8Array): boolean {
    const socket = this.#socket
    // The caller cannot know yet: `failed` is about to tell.
    if (this.#phase === 'failing' && this.#isPeerVerified) return false
    if (this.#phase !== 'open' || socket === undefined)
      throw invalidState(`send() in phase "${this.#phase}": wait for "secure"`)
    if (socket.writableEnded) throw invalidState('send() after the peer closed: it reads no more')
    if (!this.#isCorked) {
      this.#isCorked = true
      socket.cork()
      process.nextTick(() => {
        this.#isCorked = false
        socket.uncork()
      })
    }
    return socket.write(plaintext)
  }

  exportKeyingMaterial(label: string, length: number, context?: Uint8Array): Uint8Array {
    requireExportLength(length)
    if (this.#socket === undefined || !isSpeaking(this.#phase))
      throw invalidState(`keying material is there between "secure" and the end, not in phase "${this.#phase}"`)
    const exporter: KeyingMaterialExporter = this.#socket
    return exporter.exportKeyingMaterial(length, label, context === undefined ? undefined : Buffer.from(context))
  }

  /** Node has no call for OpenSSL's KeyUpdate. */
  rekey(): boolean {
    return false
  }

  close(): void {
    if (this.#phase !== 'open') {
      if (this.#phase === 'new' || this.#phase === 'handshaking') this.destroy()
      return
    }
    this.#phase = 'closing'
    // Node has already ended the socket if the peer's close_notify came first.
    if (this.#socket?.writableFinished === true) {
      setImmediate(() => {
        this.#onCloseSent()
      })
    } else this.#socket?.end()
  }

  destroy(): void {
    if (this.#phase === 'dead') return
    this.#phase = 'dead'
    this.#watch = undefined
    this.#alertSecret = undefined
    this.#held = []
    this.#socket?.destroy()
    this.#wire?.destroy()
  }

  /** In a function of its own, because a listener may have called destroy() meanwhile, which the compiler cannot see. */
  #isDead(): boolean {
    return this.#phase === 'dead'
  }

  /**
   * What OpenSSL wants to send. In front of the peer's verification only the first flight, which cannot depend on the peer's certificate,
   * and alerts pass at once. The rest is held until the turn is over: OpenSSL is above us on the stack, perhaps in the middle of giving up,
   * and Node's certificate functions end the process when they are asked about a half-read certificate (seen with Node 20.20).
   */
  #emitCiphertext(bytes: Buffer): void {
    const mayPass = this.#isPeerVerified || isAlertRecord(bytes) || (this.#phase === 'handshaking' && !this.#hasSpoken)
    this.#hasSpoken = true
    if (mayPass) this.#handOut(bytes)
    else if (this.#phase === 'handshaking') {
      if (this.#held.push(bytes) > 1) return
      setImmediate(() => {
        if (this.#phase === 'handshaking' && this.#verifyPeer()) this.#handOutHeld()
      })
    }
  }

  #handOutHeld(): void {
    for (const bytes of this.#held.splice(0)) this.#handOut(bytes)
  }

  #handOut(bytes: Buffer): void {
    if (this.#phase === 'dead') return
    this.#nameMessages('sent', bytes)
    if (!this.#isDead()) this.#listener({ kind: 'ciphertext', bytes })
  }

  #nameMessages(direction: 'sent' | 'received', ciphertext: Uint8Array): void {
    for (const seen of this.#watch?.see(direction, ciphertext) ?? []) {
      if (this.#isDead()) return
      this.#listener({ kind: 'handshake.message', direction, ...seen })
    }
  }

  #onHandshakeDone(socket: TLSSocket): void {
    if (this.#phase !== 'handshaking' || !this.#verifyPeer()) return
    const certificate = this.#certificate
    if (certificate === undefined) {
      this.#fail(toCertificateError('no certificate was shown', undefined, new Date()))
      return
    }
    if (this.#settings.alpn !== undefined && socket.alpnProtocol !== this.#settings.alpn) {
      const seen = typeof socket.alpnProtocol === 'string' ? `"${socket.alpnProtocol}"` : 'none'
      const text = `the peer agrees to application protocol (ALPN) ${seen}, "${this.#settings.alpn}" was expected`
      this.#refuse(new SzmqError('ERR_SZMQ_PROTOCOL_MISMATCH', text))
      return
    }
    this.#handOutHeld()
    if (this.#isDead()) return
    this.#phase = 'open'
    const facts = readFacts(socket, certificate, this.#watch)
    this.#alertSecret = undefined
    this.#watch = undefined
    this.#listener({ kind: 'secure', facts })
    if (this.#isDead()) return
    socket.on('data', (bytes: Buffer) => {
      if (!this.#isDead()) this.#listener({ kind: 'plaintext', bytes })
    })
  }

  /** @returns false if the peer was refused. True also while it has shown no certificate yet. */
  #verifyPeer(): boolean {
    if (this.#isPeerVerified || this.#socket === undefined) return true
    const problem = this.#findPeerProblem(this.#socket)
    if (problem !== undefined) this.#refuse(problem)
    return problem === undefined
  }

  #findPeerProblem(socket: TLSSocket): SzmqError | undefined {
    try {
      this.#certificate ??= readCertificate(socket)
      const certificate = this.#certificate
      if (certificate === undefined) return undefined
      const now = new Date()
      const reason = readVerdict(socket) ?? findDateProblem(certificate, now)
      if (reason !== undefined) return toCertificateError(reason, certificate, now)
      const { serverName, role } = this.#settings
      if (role === 'client' && serverName !== undefined && !carriesName(certificate, serverName)) {
        return toWrongNameError(certificate, serverName)
      }
      this.#isPeerVerified = true
      return undefined
    } catch (cause) {
      // A peer chose these bytes, and nobody above would catch the exception: it would end the process.
      const text = `the peer's certificate cannot be judged: ${messageOf(cause)}`
      return new SzmqError('ERR_SZMQ_CERTIFICATE_INVALID', text, { cause })
    }
  }

  /** Our own verdict, of which OpenSSL knows nothing: its held flight is thrown away and an alert goes out in its place. */
  #refuse(error: SzmqError): void {
    const alert = this.#encodeAlert(ALERT_BY_CODE[error.code] ?? ALERT.badCertificate)
    if (alert !== undefined) this.#listener({ kind: 'ciphertext', bytes: alert })
    this.#fail(error)
  }

  #encodeAlert(code: AlertCode): Uint8Array | undefined {
    if (this.#socket?.getProtocol() !== 'TLSv1.3') {
      return this.#watch?.hasSentChangeCipherSpec === true ? undefined : encodeFatalAlert(code)
    }
    // None, in spite of its type, in front of the ServerHello.
    const cipher: CipherNameAndProtocol | undefined = this.#socket.getCipher()
    if (this.#alertSecret === undefined || cipher === undefined) return undefined
    return sealFatalAlert(code, cipher.standardName, this.#alertSecret)
  }

  /** The secret under which our next record is number 0: the client has sent nothing encrypted yet, the server all of its handshake. */
  #keepAlertSecret(line: string): void {
    const label = this.#settings.role === 'client' ? 'CLIENT_HANDSHAKE_TRAFFIC_SECRET' : 'SERVER_TRAFFIC_SECRET_0'
    const [seenLabel, , secret] = line.trim().split(' ')
    if (this.#phase === 'handshaking' && seenLabel === label && secret !== undefined)
      this.#alertSecret = Buffer.from(secret, 'hex')
  }

  #onCloseSent(): void {
    if (this.#phase !== 'closing') return
    this.#phase = 'closed'
    this.#listener({ kind: 'closeNotify.sent' })
  }

  #onPeerClose(): void {
    switch (this.#phase) {
      case 'open':
      case 'closing':
      case 'closed':
        this.#listener({ kind: 'peer.closeNotify' })
        return
      case 'handshaking':
        this.#fail(
          new SzmqError('ERR_SZMQ_HANDSHAKE_FAILED', 'the peer closed in the middle of the handshake: its own log tells why'),
        )
        return
      case 'new':
      case 'failing':
      case 'dead':
        return
    }
  }

  /** Fails once the alert is out, which may wait behind a write that is under way. */
  #onOpensslError(cause: Error): void {
    if (this.#phase === 'failing' || this.#phase === 'dead') return
    const error = toTlsError(cause, this.#phase === 'handshaking' ? 'handshake' : 'session')
    this.#phase = 'failing'
    afterWrites(() => {
      this.#fail(error)
    })
  }

  /** Before the handshake is done, Node destroys a socket that failed at once, and with it the alert that waits behind a write. */
  #delayDestruction(socket: TLSSocket): void {
    const destroyNow = socket._destroy.bind(socket)
    socket._destroy = (error, callback) => {
      if (error === null) {
        destroyNow(error, callback)
        return
      }
      this.#onOpensslError(error)
      afterWrites(() => {
        destroyNow(error, callback)
      })
    }
  }

  #fail(error: SzmqError): void {
    if (this.#phase === 'dead') return
    this.#phase = 'dead'
    this.#watch = undefined
    this.#alertSecret = undefined
    this.#held = []
    // Not now: OpenSSL may be above us on the stack.
    setImmediate(() => {
      this.#socket?.destroy()
      this.#wire?.destroy()
    })
    this.#listener({ kind: 'failed', error })
  }
}

const ALERT_BY_CODE: { readonly [code in SzmqError['code']]?: AlertCode } = {
  ERR_SZMQ_CERTIFICATE_EXPIRED: ALERT.certificateExpired,
  ERR_SZMQ_CERTIFICATE_NOT_YET_VALID: ALERT.badCertificate,
  ERR_SZMQ_CERTIFICATE_REVOKED: ALERT.certificateRevoked,
  ERR_SZMQ_UNKNOWN_CA: ALERT.unknownCa,
  ERR_SZMQ_WRONG_KEY_USAGE: ALERT.unsupportedCertificate,
  ERR_SZMQ_BAD_CREDENTIALS: ALERT.certificateUnknown,
  ERR_SZMQ_PROTOCOL_MISMATCH: ALERT.noApplicationProtocol,
}

function connectOver(wire: Duplex, { secureContext, serverName, alpn }: Settings): TLSSocket {
  const isHostName = serverName !== undefined && !isAddress(serverName) && !serverName.includes(':')
  const options = {
    socket: wire,
    secureContext,
    ...(isHostName ? { servername: serverName } : {}),
    ...(alpn === undefined ? {} : { ALPNProtocols: [alpn] }),
    highWaterMark: HIGH_WATER_MARK_BYTES,
    // Verified here, not by Node: with an error of our own, before the client's certificate goes out.
    rejectUnauthorized: false,
    checkServerIdentity: () => undefined,
  }
  return connect(options)
}

function acceptOver(wire: Duplex, { secureContext, alpn }: Settings): TLSSocket {
  const options = {
    isServer: true,
    secureContext,
    ...(alpn === undefined ? {} : { ALPNProtocols: [alpn] }),
    highWaterMark: HIGH_WATER_MARK_BYTES,
    requestCert: true,
    // Makes OpenSSL insist on a certificate. What it says is verified here.
    rejectUnauthorized: true,
  }
  return new TLSSocket(wire, options)
}

/** Not `getPeerX509Certificate()`: a client gets an answer from that only once (seen with Node 20.20). */
function readCertificate(socket: TLSSocket): X509Certificate | undefined {
  const shown: { readonly raw?: Buffer } | null = socket.getPeerCertificate()
  return shown?.raw === undefined ? undefined : new X509Certificate(shown.raw)
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

function readFacts(socket: TLSSocket, certificate: X509Certificate, watch: HandshakeWatch | undefined): TlsFacts {
  const { standardName, name } = socket.getCipher()
  return {
    engine: 'openssl',
    version: socket.getProtocol() ?? 'unknown',
    cipherSuite: standardName,
    group: watch?.groupFor(name) ?? readEphemeralGroup(socket) ?? 'unknown',
    alpn: typeof socket.alpnProtocol === 'string' ? socket.alpnProtocol : undefined,
    isResumed: socket.isSessionReused(),
    peer: toPeerIdentity(certificate),
  }
}

/** Only known at the client. */
function readEphemeralGroup(socket: TLSSocket): string | undefined {
  const info: object | null = socket.getEphemeralKeyInfo()
  return info !== null && 'name' in info && typeof info.name === 'string' ? info.name : undefined
}

/** Nothing but one alert, in plain text or encrypted: the one thing that OpenSSL writes while it gives up. */
function isAlertRecord(bytes: Buffer): boolean {
  const SEALED_ALERT_BYTES = 19
  if (bytes.length < RECORD_HEADER_BYTES || bytes.length !== RECORD_HEADER_BYTES + uint16At(bytes, 3)) return false
  const type = byteAt(bytes, 0)
  if (type === CONTENT_TYPE.alert) return true
  return type === CONTENT_TYPE.applicationData && bytes.length === RECORD_HEADER_BYTES + SEALED_ALERT_BYTES
}

/** A write over a Duplex counts as done in the next turn but one; what waited behind it leaves in that turn. */
function afterWrites(then: () => void): void {
  setImmediate(() => setImmediate(then))
}

/** Node takes no context as well as an empty one, though its types do not say so. */
interface KeyingMaterialExporter {
  exportKeyingMaterial(length: number, label: string, context?: Buffer): Buffer
}

function isSpeaking(phase: Phase): boolean {
  return phase === 'open' || phase === 'closing' || phase === 'closed'
}

function invalidState(text: string): SzmqError {
  return new SzmqError('ERR_SZMQ_INVALID_STATE', text)
}
