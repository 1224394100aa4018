import type { SzmqErrorCode } from '../../shared/errors.ts'
import { alertFor, encodeFatalAlert, sealFatalAlert } from '../records/alert.codec.ts'

/** How far a handshake got. */
export interface HandshakeProgress {
  /** As Node names it. */
  readonly version: string | null
  /** As RFC 8446 names it; undefined before the ServerHello. */
  readonly cipherSuite: string | undefined
  /** TLS 1.2: what we send is encrypted from here on. */
  readonly isCipherChanged: boolean
}

/** Makes the one record that tells a peer of our own verdict, of which OpenSSL knows nothing, in place of the flight that is held. */
export class RefusalAlert {
  readonly #label: string
  /** The TLS 1.3 secret under which our next record is number 0. */
  #secret: Buffer | undefined

  constructor(role: 'client' | 'server') {
    // The client has sent nothing encrypted yet, the server all of its handshake.
    this.#label = role === 'client' ? 'CLIENT_HANDSHAKE_TRAFFIC_SECRET' : 'SERVER_TRAFFIC_SECRET_0'
  }

  /** @param line of the NSS key log */
  learn(line: string): void {
    const [label, , secret] = line.trim().split(' ')
    if (label === this.#label && secret !== undefined) this.#secret = Buffer.from(secret, 'hex')
  }

  /** @returns nothing where none can be made: the peer hears an end without a reason */
  encode(code: SzmqErrorCode, { version, cipherSuite, isCipherChanged }: HandshakeProgress): Uint8Array | undefined {
    const alert = alertFor(code)
    if (version !== 'TLSv1.3') return isCipherChanged ? undefined : encodeFatalAlert(alert)
    if (this.#secret === undefined || cipherSuite === undefined) return undefined
    return sealFatalAlert(alert, cipherSuite, this.#secret)
  }

  /** The handshake is over: nobody will be refused. */
  forget(): void {
    this.#secret = undefined
  }
}
