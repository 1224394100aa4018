import { randomBytes } from 'node:crypto'
import type { SecureContext } from 'node:tls'
import { toNodeTicketKeys, type TicketKeys } from './ticket-keys.ts'

/** What OpenSSL wants to hear about a ticket: 0 is unknown, 1 is good, 2 is good but to be renewed under the current key. */
const TICKET = { unknown: 0, good: 1, renew: 2 } as const
const IV_BYTES = 16

/** Node ends the process over an answer without keys, even if they are not used. */
type TicketAnswer = readonly [status: number, hmacKey: Buffer, aesKey: Buffer, name?: Buffer, iv?: Buffer]

const NO_KEY = Buffer.alloc(16)

/** Undocumented, there in Node 0.12 to 24: tickets are sealed and opened by a callback. */
interface TicketCallbackContext {
  enableTicketKeyCallback(): void
  onticketkeycallback?: (name: Buffer, iv: Buffer, isSealing: boolean) => TicketAnswer
  setTicketKeys(keys: Buffer): void
}

/**
 * Seals tickets with the current key and opens those of all accepted ones. A client of TLS 1.3 shows a ticket once (RFC 8446 §C.4) and gets
 * another for each; left to itself, Node gives none to a session that was resumed. Where a Node version lacks the callback the current key of this
 * moment is used for as long as the context lives: tickets of other periods mean full handshakes.
 */
export function useTicketKeys(secureContext: SecureContext, keys: TicketKeys, isForTls13: boolean): void {
  const context: unknown = secureContext.context
  if (!isTicketContext(context)) return
  if (typeof context.enableTicketKeyCallback !== 'function') {
    context.setTicketKeys(toNodeTicketKeys(keys.keysAt(Date.now()).current))
    return
  }
  context.onticketkeycallback = (name, _iv, isSealing) => {
    const { current, accepted } = keys.keysAt(Date.now())
    if (isSealing) {
      return [
        TICKET.good,
        Buffer.from(current.revealHmacKey()),
        Buffer.from(current.revealAesKey()),
        Buffer.from(current.name),
        randomBytes(IV_BYTES),
      ]
    }
    const key = accepted.find((candidate) => candidate.isNamedBy(name))
    if (key === undefined) return [TICKET.unknown, NO_KEY, NO_KEY]
    return [
      key === current && !isForTls13 ? TICKET.good : TICKET.renew,
      Buffer.from(key.revealHmacKey()),
      Buffer.from(key.revealAesKey()),
    ]
  }
  context.enableTicketKeyCallback()
}

function isTicketContext(context: unknown): context is TicketCallbackContext {
  return typeof context === 'object' && context !== null && 'setTicketKeys' in context
}
