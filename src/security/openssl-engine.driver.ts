import { Duplex } from 'node:stream'
import { connect, TLSSocket, type CipherNameAndProtocol } from 'node:tls'
import { messageOf, SzmqError } from '../shared/errors.ts'
import { ALERT, encodeFatalAlert, sealFatalAlert, type AlertCode } from './records/alert.codec.ts'
import { HandshakeWatch } from './records/handshake-watch.ts'
import type { PeerIdentity } from './identity.ts'
import { ignoreRejection } from './ignore-rejection.ts'
import type { OpensslDatabase } from './openssl/database.driver.ts'
import { toTlsError } from './openssl/errors.ts'
import { OpensslJudge } from './openssl/judge.driver.ts'
import { resolveOpensslSettings, type OpensslEngineOptions, type OpensslSettings } from './openssl/settings.driver.ts'
import type { TicketHandshake } from './openssl/ticket-keys.driver.ts'
import { isAddress } from './credentials/peer-certificate.ts'
import { PskExchange } from './credentials/psk-exchange.ts'
import { byteAt, CONTENT_TYPE, RECORD_HEADER_BYTES, uint16At } from './records/record.codec.ts'
import { requireExportLength, type TlsEngine, type TlsEngineFactory, type TlsFacts, type TlsListener } from './tls-engine.ts'

export type { OpensslEngineOptions } from './openssl/settings.driver.ts'

/** Plaintext that an engine holds before {@link TlsEngine.send} says false. */
export const HIGH_WATER_MARK_BYTES = 256 * 1024

/** A server may send tickets as long as it likes; whoever looks at each of 5 MB of them does nothing else for 4 seconds. */
const MAX_SESSIONS_PER_CONNECTION = 8

/** What a client may send before the server's first word: its ClientHello, for which OpenSSL has the same limit, and then nothing. */
export const MAX_UNANSWERED_BYTES = 128 * 1024

/**
 * TLS by `node:tls` over a Duplex in memory. Each side verifies the other before it sends its own last flight, so a client shows its
 * certificate to verified servers only. The rejected peer gets a fatal alert.
 *
 * The peer's close_notify is answered at once, behind everything sent so far. Handshake deadlines belong to the caller.
 *
 * @throws ERR_SZMQ_BAD_CREDENTIALS if OpenSSL refuses the credentials, ERR_SZMQ_INVALID_ARGUMENT for other options that it refuses and for
 *   credentials that only the gnutls engine can use.
 */
