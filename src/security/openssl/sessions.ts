import type { X509Certificate } from 'node:crypto'
import { knowCertificate, type KnownCertificate } from '../credentials/known-certificates.ts'
import type { ClientSessions } from '../resumption/client-sessions.ts'

/** A session of OpenSSL's, and the certificate that the server showed when it began. */
export interface OpensslSession {
  readonly known: KnownCertificate
  readonly session: Buffer
}

/** In front of the certificate: its length. */
const LENGTH_BYTES = 4

/** The sessions of the one peer that a client's factory is for. */
export class OpensslSessions {
  readonly #sessions: ClientSessions
  readonly #key: string
  readonly #lifetimeMs: number

  /** @param lifetimeMs for each: Node does not tell what the server promised */
  constructor(sessions: ClientSessions, key: string, lifetimeMs: number) {
    this.#sessions = sessions
    this.#key = key
    this.#lifetimeMs = lifetimeMs
  }

  take(): OpensslSession | undefined {
    const taken = this.#sessions.take(this.#key)
    if (taken === undefined) return undefined
    const data = Buffer.from(taken.data)
    try {
      const end = LENGTH_BYTES + data.readUInt32BE()
      const known = knowCertificate(data.subarray(LENGTH_BYTES, end))
      const session = data.subarray(end)
      // Which holds it too. Another certificate would name another peer.
      return session.includes(known.certificate.raw) ? { known, session } : undefined
    } catch {
      // Not one of ours: a full handshake then.
      return undefined
    }
  }

  /** @param version as Node names it; of another one nothing is kept */
  remember(version: string | null, certificate: X509Certificate, session: Buffer): void {
    if (version !== 'TLSv1.2' && version !== 'TLSv1.3') return
    const length = Buffer.alloc(LENGTH_BYTES)
    length.writeUInt32BE(certificate.raw.length)
    const data = Buffer.concat([length, certificate.raw, session])
    this.#sessions.remember(this.#key, { version, data }, { lifetimeMs: this.#lifetimeMs })
  }

  /** After a handshake that failed: the next one is a full one. */
  forget(): void {
    this.#sessions.forget(this.#key)
  }
}
