import { E } from './constants.ts'
import type { GnutlsLibrary } from './library.driver.ts'
import { allocateDatum, copyDatum } from './memory.driver.ts'
import type { Datum, Pointer } from './prototype.ts'

/** What GnuTLS asks of a session while one of its functions runs. No exception may leave these: {@link Callbacks} guards them. */
export interface CallbackSession {
  /** The transport pointer. */
  readonly id: number
  /** The `gnutls_session_t`. */
  readonly handle: Pointer
  /** Ciphertext to the peer. @returns bytes taken */
  onPush(data: Pointer, bytes: number): number
  /** Ciphertext of the peer into `data`. @returns bytes given, 0 if there is none now */
  onPull(data: Pointer, bytes: number): number
  /** Is there ciphertext of the peer? */
  hasInput(): boolean
  /** @returns 0, or a GnuTLS error to give up with */
  onHandshakeMessage(type: number, isIncoming: boolean, body: Pointer | null): number
  onVerify(): number
  onKeyLog(label: string, secret: Pointer): number
  onPskIdentity(identity: Pointer, key: Pointer): number
  onSrpUser(username: string, into: { salt: Pointer; verifier: Pointer; generator: Pointer; prime: Pointer }): number
  /** @returns the session that is kept under `id`, if there is one */
  onDatabaseRead(id: Uint8Array): Uint8Array | undefined
  onDatabaseWrite(id: Uint8Array, session: Uint8Array): void
  onDatabaseRemove(id: Uint8Array): void
  /** Something was thrown in one of these. It must not cross C: keep it until GnuTLS has returned. */
  onThrown(thrown: unknown): void
}

/** Each is a C function. */
export type CallbackName =
  | 'push'
  | 'pull'
  | 'pullTimeout'
  | 'hook'
  | 'verify'
  | 'keyLog'
  | 'pskKey'
  | 'srpVerifier'
  | 'databaseRead'
  | 'databaseWrite'
  | 'databaseRemove'

/**
 * GnuTLS's way back into this thread: one set of C functions for all sessions of a thread, for koffi has no more than 8 192 in a process and calls each
 * on the thread that registered it. Each is registered when it is needed first. The session that a call is for is the one that is inside
 * {@link enter}, told by its transport pointer or its handle.
 */
export class Callbacks {
  readonly #library: GnutlsLibrary
  readonly #pointers = new Map<CallbackName, Pointer>()
  #active: CallbackSession | undefined

  constructor(library: GnutlsLibrary) {
    this.#library = library
  }

  /** The C function. */
  pointer(name: CallbackName): Pointer {
    const known = this.#pointers.get(name)
    if (known !== undefined) return known
    const { koffi } = this.#library
    const [prototype, callback] = this.#declare(name)
    const pointer: Pointer = koffi.register(callback, koffi.pointer(koffi.proto(prototype)))
    this.#pointers.set(name, pointer)
    return pointer
  }

  /** Runs `call`, which may call GnuTLS on `session`. Nests, for different sessions. */
  enter<T>(session: CallbackSession, call: () => T): T {
    const outer = this.#active
    this.#active = session
    try {
      return call()
    } finally {
      this.#active = outer
    }
  }

  /** Is GnuTLS on the stack? */
  get isInUse(): boolean {
    return this.#active !== undefined
  }

