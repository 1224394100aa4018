import { equalBytes } from '../shared/bytes.ts'
import { SzmqError } from '../shared/errors.ts'
import { nameHandshake } from './records/handshake.codec.ts'
import { ignoreRejection } from './ignore-rejection.ts'
import { isAddress } from './credentials/peer-certificate.ts'
import { PskExchange } from './credentials/psk-exchange.ts'
import { CONTENT_TYPE, RecordSplitter } from './records/record.codec.ts'
import { requireExportLength, type TlsEngine, type TlsEngineFactory, type TlsEvent, type TlsListener } from './tls-engine.ts'
import type { CallbackSession } from './gnutls/callbacks.driver.ts'
import { make } from './gnutls/check.driver.ts'
import { ClientHelloReader } from './gnutls/client-hello-reader.ts'
import {
  ALERT,
  ALERT_LEVEL,
  ALPN_MANDATORY,
  CERT_REQUEST,
  E,
  HANDSHAKE,
  HANDSHAKE_ANY,
  HOOK_PRE,
  KU_PEER,
  NAME_DNS,
  PROTOCOL,
  SHUT_WR,
  SRP_UNKNOWN_USER,
  WIRE_VERSIONS,
} from './gnutls/constants.ts'
import { readOfferedVersions } from './gnutls/client-hello.ts'
import { readFacts } from './gnutls/facts.driver.ts'
import { toTlsError } from './gnutls/gnutls-errors.ts'
import { FORBIDDEN_FUNCTIONS, type GnutlsHandles } from './gnutls/handles.ts'
import { InputBuffer, OutputBuffer } from './gnutls/intermediate-buffer.ts'
import { giveDatum, lendDatum, readDatum, sizeOfDatum, takeDatum, takeOwnDatum, toDatum } from './gnutls/memory.driver.ts'
import { placeOfChangeCipherSpec } from './gnutls/message-order.ts'
import { GnutlsJudge } from './gnutls/peer.driver.ts'
import type { CArguments, CResult, Datum, Pointer } from './gnutls/prototype.ts'
import { requireStackRoom } from './gnutls/stack-room.ts'
import {
  listCredentials,
  resolveGnutlsSettings,
  type GnutlsEngineOptions,
  type GnutlsSettings,
} from './gnutls/settings.driver.ts'
import { findSrpGroup } from './gnutls/srp-verifier.driver.ts'

export type { GnutlsEngineOptions } from './gnutls/settings.driver.ts'
export type { GnutlsHandles } from './gnutls/handles.ts'
export { createSrpVerifier } from './gnutls/srp-verifier.driver.ts'

/** Plaintext that waits for the end of the turn before {@link TlsEngine.send} says false. */
export const HIGH_WATER_MARK_BYTES = 256 * 1024

/** An engine with GnuTLS behind it. */
export interface GnutlsTlsEngine extends TlsEngine {
  readonly name: 'gnutls'
  /** The live session itself. @throws ERR_SZMQ_INVALID_STATE after the end of the engine */
  readonly gnutls: GnutlsHandles
}

export type GnutlsEngineFactory = (listener: TlsListener) => GnutlsTlsEngine

/**
 * TLS by the system's libgnutls. Events come within the call that causes them; only what is sent leaves at the end of the turn. A client verifies its
 * server before it shows its certificate; a rejected peer gets a fatal alert.
 *
 * The peer's close_notify is answered at once, behind everything sent so far. Handshake deadlines belong to the caller. Without `destroy()` the
 * session is freed when nobody holds the engine any more; credentials are freed when the factory and its engines are gone.
 *
 * The library is found by its usual name, or by the path in the environment variable `SZMQ_GNUTLS_LIBRARY`.
 *
 * @throws ERR_SZMQ_ENGINE_UNAVAILABLE without libgnutls ≥ 3.6.13, with how to install it · ERR_SZMQ_BAD_CREDENTIALS if GnuTLS refuses the credentials ·
 *   ERR_SZMQ_INVALID_ARGUMENT for other options that it refuses, such as a bad priority string
 */
export function createGnutlsEngineFactory(options: GnutlsEngineOptions): TlsEngineFactory & GnutlsEngineFactory {
  const settings = resolveGnutlsSettings(options)
  return (listener) => new GnutlsEngine(settings, listener)
}

/** Is this one? Narrows the engine of a session: `if (isGnutlsEngine(session.engine)) session.engine.gnutls.call(…)`. */
export function isGnutlsEngine(engine: TlsEngine | undefined): engine is GnutlsTlsEngine {
  return engine instanceof GnutlsEngine
}

/**
 * - `new`: made, not started.
 * - `handshaking`: nothing of the peer is delivered.
 * - `open`: the peer is verified.
 * - `closed`: our close_notify is out; the peer may still send.
 * - `failing`: GnuTLS gave up; `failed` is about to be said.
 * - `dead`: nothing is heard or said any more.
 */
type Phase = 'new' | 'handshaking' | 'open' | 'closed' | 'failing' | 'dead'

