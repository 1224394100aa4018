import { createHmac } from 'node:crypto'

/** As long as an AES block: what a ticket carries for its cipher. */
export const TICKET_IV_BYTES = 16
const TIME_BYTES = 6

/**
 * The IV of a ticket that also says when its client last proved itself by a certificate, in milliseconds since 1970: first the time under a
 * mask that only the ticket's key gives, then `nonce`. To anybody else it is as random as `nonce` is, so that tickets cannot be told to belong
 * together (RFC 8446 §C.4). The ticket's HMAC covers it.
 *
 * @param nonce 10 random bytes
 */
export function sealOrigin(provenAt: number, nonce: Uint8Array, hmacKey: Uint8Array): Buffer {
  const time = Buffer.alloc(TIME_BYTES)
  time.writeUIntBE(provenAt, 0, TIME_BYTES)
  return Buffer.concat([mask(time, nonce, hmacKey), nonce])
}

/** The time in an IV of {@link sealOrigin}; any number if it is another's. */
export function openOrigin(iv: Uint8Array, hmacKey: Uint8Array): number {
  return mask(iv.subarray(0, TIME_BYTES), iv.subarray(TIME_BYTES), hmacKey).readUIntBE(0, TIME_BYTES)
}

export const TICKET_NONCE_BYTES = TICKET_IV_BYTES - TIME_BYTES

function mask(time: Uint8Array, nonce: Uint8Array, hmacKey: Uint8Array): Buffer {
  const pad = createHmac('sha256', hmacKey).update('szmq ticket origin 1').update(nonce).digest()
  return Buffer.from(time.map((byte, at) => byte ^ (pad[at] ?? 0)))
}