  /** Gives the C functions back. No session of this thread may be used after it. */
  unregister(): void {
    for (const pointer of this.#pointers.values()) this.#library.koffi.unregister(pointer)
    this.#pointers.clear()
  }

  /** Its C prototype and what it does. */
  #declare(name: CallbackName): readonly [prototype: string, callback: (...args: never[]) => number | Datum] {
    switch (name) {
      case 'push':
        return [
          'intptr_t szmq_push(uintptr_t id, void *data, size_t bytes)',
          (id: number, data: Pointer, bytes: number) => this.#push(id, data, bytes),
        ]
      case 'pull':
        return [
          'intptr_t szmq_pull(uintptr_t id, void *data, size_t bytes)',
          (id: number, data: Pointer, bytes: number) => this.#pull(id, data, bytes),
        ]
      case 'pullTimeout':
        return [
          'int szmq_pull_timeout(uintptr_t id, unsigned int ms)',
          (id: number) => (this.#byId(id)?.hasInput() === true ? 1 : 0),
        ]
      case 'hook':
        return [
          'int szmq_hook(void *session, unsigned int type, unsigned int when, unsigned int incoming, void *message)',
          (handle: Pointer, type: number, _when: number, incoming: number, message: Pointer | null) =>
            this.#guard(handle, (session) => session.onHandshakeMessage(type, incoming !== 0, message)),
        ]
      case 'verify':
        return ['int szmq_verify(void *session)', (handle: Pointer) => this.#guard(handle, (session) => session.onVerify())]
      case 'keyLog':
        return [
          'int szmq_keylog(void *session, const char *label, void *secret)',
          (handle: Pointer, label: string, secret: Pointer) =>
            this.#guard(handle, (session) => session.onKeyLog(label, secret)),
        ]
      case 'pskKey':
        return [
          'int szmq_psk(void *session, void *identity, void *key)',
          (handle: Pointer, identity: Pointer, key: Pointer) =>
            this.#guard(handle, (session) => session.onPskIdentity(identity, key)),
        ]
      case 'srpVerifier':
        return [
          'int szmq_srp(void *session, const char *username, void *salt, void *verifier, void *generator, void *prime)',
          (handle: Pointer, username: string, salt: Pointer, verifier: Pointer, generator: Pointer, prime: Pointer) =>
            this.#guard(handle, (session) => session.onSrpUser(username, { salt, verifier, generator, prime })),
        ]
      case 'databaseRead':
        return [
          'gnutls_datum_t szmq_db_read(uintptr_t id, gnutls_datum_t key)',
          (id: number, key: Datum) => this.#read(id, key),
        ]
      case 'databaseWrite':
        return [
          'int szmq_db_write(uintptr_t id, gnutls_datum_t key, gnutls_datum_t session)',
          (id: number, key: Datum, data: Datum) =>
            this.#guardById(id, (session) => {
              session.onDatabaseWrite(copyDatum(this.#library, key), copyDatum(this.#library, data))
            }),
        ]
      case 'databaseRemove':
        return [
          'int szmq_db_remove(uintptr_t id, gnutls_datum_t key)',
          (id: number, key: Datum) =>
            this.#guardById(id, (session) => {
              session.onDatabaseRemove(copyDatum(this.#library, key))
            }),
        ]
    }
  }

  #byId(id: number): CallbackSession | undefined {
    return this.#active?.id === id ? this.#active : undefined
  }

  #push(id: number, data: Pointer, bytes: number): number {
    const session = this.#byId(id)
    if (session === undefined) return -1
    try {
      return session.onPush(data, Number(bytes))
    } catch (thrown) {
      session.onThrown(thrown)
      return -1
    }
  }

  #pull(id: number, data: Pointer, bytes: number): number {
    const session = this.#byId(id)
    if (session === undefined) return -1
    try {
      const given = session.onPull(data, Number(bytes))
      if (given > 0) return given
      this.#library.fn.gnutls_transport_set_errno(session.handle, this.#library.koffi.os.errno['EAGAIN'] ?? 11)
    } catch (thrown) {
      session.onThrown(thrown)
    }
    return -1
  }

  #read(id: number, key: Datum): Datum {
    let found: Uint8Array | undefined
    this.#guardById(id, (session) => {
      found = session.onDatabaseRead(copyDatum(this.#library, key))
    })
    return found === undefined ? NO_DATUM : allocateDatum(this.#library, found)
  }

  #guardById(id: number, call: (session: CallbackSession) => void): number {
    const session = this.#byId(Number(id))
    if (session === undefined) return E.USER_ERROR
    try {
      call(session)
      return E.SUCCESS
    } catch (thrown) {
      session.onThrown(thrown)
      return E.USER_ERROR
    }
  }

  #guard(handle: Pointer, call: (session: CallbackSession) => number): number {
    const session = this.#active
    if (session === undefined || session.handle !== handle) return E.USER_ERROR
    try {
      return call(session)
    } catch (thrown) {
      session.onThrown(thrown)
      return E.USER_ERROR
    }
  }
}

/** Nothing was found. */
const NO_DATUM: Datum = { data: null, size: 0 }
