import { createHash, hkdfSync } from 'node:crypto'
import { SzmqError } from '../../shared/errors.ts'
import type { Random } from '../../shared/random.ts'
import { MIN_SECRET_BYTES, requireSecret } from './session-cipher.ts'

/** What a ticket begins with: the name of its key. RFC 5077 §4; OpenSSL and GnuTLS do so in TLS 1.3 too. */
export const TICKET_KEY_NAME_BYTES = 16

const HOUR_MS = 3_600_000
/** No ticket is accepted longer: 7 days. RFC 8446 §4.6.1. */
const MAX_ACCEPT_PREVIOUS_MS = 7 * 24 * HOUR_MS
/** How many periods back at most: each accepted key is looked at for each ticket. */
const MAX_PREVIOUS_PERIODS = 16

export interface TicketKeysOptions {
  /** At least 32 random bytes, the same on every server of a group: see {@link generateTicketSecret}. Copied. */
  readonly secret: Uint8Array
  /** New tickets get a new key so often, on all servers at the same moment. At least 1 000. Default 12 hours. */
  readonly rotateEveryMs?: number
  /** For so long after its period a key still opens tickets. At most 16 periods and 7 days, or one period if
   * that is longer. Default: one period. */
  readonly acceptPreviousForMs?: number
  /**
   * By how much two servers' clocks may differ. Around each rotation both keys are accepted for this long before and after. At most half
   * a period. Default 5 minutes, or a quarter of a shorter period.
   */
  readonly clockSkewMs?: number
  /**
   * What the tickets stand on: the CA and CRL in use, say, as a digest. Another context, other keys: tickets from before a certificate was
   * revoked open nothing after it. Default: empty.
   */
  readonly context?: Uint8Array
}

/** The keys of one moment. */
export interface TicketKeySet {
  /** Seals new tickets. */
  readonly current: TicketKey
  /** Those that open tickets: the current one first, then previous ones, newest first, then the next. */
  readonly accepted: readonly TicketKey[]
  /** Until this moment, in milliseconds since 1970, nothing changes. Ask again then; extra calls are harmless. */
  readonly changesAt: number
}

/** Keys of session tickets that a group of servers agrees on without talking. See {@link TicketKeys}. @throws as it does */
export function createTicketKeys(options: TicketKeysOptions): TicketKeys {
  return new TicketKeys(options)
}

/** A secret for {@link createTicketKeys}. Keep it as you keep a private key, and give it to every server of the group. */
export function generateTicketSecret(random: Random): Uint8Array<ArrayBuffer> {
  return random.bytes(MIN_SECRET_BYTES)
}

/**
 * Time is cut into periods; each period's key is derived (HKDF-SHA-256, RFC 5869) from the secret, the context and the period's number.
 * So servers with one secret and roughly equal clocks hold the same keys at any time, also after a restart. Sans-IO: the time comes in,
 * as milliseconds since 1970.
 *
 * Who learns the secret learns all keys, past ones too, and with them every recorded TLS 1.2 connection that was made or resumed with a
 * ticket, as well as TLS 1.3's early data. Other TLS 1.3 connections keep their forward secrecy, as each resumption exchanges fresh keys
 * (psk_dhe_ke). So change the secret from time to time; it costs one full handshake for each client.
 *
 * Shows no secret in `util.inspect` or JSON.
 */
export class TicketKeys {
  readonly rotateEveryMs: number
  readonly acceptPreviousForMs: number
  readonly clockSkewMs: number
  readonly #secret: Uint8Array
  /** A digest, as HKDF takes salts that differ by zeros at their end for the same. */
  readonly #salt: Uint8Array
  /** Those of the last call. */
  #keys = new Map<number, TicketKey>()

  /** @throws ERR_SZMQ_INVALID_ARGUMENT for a short secret or a time out of its bounds */
  constructor({
    secret,
    rotateEveryMs = 12 * HOUR_MS,
    acceptPreviousForMs = rotateEveryMs,
    clockSkewMs = Math.min(HOUR_MS / 12, rotateEveryMs / 4),
    context = new Uint8Array(),
  }: TicketKeysOptions) {
    requireSecret(secret)
    requireBetween('rotateEveryMs', rotateEveryMs, 1_000, Number.MAX_SAFE_INTEGER)
    const longest = Math.min(MAX_ACCEPT_PREVIOUS_MS, MAX_PREVIOUS_PERIODS * rotateEveryMs)
    requireBetween('acceptPreviousForMs', acceptPreviousForMs, 0, Math.max(longest, rotateEveryMs))
    requireBetween('clockSkewMs', clockSkewMs, 0, rotateEveryMs / 2)
    this.rotateEveryMs = rotateEveryMs
    this.acceptPreviousForMs = acceptPreviousForMs
    this.clockSkewMs = clockSkewMs
    this.#secret = new Uint8Array(secret)
    this.#salt = createHash('sha256').update(context).digest()
  }

