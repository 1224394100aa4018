import { Server } from 'node:net'
import type { GuardedSessionStore } from '../resumption/guarded-session-store.ts'

/** More than one session for one handshake is none of TLS 1.2's: it is dropped. */
interface FreshSession {
  readonly id: Buffer
  readonly session: Buffer
}

/** Runs what makes OpenSSL read on. */
export type Reading = (read: () => void) => void

/**
 * Sessions by id for one handshake of a server's, between `node:tls` and a store. What OpenSSL wants to keep is kept once the client was judged
 * only: whoever is refused writes nothing, so strangers cannot crowd the sessions of others out.
 */
export class OpensslDatabase {
  /** What `node:tls` asks. It never listens. */
  readonly server = new Server()
  readonly #store: GuardedSessionStore
  readonly #lifetimeMs: number
  #fresh: FreshSession | undefined

  constructor(store: GuardedSessionStore, { lifetimeMs, read }: { readonly lifetimeMs: number; readonly read: Reading }) {
    this.#store = store
    this.#lifetimeMs = lifetimeMs
    this.server.on('newSession', (id: Buffer, session: Buffer, done: () => void) => {
      this.#fresh = { id, session }
      done()
    })
    this.server.on('resumeSession', (id: Buffer, answer: (error: Error | null, session: Buffer | null) => void) => {
      void this.#store.get(id).then((session) => {
        read(() => {
          answer(null, session === undefined ? null : Buffer.from(session))
        })
      })
    })
  }

  /** The client is let in: now its session may be resumed. */
  keep(): void {
    if (this.#fresh === undefined) return
    this.#store.set(this.#fresh.id, this.#fresh.session, { expiresInMs: this.#lifetimeMs })
    this.#fresh = undefined
  }
}
