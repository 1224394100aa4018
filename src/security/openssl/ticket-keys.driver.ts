import { randomBytes } from 'node:crypto'
import type { SecureContext } from 'node:tls'
import { openOrigin, sealOrigin, TICKET_NONCE_BYTES } from './ticket-origin.ts'
import { toNodeTicketKeys, type TicketKey, type TicketKeys } from '../resumption/ticket-keys.ts'

/** What OpenSSL wants to hear about a ticket: 0 is unknown, 1 is good, 2 is good but to be renewed under the current key. */
const TICKET = { unknown: 0, good: 1, renew: 2 } as const

/** Node ends the process over an answer without keys, even if they are not used. */
type TicketAnswer = readonly [status: number, hmacKey: Buffer, aesKey: Buffer, name?: Buffer, iv?: Buffer]

const NO_KEY = Buffer.alloc(16)

/** Undocumented, there in Node 0.12 to 24: tickets are sealed and opened by a callback. */
interface TicketCallbackContext {
  enableTicketKeyCallback(): void
  onticketkeycallback?: (name: Buffer, iv: Buffer, isSealing: boolean) => TicketAnswer
  setTicketKeys(keys: Buffer): void
}

/** The tickets of one handshake: the callback itself is not told whose they are. */
export interface TicketHandshake {
  /** Was a session resumed, as far as OpenSSL got? */
  readonly isResumed: () => boolean
  /** When the client of the ticket that was opened last proved itself by a certificate, in milliseconds since 1970. */
  provenAt: number | undefined
}

/** How long a server's tickets live, and which handshake OpenSSL is at. */
export class OpensslTickets {
  readonly #keys: TicketKeys
  readonly #lifetimeMs: number
  readonly #isForTls13: boolean
  #current: TicketHandshake | undefined

  constructor(keys: TicketKeys, options: { readonly lifetimeMs: number; readonly isForTls13: boolean }) {
    this.#keys = keys
    this.#lifetimeMs = options.lifetimeMs
    this.#isForTls13 = options.isForTls13
  }

  /** From now on OpenSSL works for `handshake`, or for nobody. @returns for whom it did so far */
  serve(handshake: TicketHandshake | undefined): TicketHandshake | undefined {
    const before = this.#current
    this.#current = handshake
    return before
  }

  /**
   * Seals tickets with the current key and opens those of all accepted ones. A client of TLS 1.3 shows a ticket once (RFC 8446 §C.4) and gets
   * another for each; left to itself, Node gives none to a session that was resumed. But OpenSSL dates each of them anew, so who had one could
   * resume for ever: here each carries the date of the first, and lives no longer than that would. Where a Node version lacks the callback the
   * current key of this moment is used for as long as the context lives: tickets of other periods mean full handshakes.
   */
  useIn(secureContext: SecureContext): void {
    const context: unknown = secureContext.context
    if (!isTicketContext(context)) return
    if (typeof context.enableTicketKeyCallback !== 'function') {
      context.setTicketKeys(toNodeTicketKeys(this.#keys.keysAt(Date.now()).current))
      return
    }
    context.onticketkeycallback = (name, iv, isSealing) => (isSealing ? this.#seal() : this.#open(name, iv))
    context.enableTicketKeyCallback()
  }

  #seal(): TicketAnswer {
    const now = Date.now()
    const { current } = this.#keys.keysAt(now)
    const hmacKey = Buffer.from(current.revealHmacKey())
    const provenAt = this.#current?.isResumed() === true ? (this.#current.provenAt ?? now) : now
    const iv = sealOrigin(provenAt, randomBytes(TICKET_NONCE_BYTES), hmacKey)
    return [TICKET.good, hmacKey, Buffer.from(current.revealAesKey()), Buffer.from(current.name), iv]
  }

  #open(name: Uint8Array, iv: Uint8Array): TicketAnswer {
    const now = Date.now()
    const { current, accepted } = this.#keys.keysAt(now)
    const key = accepted.find((candidate) => candidate.isNamedBy(name))
    if (key === undefined || !this.#isAlive(iv, key, now)) return [TICKET.unknown, NO_KEY, NO_KEY]
    return [
      key === current && !this.#isForTls13 ? TICKET.good : TICKET.renew,
      Buffer.from(key.revealHmacKey()),
      Buffer.from(key.revealAesKey()),
    ]
  }

  /** Without a handshake to keep the date for there would be no end: a full handshake then. */
  #isAlive(iv: Uint8Array, key: TicketKey, now: number): boolean {
    if (this.#current === undefined) return false
    const provenAt = openOrigin(iv, key.revealHmacKey())
    const ageMs = now - provenAt
    if (ageMs >= this.#lifetimeMs || ageMs < -this.#keys.clockSkewMs) return false
    this.#current.provenAt = Math.min(provenAt, now)
    return true
  }
}

function isTicketContext(context: unknown): context is TicketCallbackContext {
  return typeof context === 'object' && context !== null && 'setTicketKeys' in context
}