class GnutlsEngine implements GnutlsTlsEngine, CallbackSession {
  readonly name = 'gnutls'
  readonly id: number
  readonly handle: Pointer
  readonly #settings: GnutlsSettings
  readonly #listener: TlsListener
  readonly #judge: GnutlsJudge
  readonly #psk: PskExchange | undefined
  readonly #input = new InputBuffer()
  readonly #output = new OutputBuffer()
  /** Only while handshaking. */
  readonly #records = new RecordSplitter()
  /** What is to be said once GnuTLS is not on the stack any more. */
  readonly #events: TlsEvent[] = []
  /** For `GnutlsThread.free`. */
  readonly #native: number
  #phase: Phase = 'new'
  #isFreed = false
  #isInCall = false
  #isDelivering = false
  /** Why we ended the handshake ourselves, from within. */
  #refusal: SzmqError | undefined
  #thrown: { readonly error: unknown } | undefined
  /** SRP: a user was named, by either side. */
  #srpUser: string | undefined
  /** Servers: what the client speaks, if it says so as TLS 1.3 does. */
  #offeredVersions: ReadonlySet<number> | undefined
  #pending: Uint8Array[] = []
  #pendingBytes = 0
  #isFlushDue = false
  #isHoldingBack = false
  #hasPeerClosed = false
  #hasSentClose = false
  #hasOpened = false
  /** Clients: a NewSessionTicket is being read. */
  #hasTicket = false
  /** Servers with a database: what the client came with, and what was found of it. */
  #hello: ClientHelloReader | undefined
  #isLookingUp = false
  #found: KeptSession | undefined
  #fresh: KeptSession | undefined

