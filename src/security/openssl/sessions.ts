import type { X509Certificate } from 'node:crypto'
import { knowCertificate, type KnownCertificate } from '../credentials/known-certificates.ts'
import type { PeerSessions } from '../resumption/peer-sessions.ts'

/** A server may send tickets as long as it likes; whoever looks at each of 5 MB of them does nothing else for 4 seconds. */
const MAX_SESSIONS_PER_CONNECTION = 8

/** A session of OpenSSL's, and the certificate that the server showed when it began. */
export interface OfferedSession {
  readonly known: KnownCertificate
  readonly session: Buffer
}

/** @returns nothing if there is none that is whole and the peer's own: a full handshake then */
export function takeSession(sessions: PeerSessions | undefined): OfferedSession | undefined {
  const kept = sessions?.take()
  const [raw] = kept?.chain ?? []
  if (kept === undefined || raw === undefined) return undefined
  const session = Buffer.from(kept.data)
  try {
    const known = knowCertificate(raw)
    // Which the session holds too. Another certificate would name another peer.
    return session.includes(known.certificate.raw) ? { known, session } : undefined
  } catch {
    return undefined
  }
}

/** What a server gives a client to come back with, over one connection. */
export class ReceivedSessions {
  readonly #sessions: PeerSessions
  #kept = 0
  #early: Buffer | undefined

  constructor(sessions: PeerSessions) {
    this.#sessions = sessions
  }

  /** Came before the peer was verified, and until then it is worth nothing: in TLS 1.2 it comes first. */
  hold(session: Buffer): void {
    this.#early = session
  }

  /** The peer was verified. */
  keepHeld(version: string | null, certificate: X509Certificate | undefined): void {
    if (this.#early !== undefined) this.keep(this.#early, version, certificate)
    this.#early = undefined
  }

  /** @param version as Node names it; of another one, and without a certificate, nothing is kept */
  keep(session: Buffer, version: string | null, certificate: X509Certificate | undefined): void {
    if (version !== 'TLSv1.2' && version !== 'TLSv1.3') return
    if (this.#kept >= MAX_SESSIONS_PER_CONNECTION || certificate === undefined) return
    this.#kept += 1
    this.#sessions.remember(version, { chain: [certificate.raw], data: session })
  }
}
