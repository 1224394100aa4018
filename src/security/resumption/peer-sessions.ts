import { decodeKeptSession, encodeKeptSession, type KeptSession } from './client-session.codec.ts'
import type { ClientSessions } from './client-sessions.ts'

/** The sessions of the one peer that a client's factory is for. */
export class PeerSessions {
  readonly #sessions: ClientSessions
  readonly #key: string
  readonly #lifetimeMs: number

  /**
   * @param key of `clientSessionKey`
   * @param lifetimeMs for each: TLS libraries do not tell what the server promised
   */
  constructor(sessions: ClientSessions, key: string, lifetimeMs: number) {
    this.#sessions = sessions
    this.#key = key
    this.#lifetimeMs = lifetimeMs
  }

  /** @returns nothing for what is none of ours: a full handshake then */
  take(): KeptSession | undefined {
    const taken = this.#sessions.take(this.#key)
    return taken === undefined ? undefined : decodeKeptSession(taken.data)
  }

  remember(version: 'TLSv1.2' | 'TLSv1.3', kept: KeptSession): void {
    this.#sessions.remember(this.#key, { version, data: encodeKeptSession(kept) }, { lifetimeMs: this.#lifetimeMs })
  }

  /** After a handshake that failed: the next one is a full one. */
  forget(): void {
    this.#sessions.forget(this.#key)
  }
}
