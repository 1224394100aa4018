import type { Duplex } from 'node:stream'
import type { CipherNameAndProtocol, TLSSocket } from 'node:tls'
import { messageOf, SzmqError } from '../shared/errors.ts'
import { PskExchange } from './credentials/psk-exchange.ts'
import { ignoreRejection } from './ignore-rejection.ts'
import type { OpensslDatabase } from './openssl/database.driver.ts'
import { toTlsError } from './openssl/errors.ts'
import { readFacts } from './openssl/facts.driver.ts'
import { OpensslJudge } from './openssl/judge.driver.ts'
import { RefusalAlert, type HandshakeProgress } from './openssl/refusal-alert.ts'
import { ReceivedSessions, takeSession } from './openssl/sessions.ts'
import { resolveOpensslSettings, type OpensslEngineOptions, type OpensslSettings } from './openssl/settings.driver.ts'
import { acceptOver, connectOver, createWire } from './openssl/sockets.driver.ts'
import { TicketTurns } from './openssl/ticket-turns.ts'
import { HandshakeWatch } from './records/handshake-watch.ts'
import { byteAt, CONTENT_TYPE, RECORD_HEADER_BYTES, uint16At } from './records/record.codec.ts'
import { requireExportLength, type TlsEngine, type TlsEngineFactory, type TlsListener } from './tls-engine.ts'

export type { OpensslEngineOptions } from './openssl/settings.driver.ts'

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
  readonly #refusalAlert: RefusalAlert
  #judge: OpensslJudge | undefined
  /** Flights that OpenSSL has produced and that wait for our verdict on the peer. */
  #held: Buffer[] = []
  #ticketTurns: TicketTurns | undefined
  #database: OpensslDatabase | undefined
  /** Of a client that was not answered yet. */
  #unansweredBytes = 0
  readonly #received: ReceivedSessions | undefined
  #hasSpoken = false
  #hasOpened = false
  #isCorked = false

  constructor(settings: OpensslSettings, listener: TlsListener) {
    this.#settings = settings
    this.#listener = listener
    this.#refusalAlert = new RefusalAlert(settings.role)
    this.#received = settings.sessions === undefined ? undefined : new ReceivedSessions(settings.sessions)
  }

  start(): void {
    if (this.#phase === 'dead') return
    if (this.#phase !== 'new') throw invalidState('start() was called twice: make a new engine for each handshake')
    this.#phase = 'handshaking'
    const wire = createWire((bytes) => {
      this.#emitCiphertext(bytes)
    })
    this.#wire = wire
    const psk = this.#settings.psk === undefined ? undefined : new PskExchange(this.#settings.psk)
    const offered = takeSession(this.#settings.sessions)
    this.#database = this.#settings.openDatabase?.((read) => {
      if (this.#ticketTurns === undefined) read()
      else this.#ticketTurns.during(read)
    })
    const socket =
      this.#settings.role === 'client'
        ? connectOver(wire, this.#settings, psk, offered?.session)
        : acceptOver(wire, this.#settings, { psk, database: this.#database })
    this.#socket = socket
    this.#judge = new OpensslJudge(socket, this.#settings, { psk, remembered: offered?.known })
    this.#keepSessions(socket)
    socket.on('keylog', (line: Buffer) => {
      if (this.#phase === 'handshaking') this.#refusalAlert.learn(line.toString('latin1'))
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
    const { tickets } = this.#settings
    if (tickets !== undefined) this.#ticketTurns = new TicketTurns(tickets, () => socket.isSessionReused())
    this.#ticketTurns?.follow(wire)
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
    this.#refusalAlert.forget()
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
    this.#refusalAlert.forget()
    this.#watch = undefined
    this.#received?.keepHeld(socket.getProtocol(), this.#judge?.certificate)
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

  #keepSessions(socket: TLSSocket): void {
    const received = this.#received
    if (received === undefined) return
    socket.on('session', (session: Buffer) => {
      if (isSpeaking(this.#phase)) received.keep(session, socket.getProtocol(), this.#judge?.certificate)
      else if (this.#phase === 'handshaking') received.hold(session)
    })
  }

  /** Our own verdict, of which OpenSSL knows nothing: its held flight is thrown away and an alert goes out in its place. */
  #refuse(error: SzmqError): void {
    // `authorize` may have called destroy().
    if (this.#phase === 'dead') return
    const alert = this.#socket && this.#refusalAlert.encode(error.code, this.#progressOf(this.#socket))
    if (alert !== undefined) this.#listener({ kind: 'ciphertext', bytes: alert })
    this.#fail(error)
  }

  #progressOf(socket: TLSSocket): HandshakeProgress {
    // None, in spite of its type, in front of the ServerHello.
    const cipher: CipherNameAndProtocol | undefined = socket.getCipher()
    const isCipherChanged = this.#watch?.hasSentChangeCipherSpec === true
    return { version: socket.getProtocol(), cipherSuite: cipher?.standardName, isCipherChanged }
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
    this.#refusalAlert.forget()
    this.#held = []
    // Not now: OpenSSL may be above us on the stack.
    setImmediate(() => {
      this.#socket?.destroy()
      this.#wire?.destroy()
    })
    this.#listener({ kind: 'failed', error })
  }
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