export function createOpensslEngineFactory(options: OpensslEngineOptions): TlsEngineFactory {
  const settings = resolveOpensslSettings(options)
  return (listener) => new OpensslEngine(settings, listener)
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
  readonly #settings: OpensslSettings
  readonly #listener: TlsListener
  #phase: Phase = 'new'
  /** The wire as OpenSSL sees it: what is pushed was received, what is written goes to the listener. */
  #wire: Duplex | undefined
  #socket: TLSSocket | undefined
  /** Only while handshaking. */
  #watch: HandshakeWatch | undefined = new HandshakeWatch()
  /** The TLS 1.3 secret of our own direction, only while handshaking: to tell the peer why it is refused. */
  #alertSecret: Buffer | undefined
  #judge: OpensslJudge | undefined
  /** Flights that OpenSSL has produced and that wait for our verdict on the peer. */
  #held: Buffer[] = []
  #ticketHandshake: TicketHandshake | undefined
  #database: OpensslDatabase | undefined
  /** Of a client that was not answered yet. */
  #unansweredBytes = 0
  #sessionsSeen = 0
  /** Came before the peer was verified. */
  #earlySession: Buffer | undefined
  #hasSpoken = false
  #hasOpened = false
  #isCorked = false

  constructor(settings: OpensslSettings, listener: TlsListener) {
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
    const psk = this.#settings.psk === undefined ? undefined : new PskExchange(this.#settings.psk)
    const offered = this.#settings.sessions?.take()
    this.#database = this.#settings.openDatabase?.((read) => {
      this.#serveTickets(read)
    })
    const socket =
      this.#settings.role === 'client'
        ? connectOver(wire, this.#settings, psk, offered?.session)
        : acceptOver(wire, this.#settings, { psk, database: this.#database })
    this.#socket = socket
    this.#judge = new OpensslJudge(socket, this.#settings, { psk, remembered: offered?.known })
    this.#keepSessions(socket)
    socket.on('keylog', (line: Buffer) => {
      this.#keepAlertSecret(line.toString('latin1'))
      this.#logKeys(line.toString('latin1').trimEnd())
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
    this.#followReading(wire, socket)
    wire.on('error', () => {})
  }

  receive(ciphertext: Uint8Array): void {
    if (this.#phase === 'failing' || this.#phase === 'dead' || this.#wire === undefined || ciphertext.length === 0) return
    this.#nameMessages('received', ciphertext)
    if (this.#isDead() || !this.#requireShortHello(ciphertext.length)) return
    this.#wire.push(ciphertext)
  }

  /** While a database is asked nobody reads, and whatever a client sends is held. */
  #requireShortHello(bytes: number): boolean {
    if (this.#hasSpoken || this.#settings.role === 'client') return true
    this.#unansweredBytes += bytes
    if (this.#unansweredBytes <= MAX_UNANSWERED_BYTES) return true
    const text = `the client sent ${this.#unansweredBytes} bytes before it was answered, ${MAX_UNANSWERED_BYTES} are allowed: this is no ClientHello`
    this.#fail(new SzmqError('ERR_SZMQ_LIMIT_EXCEEDED', text))
    return false
  }

  send(plaintext: Uint8Array): boolean {
    const socket = this.#socket
    // The caller cannot know yet: `failed` is about to tell.
    if (this.#phase === 'failing' && this.#judge?.verdict !== undefined) return false
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
    if (this.#socket === undefined || this.#socket.destroyed || !isSpeaking(this.#phase))
      throw invalidState(`keying material is there between "secure" and the end, not in phase "${this.#phase}"`)
    const exporter: KeyingMaterialExporter = this.#socket
    try {
      return exporter.exportKeyingMaterial(length, label, context === undefined ? undefined : Buffer.from(context))
    } catch (cause) {
      const text = `OpenSSL exports no keying material under this label and context: ${messageOf(cause)}`
      throw new SzmqError('ERR_SZMQ_INVALID_ARGUMENT', text, { cause })
    }
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
    const mayPass =
      this.#judge?.verdict !== undefined || isAlertRecord(bytes) || (this.#phase === 'handshaking' && !this.#hasSpoken)
    this.#hasSpoken = true
    if (mayPass) this.#handOut(bytes)
    else if (this.#phase === 'handshaking') {
      if (this.#held.push(bytes) > 1) return
      setImmediate(() => {
        if (this.#phase !== 'handshaking') return
        if (!this.#mustVerifyFirst() || this.#verifyPeer()) this.#handOutHeld()
      })
    }
  }

  /**
   * A client is about to show its certificate. In a resumed handshake it shows none, and a server's turn is not the last one yet: there the
   * peer named in a session may still be somebody else, who repeats a hello that was recorded.
   */
  #mustVerifyFirst(): boolean {
    return this.#settings.role === 'client' && this.#socket?.isSessionReused() !== true
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
    const judge = this.#judge
    const verdict = judge?.verdict ?? judge?.conclude(this.#watch?.isPskAccepted === true)
    if (verdict === undefined || verdict instanceof SzmqError) {
      this.#refuse(verdict ?? invalidState('the handshake ended without a judge'))
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
    this.#hasOpened = true
    const facts = readFacts(socket, verdict, this.#watch)
    this.#alertSecret = undefined
    this.#watch = undefined
    this.#rememberEarlySession(socket)
    // The other versions resume by tickets only.
    if (facts.version === 'TLSv1.2') this.#database?.keep()
    this.#listener({ kind: 'secure', facts })
    if (this.#isDead()) return
    socket.on('data', (bytes: Buffer) => {
      if (!this.#isDead()) this.#listener({ kind: 'plaintext', bytes })
    })
  }

  /** @returns false if the peer was refused. True also while it has shown no certificate yet. */
  #verifyPeer(): boolean {
    const problem = this.#judge?.look()
    if (problem !== undefined) this.#refuse(problem)
    return problem === undefined
  }

  /** A session of a peer that was not verified yet is worth nothing: in TLS 1.2 it comes first. */
  #keepSessions(socket: TLSSocket): void {
    const { sessions } = this.#settings
    if (sessions === undefined) return
    socket.on('session', (session: Buffer) => {
      if (isSpeaking(this.#phase)) this.#remember(socket, session)
      else if (this.#phase === 'handshaking') this.#earlySession = session
    })
  }

  #rememberEarlySession(socket: TLSSocket): void {
    if (this.#earlySession === undefined) return
    this.#remember(socket, this.#earlySession)
    this.#earlySession = undefined
  }

  #remember(socket: TLSSocket, session: Buffer): void {
    if (this.#sessionsSeen >= MAX_SESSIONS_PER_CONNECTION) return
    this.#sessionsSeen += 1
    const certificate = this.#judge?.certificate
    if (certificate !== undefined) this.#settings.sessions?.remember(socket.getProtocol(), certificate, session)
  }

  /** Our own verdict, of which OpenSSL knows nothing: its held flight is thrown away and an alert goes out in its place. */
  #refuse(error: SzmqError): void {
    // `authorize` may have called destroy().
    if (this.#phase === 'dead') return
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

  #logKeys(line: string): void {
    try {
      ignoreRejection(this.#settings.insecureKeyLog?.(line))
    } catch {
      // OpenSSL is above us on the stack: nobody else would catch it.
    }
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
    const isHandshake = this.#phase === 'handshaking'
    const seen = toTlsError(cause, isHandshake ? 'handshake' : 'session')
    const error = isHandshake ? (this.#judge?.explain(seen) ?? seen) : seen
    this.#phase = 'failing'
    afterWrites(() => {
      this.#fail(error)
    })
  }

  /** Between our two listeners is Node's, in which OpenSSL reads. */
  #followReading(wire: Duplex, socket: TLSSocket): void {
    const { tickets } = this.#settings
    if (tickets === undefined) return
    this.#ticketHandshake = { isResumed: () => socket.isSessionReused(), provenAt: undefined }
    let before: TicketHandshake | undefined
    wire.prependListener('data', () => {
      before = tickets.serve(this.#ticketHandshake)
    })
    wire.on('data', () => {
      tickets.serve(before)
    })
  }

  #serveTickets(read: () => void): void {
    const before = this.#settings.tickets?.serve(this.#ticketHandshake)
    read()
    this.#settings.tickets?.serve(before)
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
    // Whatever was wrong: what made this handshake may have been an old session.
    if (!this.#hasOpened) this.#settings.sessions?.forget()
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
  ERR_SZMQ_NOT_AUTHORIZED: ALERT.accessDenied,
  ERR_SZMQ_PROTOCOL_MISMATCH: ALERT.noApplicationProtocol,
}

function connectOver(
  wire: Duplex,
  settings: OpensslSettings,
  psk: PskExchange | undefined,
  session: Buffer | undefined,
): TLSSocket {
  const { secureContext, serverName, alpn } = settings
  const isHostName = serverName !== undefined && !isAddress(serverName) && !serverName.includes(':')
  const options = {
    socket: wire,
    secureContext,
    ...(isHostName ? { servername: serverName } : {}),
    ...(alpn === undefined ? {} : { ALPNProtocols: [alpn] }),
    ...(session === undefined ? {} : { session }),
    ...(psk === undefined ? {} : { pskCallback: () => psk.asClient() }),
    highWaterMark: HIGH_WATER_MARK_BYTES,
    // Verified here, not by Node: with an error of our own, before the client's certificate goes out.
    rejectUnauthorized: false,
    checkServerIdentity: () => undefined,
  }
  // Node reads the server's whole chain for the check above. Nobody else asks this socket in this way.
  return Object.assign(connect(options), { getPeerCertificate: () => ({}) })
}

function acceptOver(
  wire: Duplex,
  settings: OpensslSettings,
  { psk, database }: { readonly psk: PskExchange | undefined; readonly database: OpensslDatabase | undefined },
): TLSSocket {
  const { secureContext, alpn, clientCertificate } = settings
  const options = {
    isServer: true,
    secureContext,
    ...(alpn === undefined ? {} : { ALPNProtocols: [alpn] }),
    ...(database === undefined ? {} : { server: database.server }),
    ...(psk === undefined
      ? {}
      : {
          pskCallback: (_socket: TLSSocket, identity: string) => psk.asServer(identity),
          ...(settings.psk?.hint === undefined ? {} : { pskIdentityHint: settings.psk.hint }),
        }),
    highWaterMark: HIGH_WATER_MARK_BYTES,
    requestCert: clientCertificate !== 'none',
    // Makes OpenSSL insist on a certificate. What it says is verified here.
    rejectUnauthorized: clientCertificate === 'required',
  }
  return new TLSSocket(wire, options)
}

function readFacts(socket: TLSSocket, peer: PeerIdentity, watch: HandshakeWatch | undefined): TlsFacts {
  const { standardName, name } = socket.getCipher()
  return {
    engine: 'openssl',
    version: socket.getProtocol() ?? 'unknown',
    cipherSuite: standardName,
    group: watch?.groupFor(name) ?? readEphemeralGroup(socket) ?? 'unknown',
    alpn: typeof socket.alpnProtocol === 'string' ? socket.alpnProtocol : undefined,
    // OpenSSL calls a TLS 1.3 handshake by an external pre-shared key a resumed one.
    isResumed: socket.isSessionReused() && peer.verifiedBy !== 'psk',
    peer,
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