  constructor(settings: GnutlsSettings, listener: TlsListener) {
    const { thread, natives, flags, proofs } = settings
    this.#settings = settings
    this.#listener = listener
    const { library } = thread
    const handle = make(library, 'a session', (box) => library.fn.gnutls_init(box, flags))
    this.handle = handle
    this.id = thread.nextId()
    this.#native = thread.freeWith(this, [
      () => {
        library.fn.gnutls_deinit(handle)
      },
      // Not before: the session stands on these.
      () => void natives,
    ])
    this.#judge = new GnutlsJudge(settings, handle)
    this.#psk = proofs.psk === undefined ? undefined : new PskExchange(proofs.psk)
    if (settings.role === 'client') this.#psk?.asClient()
    this.#srpUser = proofs.srp?.username
    this.#configure()
  }

  get gnutls(): GnutlsHandles {
    if (this.#isFreed) throw invalidState('the GnuTLS session was freed with its engine')
    const { certificate, psk, srp, anonymous, priority, dhParameters } = this.#settings.natives
    return {
      session: this.handle,
      certificateCredentials: certificate,
      pskCredentials: psk,
      srpCredentials: srp,
      anonymousCredentials: anonymous,
      priority,
      dhParameters,
      call: (prototype, ...args) => this.#callAny(prototype, args),
    }
  }

  start(): void {
    requireStackRoom()
    if (this.#phase === 'dead') return
    if (this.#phase !== 'new') throw invalidState('start() was called twice: make a new engine for each handshake')
    this.#phase = 'handshaking'
    this.#advance()
    this.#deliver()
  }

  receive(ciphertext: Uint8Array): void {
    requireStackRoom()
    if (this.#phase === 'new' || !this.#isAlive()) return
    this.#input.put(ciphertext)
    if (!this.#isWaitingForSession(ciphertext)) this.#advance()
    this.#deliver()
  }

  send(plaintext: Uint8Array): boolean {
    // The caller cannot know yet: `failed` is about to tell.
    if (this.#phase === 'failing' && this.#judge.verdict !== undefined) return false
    if (this.#phase !== 'open') throw invalidState(`send() in phase "${this.#phase}": wait for "secure"`)
    if (this.#hasSentClose) throw invalidState('send() after the peer closed: it reads no more')
    if (plaintext.length === 0) return true
    this.#pending.push(plaintext)
    this.#pendingBytes += plaintext.length
    this.#expectTurnEnd()
    this.#isHoldingBack ||= this.#pendingBytes >= HIGH_WATER_MARK_BYTES
    return !this.#isHoldingBack
  }

  exportKeyingMaterial(label: string, length: number, context?: Uint8Array): Uint8Array {
    requireExportLength(length)
    requireStackRoom()
    if (this.#phase !== 'open' && this.#phase !== 'closed')
      throw invalidState(`keying material is there between "secure" and the end, not in phase "${this.#phase}"`)
    const { fn } = this.#settings.thread.library
    const [labelBytes, out] = [Buffer.from(label, 'utf8'), new Uint8Array(length)]
    // An empty context is not none: it needs an address.
    const given = context === undefined ? null : context.length > 0 ? context : Uint8Array.of(0)
    const result = this.#call(() =>
      fn.gnutls_prf_rfc5705(this.handle, labelBytes.length, labelBytes, context?.length ?? 0, given, length, out),
    )
    if (result < 0) {
      const text = `GnuTLS exports no ${length} bytes for this label: ${this.#nameOf(result)}`
      throw new SzmqError('ERR_SZMQ_INVALID_ARGUMENT', text)
    }
    return out
  }

  rekey(): boolean {
    requireStackRoom()
    const { fn } = this.#settings.thread.library
    if (this.#phase !== 'open' || !this.#isTls13()) return false
    this.#encryptPending()
    if (this.#phase !== 'open') return false
    const result = this.#call(() => fn.gnutls_session_key_update(this.handle, KU_PEER))
    if (result < 0) this.#failOver(result)
    this.#deliver()
    return result === 0
  }

  close(): void {
    requireStackRoom()
    if (this.#phase !== 'open') {
      if (this.#phase === 'new' || this.#phase === 'handshaking') this.destroy()
      return
    }
    this.#sendClose()
    if (this.#phase !== 'open') {
      this.#deliver()
      return
    }
    this.#phase = 'closed'
    this.#emit({ kind: 'closeNotify.sent' })
    this.#deliver()
  }

  destroy(): void {
    this.#phase = 'dead'
    this.#events.length = 0
    this.#drop()
    this.#free()
  }

  // What GnuTLS asks for, within a call.

  onPush(data: Pointer, bytes: number): number {
    const record = this.#output.claim(bytes)
    this.#settings.thread.library.copy(record, data, bytes)
    if (this.#phase === 'handshaking' && record[0] === CONTENT_TYPE.changeCipherSpec) {
      const place = placeOfChangeCipherSpec(this.#events, this.#isTls13())
      this.#events.splice(place, 0, CHANGE_CIPHER_SPEC_SENT)
    }
    return bytes
  }

  onPull(data: Pointer, bytes: number): number {
    const piece = this.#input.take(bytes)
    if (piece === undefined) return 0
    if (this.#phase === 'handshaking' && !this.#looksAlright(piece)) return 0
    this.#settings.thread.library.copy(data, piece, piece.length)
    return piece.length
  }

  hasInput(): boolean {
    return this.#input.length > 0
  }

  onHandshakeMessage(type: number, isIncoming: boolean, body: Pointer | null): number {
    const { library } = this.#settings.thread
    const bytes = HANDSHAKE_HEADER_BYTES + sizeOfDatum(library, body)
    this.#emitMessage(isIncoming ? 'received' : 'sent', nameMessage(type), bytes)
    if (type === HANDSHAKE.NEW_SESSION_TICKET && isIncoming) this.#hasTicket = true
    if (type === HANDSHAKE.CLIENT_HELLO && isIncoming && body !== null)
      this.#offeredVersions = readOfferedVersions(readDatum(library, body))
    return this.#phase === 'handshaking' && this.#isLastWord(type, isIncoming) ? this.#conclude() : E.SUCCESS
  }

  onVerify(): number {
    const problem = this.#judge.look()
    this.#refusal ??= problem
    return problem === undefined ? E.SUCCESS : E.CERTIFICATE_ERROR
  }

  onKeyLog(label: string, secret: Pointer): number {
    const { library } = this.#settings.thread
    const random = takeDatum(library, (datum) => {
      library.fn.gnutls_session_get_random(this.handle, datum, {})
      return 0
    })
    const line = `${label} ${random?.toString('hex') ?? ''} ${readDatum(library, secret).toString('hex')}`
    try {
      ignoreRejection(this.#settings.options.insecureKeyLog?.(line))
    } catch {
      // A log is no reason to refuse a peer.
    }
    return E.SUCCESS
  }

  onPskIdentity(identity: Pointer, key: Pointer): number {
    const { library } = this.#settings.thread
    const found = this.#psk?.asServer(readDatum(library, identity).toString('utf8'))
    if (!found) return E.KEYFILE_ERROR
    giveDatum(library, key, found)
    return E.SUCCESS
  }

  onSrpUser(
    username: string,
    into: { readonly salt: Pointer; readonly verifier: Pointer; readonly generator: Pointer; readonly prime: Pointer },
  ): number {
    this.#srpUser = username
    const { library } = this.#settings.thread
    const { srpGroup, proofs } = this.#settings
    const found = proofs.srp?.revealVerifier(username)
    // Whoever is unknown gets the group that the others have, and a salt and verifier that GnuTLS makes up.
    if (found !== undefined) srpGroup.bits = found.groupBits
    const group = findSrpGroup(library, srpGroup.bits)
    const readLent = (pointer: Pointer): Datum => library.koffi.decode(pointer, 'gnutls_datum_t')
    lendDatum(library, into.generator, readLent(group.generator))
    lendDatum(library, into.prime, readLent(group.prime))
    if (found === undefined) return SRP_UNKNOWN_USER
    giveDatum(library, into.salt, found.salt)
    giveDatum(library, into.verifier, found.verifier)
    return E.SUCCESS
  }

  onDatabaseRead(id: Uint8Array): Uint8Array | undefined {
    const found = this.#found
    return found !== undefined && equalBytes(found.id, id) ? found.session : undefined
  }

  /** Kept once the client was let in: strangers must not crowd the sessions of others out. */
  onDatabaseWrite(id: Uint8Array, session: Uint8Array): void {
    this.#fresh = { id, session }
  }

  onDatabaseRemove(id: Uint8Array): void {
    this.#settings.resumption?.database?.delete(id)
  }

  onThrown(error: unknown): void {
    this.#thrown ??= { error }
  }

  // Below: how.

  #configure(): void {
    const { thread, natives, options, role, clientCertificate, alpn, proofs } = this.#settings
    const { fn } = thread.library
    const { callbacks } = thread
    const session = this.handle
    fn.gnutls_transport_set_ptr(session, this.id)
    fn.gnutls_transport_set_push_function(session, callbacks.pointer('push'))
    fn.gnutls_transport_set_pull_function(session, callbacks.pointer('pull'))
    fn.gnutls_transport_set_pull_timeout_function(session, callbacks.pointer('pullTimeout'))
    fn.gnutls_handshake_set_hook_function(session, HANDSHAKE_ANY, HOOK_PRE, callbacks.pointer('hook'))
    fn.gnutls_priority_set(session, natives.priority)
    for (const [type, credentials] of listCredentials(natives)) fn.gnutls_credentials_set(session, type, credentials)
    if (options.insecureKeyLog !== undefined) fn.gnutls_session_set_keylog_function(session, callbacks.pointer('keyLog'))
    if (alpn !== undefined) fn.gnutls_alpn_set_protocols(session, alpn, 1, role === 'server' ? ALPN_MANDATORY : 0)
    if (proofs.srp !== undefined) fn.gnutls_srp_set_prime_bits(session, MIN_SRP_GROUP_BITS)
    if (role === 'server') fn.gnutls_certificate_server_set_request(session, CERT_REQUEST[clientCertificate])
    this.#configureResumption()
    const { serverName } = options
    if (role === 'client' && serverName !== undefined && !isAddress(serverName) && !serverName.includes(':')) {
      const name = Buffer.from(serverName, 'latin1')
      fn.gnutls_server_name_set(session, NAME_DNS, name, name.length)
    }
  }

  #configureResumption(): void {
    const { thread, resumption } = this.#settings
    if (resumption === undefined) return
    const { ticketKey, database, sessions, lifetimeMs } = resumption
    const { fn } = thread.library
    const session = this.handle
    fn.gnutls_db_set_cache_expiration(session, Math.ceil(lifetimeMs / 1_000))
    if (ticketKey !== undefined) fn.gnutls_session_ticket_enable_server(session, toDatum(ticketKey))
    if (database !== undefined) {
      fn.gnutls_db_set_ptr(session, this.id)
      fn.gnutls_db_set_retrieve_function(session, thread.callbacks.pointer('databaseRead'))
      fn.gnutls_db_set_store_function(session, thread.callbacks.pointer('databaseWrite'))
      fn.gnutls_db_set_remove_function(session, thread.callbacks.pointer('databaseRemove'))
      this.#hello = new ClientHelloReader()
    }
    // What GnuTLS cannot read is no session: a full handshake then.
    const offered = sessions?.take()
    if (offered === undefined) return
    fn.gnutls_session_set_data(session, offered.data, offered.data.length)
    this.#judge.remember(offered.chain)
  }

  /** GnuTLS asks for a session within its call, and a database answers later: so the hello waits here until it has. */
  #isWaitingForSession(ciphertext: Uint8Array): boolean {
    const database = this.#settings.resumption?.database
    if (this.#phase !== 'handshaking' || database === undefined) return false
    if (this.#isLookingUp) {
      if (this.#input.length <= MAX_HELD_BYTES) return true
      this.#refusal ??= new SzmqError('ERR_SZMQ_BAD_RECORD', 'the client sends on and on without waiting for an answer')
      this.#failOver(E.USER_ERROR)
      return false
    }
    const id = this.#hello?.read(ciphertext)
    if (id === undefined || id.length === 0) return false
    this.#isLookingUp = true
    void database.get(id).then((session) => {
      this.#isLookingUp = false
      if (this.#phase !== 'handshaking') return
      if (session !== undefined) this.#found = { id, session }
      this.#advance()
      this.#deliver()
    })
    return true
  }

  /** A client keeps what it may come back with; the newest ticket is the best. */
  #keepSession(): void {
    const { thread, resumption } = this.#settings
    const sessions = resumption?.sessions
    if (sessions === undefined || this.#phase === 'handshaking') return
    const { fn } = thread.library
    const data = this.#call(() => takeOwnDatum(thread.library, (datum) => fn.gnutls_session_get_data2(this.handle, datum)))
    if (data !== undefined) sessions.remember(this.#isTls13() ? 'TLSv1.3' : 'TLSv1.2', { chain: this.#judge.chain, data })
  }

  /** Lets GnuTLS read what there is. If it is on the stack, it will find it there. */
  #advance(): void {
    if (this.#isInCall) return
    if (this.#phase === 'handshaking') this.#handshake()
    if (this.#phase === 'open' || this.#phase === 'closed') this.#read()
  }

  #handshake(): void {
    const { fn } = this.#settings.thread.library
    while (this.#phase === 'handshaking') {
      const before = this.#input.length
      const result = this.#call(() => fn.gnutls_handshake(this.handle))
      if (this.#phase !== 'handshaking') return
      if (result === E.SUCCESS) {
        this.#onHandshakeDone()
        return
      }
      if (result === E.AGAIN && this.#refusal === undefined && this.#thrown === undefined) {
        // A record with a part of a message was read: the rest may be there.
        if (this.#input.length > 0 && this.#input.length < before) continue
        return
      }
      if (this.#isTrifle(result)) continue
      this.#failOver(result)
    }
  }

  #onHandshakeDone(): void {
    // Within a call, for authorize may destroy this engine.
    const facts = this.#call(() => {
      const identity = this.#conclude() === E.SUCCESS ? this.#judge.conclude() : undefined
      if (identity === undefined || identity instanceof SzmqError) return undefined
      return readFacts(this.#settings.thread.library, this.handle, identity)
    })
    if (this.#phase !== 'handshaking') return
    if (facts === undefined) {
      this.#failOver(E.USER_ERROR)
      return
    }
    this.#phase = 'open'
    this.#hasOpened = true
    if (this.#fresh !== undefined) this.#settings.resumption?.database?.set(this.#fresh.id, this.#fresh.session)
    this.#fresh = undefined
    this.#found = undefined
    // Tickets of TLS 1.3 come later.
    if (!this.#isTls13()) this.#keepSession()
    this.#emit({ kind: 'secure', facts })
  }

  #read(): void {
    const { fn } = this.#settings.thread.library
    while ((this.#phase === 'open' || this.#phase === 'closed') && !this.#hasPeerClosed) {
      const before = this.#input.length
      const result = this.#call(() => Number(fn.gnutls_record_recv(this.handle, scratch, scratch.length)))
      if (!this.#isAlive()) return
      if (this.#hasTicket) {
        this.#hasTicket = false
        this.#keepSession()
      }
      if (result > 0) this.#emit({ kind: 'plaintext', bytes: takeScratch(result) })
      else if (result === 0) this.#onPeerClose()
      // A ticket or KeyUpdate was read: what it needs next may be there.
      else if (result === E.AGAIN && this.#input.length > 0 && this.#input.length < before) continue
      else if (result === E.AGAIN) return
      else if (!this.#isTrifle(result)) this.#failOver(result)
    }
    // Nothing counts behind a close_notify.
    if (this.#hasPeerClosed) this.#input.clear()
  }

  /** Our own close_notify answers at the end of the turn, behind what is sent until then: what came before it may be answered yet. */
  #onPeerClose(): void {
    this.#hasPeerClosed = true
    this.#expectTurnEnd()
    this.#emit({ kind: 'peer.closeNotify' })
  }

  #sendClose(): void {
    this.#encryptPending()
    if (this.#phase !== 'open' || this.#hasSentClose) return
    this.#hasSentClose = true
    const { fn } = this.#settings.thread.library
    const result = this.#call(() => fn.gnutls_bye(this.handle, SHUT_WR))
    if (result < 0) this.#failOver(result)
  }

  #expectTurnEnd(): void {
    if (this.#isFlushDue) return
    this.#isFlushDue = true
    process.nextTick(() => {
      this.#onTurnEnd()
    })
  }

  #onTurnEnd(): void {
    this.#isFlushDue = false
    if (this.#phase !== 'open') return
    this.#encryptPending()
    if (this.#hasPeerClosed) this.#sendClose()
    if (this.#phase === 'open' && this.#isHoldingBack) {
      this.#isHoldingBack = false
      this.#emit({ kind: 'drain' })
    }
    this.#deliver()
  }

  /** What was sent becomes records: small pieces together, large ones as they lie. */
  #encryptPending(): void {
    const pending = this.#pending
    if (pending.length === 0) return
    this.#output.expect(this.#pendingBytes + Math.ceil(this.#pendingBytes / RECORD_BYTES + 1) * RECORD_OVERHEAD_BYTES)
    this.#pending = []
    this.#pendingBytes = 0
    let filled = 0
    for (const [at, piece] of pending.entries()) {
      let rest = piece
      if (filled > 0) {
        const taken = Math.min(rest.length, RECORD_BYTES - filled)
        scratch.set(rest.subarray(0, taken), filled)
        filled += taken
        rest = rest.subarray(taken)
        if (filled === RECORD_BYTES) filled = this.#encrypt(scratch.subarray(0, filled))
      }
      while (rest.length >= RECORD_BYTES) {
        this.#encrypt(rest.subarray(0, RECORD_BYTES))
        rest = rest.subarray(RECORD_BYTES)
      }
      if (rest.length > 0 && at === pending.length - 1 && filled === 0) this.#encrypt(rest)
      else if (rest.length > 0 && filled === 0) {
        scratch.set(rest)
        filled = rest.length
      }
    }
    if (filled > 0) this.#encrypt(scratch.subarray(0, filled))
  }

  /** One record, or several if the peer takes short ones only. @returns 0 */
  #encrypt(plaintext: Uint8Array): 0 {
    const { fn } = this.#settings.thread.library
    for (let at = 0; at < plaintext.length && this.#phase === 'open';) {
      const rest = at === 0 ? plaintext : plaintext.subarray(at)
      const result = this.#call(() => Number(fn.gnutls_record_send(this.handle, rest, rest.length)))
      if (result > 0) at += result
      else if (!this.#isTrifle(result)) this.#failOver(result)
    }
    return 0
  }

  /** Is this the last moment at which nothing of ours has left that depends on the peer, and is the peer proved by now? */
  #isLastWord(type: number, isIncoming: boolean): boolean {
    // TLS 1.2: the client's keys have opened its Finished, and ours is still to come. TLS 1.3: the end of the handshake comes before the rest.
    if (this.#settings.role === 'server') return isIncoming && type === HANDSHAKE.FINISHED && !this.#isTls13()
    if (isIncoming) return false
    const isOurFlight = type === HANDSHAKE.CERTIFICATE || type === HANDSHAKE.CLIENT_KEY_EXCHANGE || type === HANDSHAKE.FINISHED
    // TLS 1.2 proves by the server's Finished, which comes behind ours, unless its certificate did.
    return isOurFlight && (this.#isTls13() || this.#judge.isProvenBySignature)
  }

  #isTls13(): boolean {
    return this.#settings.thread.library.fn.gnutls_protocol_get_version(this.handle) === PROTOCOL.TLS1_3
  }

  /** Names ChangeCipherSpec, and stops what is no TLS at once: GnuTLS would wait for the rest of what might be a hello of SSL 2. */
  #looksAlright(piece: Uint8Array): boolean {
    try {
      for (const { type } of this.#records.split(piece))
        if (type === CONTENT_TYPE.changeCipherSpec) this.#emitMessage('received', 'ChangeCipherSpec', 1)
      return true
    } catch (error) {
      this.#refusal ??= error instanceof SzmqError ? error : undefined
      return false
    }
  }

  /** The last word on the peer. @returns what a hook answers */
  #conclude(): number {
    const verdict = this.#judge.conclude()
    this.#refusal ??= verdict instanceof SzmqError ? verdict : this.#findWrongProtocol()
    return this.#refusal === undefined ? E.SUCCESS : E.USER_ERROR
  }

  #findWrongProtocol(): SzmqError | undefined {
    const expected = this.#settings.options.alpn
    if (expected === undefined) return undefined
    const { library } = this.#settings.thread
    const agreed = takeDatum(library, (datum) => library.fn.gnutls_alpn_get_selected_protocol(this.handle, datum))
    if (agreed?.toString('utf8') === expected) return undefined
    const seen = agreed === undefined ? 'none' : `"${agreed.toString('utf8')}"`
    const text = `the peer agrees to application protocol (ALPN) ${seen}, "${expected}" was expected`
    return new SzmqError('ERR_SZMQ_PROTOCOL_MISMATCH', text)
  }

  /**
   * Calls GnuTLS. Nobody is told anything before it has returned.
   *
   * @throws ERR_SZMQ_INVALID_STATE from within a function of the options or credentials: GnuTLS is not to be called in the midst of itself
   */
  #call<T>(call: () => T): T {
    if (this.#isInCall)
      throw invalidState('GnuTLS is at work for this session: call the engine when your function has returned')
    this.#isInCall = true
    try {
      return this.#settings.thread.enter(this, call)
    } finally {
      this.#isInCall = false
      if (this.#phase === 'dead') this.#free()
    }
  }

  #callAny<const Prototype extends string>(prototype: Prototype, args: CArguments<Prototype>): CResult<Prototype> {
    if (this.#isFreed)
      throw invalidState('the GnuTLS session was freed with its engine: its pointers must not be used any more')
    const name = /\b(gnutls_\w+)\s*\([^()]*\)\s*;?\s*$/.exec(prototype)?.[1]
    if (name === undefined || FORBIDDEN_FUNCTIONS.has(name)) {
      const text = `"${prototype}" ${name === undefined ? 'is no prototype of a GnuTLS function' : 'is called by szmq itself'}: see the GnuTLS manual`
      throw new SzmqError('ERR_SZMQ_INVALID_ARGUMENT', text)
    }
    const call = this.#settings.thread.library.find(prototype)
    requireStackRoom()
    try {
      return this.#call(() => call(...args))
    } catch (cause) {
      if (!(cause instanceof TypeError)) throw cause
      throw new SzmqError('ERR_SZMQ_INVALID_ARGUMENT', `${prototype} does not take these values: ${cause.message}`, { cause })
    } finally {
      this.#deliver()
    }
  }

  /** Not an end: go on. */
  #isTrifle(result: number): boolean {
    const { fn } = this.#settings.thread.library
    if (this.#refusal !== undefined || this.#thrown !== undefined) return false
    if (result === E.INTERRUPTED || result === E.AGAIN) return true
    if (result !== E.WARNING_ALERT_RECEIVED) return false
    this.#emitAlert('received')
    return fn.gnutls_alert_get(this.handle) !== ALERT.CLOSE_NOTIFY
  }

  /** GnuTLS gave up, or we did within it: tells the peer, then everybody. */
  #failOver(given: number): void {
    const { fn } = this.#settings.thread.library
    // A server takes any alert in place of a certificate for "none".
    const isRefused = given === E.NO_CERTIFICATE_FOUND && fn.gnutls_alert_get(this.handle) !== ALERT.CLOSE_NOTIFY
    const result = isRefused ? E.FATAL_ALERT_RECEIVED : this.#hasWrongVersion(given) ? E.UNSUPPORTED_VERSION_PACKET : given
    const isAlert = result === E.FATAL_ALERT_RECEIVED || result === E.WARNING_ALERT_RECEIVED
    if (result === E.FATAL_ALERT_RECEIVED) this.#emitAlert('received')
    const error = this.#explain(result)
    if (!isAlert) {
      const description = this.#chooseAlert(error, result)
      this.#call(() => fn.gnutls_alert_send(this.handle, ALERT_LEVEL.FATAL, description))
      this.#emitAlert('sent')
    }
    this.#fail(error)
  }

  /** A server that has no TLS 1.3 takes a client that has nothing else for one of TLS 1.2 without a fitting cipher suite. */
  #hasWrongVersion(result: number): boolean {
    const version = WIRE_VERSIONS[this.#settings.thread.library.fn.gnutls_protocol_get_version(this.handle)]
    const isSuite = result === E.NO_CIPHER_SUITES || result === E.UNKNOWN_CIPHER_SUITE
    return isSuite && version !== undefined && this.#offeredVersions?.has(version) === false
  }

  #explain(result: number): SzmqError {
    if (this.#refusal !== undefined) return this.#refusal
    if (this.#thrown !== undefined) {
      const { error } = this.#thrown
      if (error instanceof SzmqError) return error
      return new SzmqError('ERR_SZMQ_BAD_CREDENTIALS', 'a function of the credentials or of the options threw', {
        cause: error,
      })
    }
    const { fn } = this.#settings.thread.library
    const phase = this.#phase === 'handshaking' ? 'handshake' : 'session'
    const alert = fn.gnutls_alert_get_strname(fn.gnutls_alert_get(this.handle)) ?? undefined
    const error = toTlsError({ result, name: this.#nameOf(result), alert, phase })
    if (phase === 'session') return error
    return this.#explainPsk(result, error) ?? this.#explainSrp(error) ?? error
  }

  /** Of a binder that does not fit its key (RFC 8446 §4.2.11.2) GnuTLS says no more than that a parameter is illegal. */
  #explainPsk(result: number, error: SzmqError): SzmqError | undefined {
    const isBinder = result === E.RECEIVED_ILLEGAL_PARAMETER && this.#isTls13()
    const likely = isBinder ? new SzmqError('ERR_SZMQ_BAD_RECORD', error.message, { cause: error }) : error
    return this.#psk?.explain(likely, this.#settings.role)
  }

  /** With a wrong password the first thing that is sealed cannot be opened. A user who is unknown looks the same, on purpose. */
  #explainSrp(error: SzmqError): SzmqError | undefined {
    if (this.#srpUser === undefined || !FITS_WRONG_PASSWORD.has(error.code)) return undefined
    const text = `the SRP user ${JSON.stringify(this.#srpUser)} is unknown, or the password is wrong: correct either`
    return new SzmqError('ERR_SZMQ_WRONG_PASSWORD', text, { cause: error })
  }

  #chooseAlert(error: SzmqError, result: number): number {
    const { fn } = this.#settings.thread.library
    if (error.code === 'ERR_SZMQ_NO_CLIENT_CERTIFICATE')
      return this.#isTls13() ? ALERT.CERTIFICATE_REQUIRED : ALERT.HANDSHAKE_FAILURE
    if (this.#thrown !== undefined) return ALERT.INTERNAL_ERROR
    const isOurs = this.#refusal !== undefined || error.code === 'ERR_SZMQ_UNKNOWN_IDENTITY'
    if (isOurs) return ALERT_BY_CODE[error.code] ?? ALERT.BAD_CERTIFICATE
    if (result === E.REHANDSHAKE) return ALERT.NO_RENEGOTIATION
    const appropriate = fn.gnutls_error_to_alert(result, [0])
    return appropriate > 0 ? appropriate : ALERT.HANDSHAKE_FAILURE
  }

  #nameOf(result: number): string {
    return this.#settings.thread.library.fn.gnutls_strerror_name(result) ?? `error ${result}`
  }

  #fail(error: SzmqError): void {
    if (!this.#isAlive()) return
    // Whatever was wrong: what made this handshake may have been an old session.
    if (!this.#hasOpened) this.#settings.resumption?.sessions?.forget()
    this.#emit({ kind: 'failed', error })
    this.#phase = 'failing'
    this.#drop()
    this.#free()
  }

  #emitMessage(direction: 'sent' | 'received', message: string, bytes: number): void {
    this.#events.push({ kind: 'handshake.message', direction, message, bytes })
  }

  #emitAlert(direction: 'sent' | 'received'): void {
    if (this.#phase === 'handshaking') this.#emitMessage(direction, 'Alert', 2)
  }

  /** What GnuTLS wrote goes before what is said now. */
  #emit(event: TlsEvent): void {
    this.#collectCiphertext()
    this.#events.push(event)
  }

  #collectCiphertext(): void {
    const bytes = this.#output.take()
    if (bytes !== undefined) this.#events.push({ kind: 'ciphertext', bytes })
  }

  /** Tells the listener, which may call this engine again: what that causes is told behind. */
  #deliver(): void {
    if (this.#phase === 'dead' || this.#isInCall) return
    this.#collectCiphertext()
    if (this.#isDelivering) return
    this.#isDelivering = true
    try {
      for (let event = this.#events.shift(); event !== undefined; event = this.#events.shift()) {
        if (event.kind === 'failed') this.#phase = 'dead'
        this.#listener(event)
      }
    } finally {
      this.#isDelivering = false
    }
  }

  #isAlive(): boolean {
    return this.#phase !== 'failing' && this.#phase !== 'dead'
  }

  #drop(): void {
    this.#pending = []
    this.#pendingBytes = 0
    this.#input.clear()
    this.#output.clear()
  }

  /** Not while GnuTLS is on the stack: {@link #call} comes back to it. */
  #free(): void {
    if (this.#isFreed || this.#isInCall) return
    this.#isFreed = true
    this.#settings.thread.free(this.#native)
  }
}

interface KeptSession {
  readonly id: Uint8Array
  readonly session: Uint8Array
}

const HANDSHAKE_HEADER_BYTES = 4

/** What a client may send while its session is looked up: one hello, at most a few records of it. */
const MAX_HELD_BYTES = 64 * 1024

const CHANGE_CIPHER_SPEC_SENT: TlsEvent = {
  kind: 'handshake.message',
  direction: 'sent',
  message: 'ChangeCipherSpec',
  bytes: 1,
}

/** Smaller groups are refused by a client (RFC 5054 appendix A has 1024 and 1536 too). */
const MIN_SRP_GROUP_BITS = 2_048

/** Most plaintext of one record (RFC 8446 §5.1). */
const RECORD_BYTES = 16_384
/** Header, explicit nonce or content type, padding and tag: the most of what any cipher adds. */
const RECORD_OVERHEAD_BYTES = 64

const FITS_WRONG_PASSWORD: ReadonlySet<string> = new Set(['ERR_SZMQ_BAD_RECORD', 'ERR_SZMQ_STREAM_BROKEN'])

const ALERT_BY_CODE: { readonly [code in SzmqError['code']]?: number } = {
  ERR_SZMQ_BAD_RECORD: ALERT.UNEXPECTED_MESSAGE,
  ERR_SZMQ_CERTIFICATE_EXPIRED: ALERT.CERTIFICATE_EXPIRED,
  ERR_SZMQ_CERTIFICATE_NOT_YET_VALID: ALERT.BAD_CERTIFICATE,
  ERR_SZMQ_CERTIFICATE_REVOKED: ALERT.CERTIFICATE_REVOKED,
  ERR_SZMQ_UNKNOWN_CA: ALERT.UNKNOWN_CA,
  ERR_SZMQ_WRONG_KEY_USAGE: ALERT.UNSUPPORTED_CERTIFICATE,
  ERR_SZMQ_BAD_CREDENTIALS: ALERT.CERTIFICATE_UNKNOWN,
  ERR_SZMQ_PROTOCOL_MISMATCH: ALERT.NO_APPLICATION_PROTOCOL,
  ERR_SZMQ_NOT_AUTHORIZED: ALERT.ACCESS_DENIED,
  ERR_SZMQ_UNKNOWN_IDENTITY: ALERT.UNKNOWN_PSK_IDENTITY,
}

/** Where records are put together and taken apart, one at a time, for all engines of this thread: nothing stays in it between two calls. */
let scratch = new Uint8Array(RECORD_BYTES)

/** The first bytes of {@link scratch}, for the listener to keep: copied, unless they are most of it. */
function takeScratch(bytes: number): Uint8Array {
  if (bytes <= RECORD_BYTES / 2) return scratch.slice(0, bytes)
  const taken = scratch.subarray(0, bytes)
  scratch = new Uint8Array(RECORD_BYTES)
  return taken
}

function nameMessage(type: number): string {
  switch (type) {
    case HANDSHAKE.HELLO_RETRY_REQUEST:
      return 'HelloRetryRequest'
    case HANDSHAKE.CLIENT_HELLO_V2:
      return 'ClientHello'
    default:
      return nameHandshake(type)
  }
}

function invalidState(text: string): SzmqError {
  return new SzmqError('ERR_SZMQ_INVALID_STATE', text)
}