  /** @throws ERR_SZMQ_INVALID_ARGUMENT for a time that is none or before 1970 */
  keysAt(epochMs: number): TicketKeySet {
    requireBetween('the time', epochMs, 0, Number.MAX_SAFE_INTEGER)
    const period = Math.floor(epochMs / this.rotateEveryMs)
    const previous = range(this.#oldestAcceptedAt(epochMs, period), period).toReversed()
    const isNextAccepted = epochMs >= this.#startOf(period + 1) - this.clockSkewMs
    const accepted = [period, ...previous, ...(isNextAccepted ? [period + 1] : [])]
    const keys = new Map(accepted.map((each) => [each, this.#keys.get(each) ?? this.#derive(each)]))
    this.#keys = keys
    const current = keys.get(period) ?? this.#derive(period)
    return { current, accepted: [...keys.values()], changesAt: this.#changesAt(epochMs, period) }
  }

  /** The accepted key that `ticket` names by its first 16 bytes. Anyone can write a name: only opening the ticket proves anything. */
  find(ticket: Uint8Array, epochMs: number): TicketKey | undefined {
    return this.keysAt(epochMs).accepted.find((key) => key.isNamedBy(ticket))
  }

  /**
   * The secret: 64 bytes for `gnutls_session_ticket_enable_server`, always the same for one secret and context. GnuTLS takes it for a
   * master key: it derives the keys of tickets from it and the system's time, by periods of three times the session's cache expiration
   * (`gnutls_db_set_cache_expiration`), and opens tickets of the period before too (its `lib/stek.c`). Only with GnuTLS ≥ 3.6.14: from
   * 3.6.4 on, older ones begin with a key of zeros (CVE-2020-13777).
   */
  revealGnutlsMasterKey(): Buffer {
    return this.#expand('szmq gnutls ticket master key 1', 64)
  }

  #startOf(period: number): number {
    return period * this.rotateEveryMs
  }

  #graceMs(): number {
    return Math.max(this.acceptPreviousForMs, this.clockSkewMs)
  }

  /** A period's key opens tickets until the grace after its end is over. */
  #oldestAcceptedAt(epochMs: number, period: number): number {
    let oldest = period
    while (oldest > 0 && epochMs < this.#startOf(oldest) + this.#graceMs()) oldest -= 1
    return oldest
  }

  #changesAt(epochMs: number, period: number): number {
    const end = this.#startOf(period + 1)
    const ends = range(this.#oldestAcceptedAt(epochMs, period), period).map((old) => this.#startOf(old + 1) + this.#graceMs())
    return Math.min(...[end, end - this.clockSkewMs, ...ends].filter((moment) => moment > epochMs))
  }

  #derive(period: number): TicketKey {
    return new TicketKey(this.#expand(`szmq ticket key 1, every ${this.rotateEveryMs} ms, period ${period}`, 48))
  }

  #expand(label: string, length: number): Buffer {
    return Buffer.from(hkdfSync('sha256', this.#secret, this.#salt, label, length))
  }
}

/** One key: its name, which stands in clear in each ticket, and the two secrets. These show neither in `util.inspect` nor in JSON. */
export class TicketKey {
  readonly #bytes: Buffer

  /** @param bytes 48: 16 name, 16 HMAC, 16 AES. Kept as they are. */
  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  /** 16 bytes, no secret. A copy. */
  get name(): Uint8Array {
    return new Uint8Array(this.#bytes.subarray(0, TICKET_KEY_NAME_BYTES))
  }

  /** Does a ticket say that it was made with this key? */
  isNamedBy(ticket: Uint8Array): boolean {
    if (ticket.length < TICKET_KEY_NAME_BYTES) return false
    return this.#bytes.subarray(0, TICKET_KEY_NAME_BYTES).equals(ticket.subarray(0, TICKET_KEY_NAME_BYTES))
  }

  /** The secret: 16 bytes. A copy. */
  revealHmacKey(): Uint8Array {
    return new Uint8Array(this.#bytes.subarray(16, 32))
  }

  /** The secret: 16 bytes. A copy. */
  revealAesKey(): Uint8Array {
    return new Uint8Array(this.#bytes.subarray(32, 48))
  }

  /** What may be shown. */
  toJSON(): { readonly name: string } {
    return { name: this.#bytes.toString('hex', 0, TICKET_KEY_NAME_BYTES) }
  }
}

/** The secret, as node:tls wants it for `ticketKeys`: 48 bytes, name, then HMAC key, then AES key. */
export function toNodeTicketKeys(key: TicketKey): Buffer {
  return Buffer.concat([key.name, key.revealHmacKey(), key.revealAesKey()])
}

/** From `first` up to, not including, `end`. */
function range(first: number, end: number): number[] {
  return Array.from({ length: end - first }, (_, at) => first + at)
}

function requireBetween(name: string, value: number, least: number, most: number): void {
  if (value >= least && value <= most) return
  throw new SzmqError('ERR_SZMQ_INVALID_ARGUMENT', `${name} is ${value}: give a number from ${least} to ${most}`)
}
