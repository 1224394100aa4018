import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { openOrigin, sealOrigin, TICKET_IV_BYTES, TICKET_NONCE_BYTES } from '../../../../src/security/openssl/ticket-origin.ts'

describe('the origin in a ticket', () => {
  const key = randomBytes(16)

  it.each([0, 1, 1_800_000_000_000, 2 ** 48 - 1])('comes back: %d', (provenAt) => {
    const iv = sealOrigin(provenAt, randomBytes(TICKET_NONCE_BYTES), key)
    expect(iv).toHaveLength(TICKET_IV_BYTES)
    expect(openOrigin(iv, key)).toBe(provenAt)
  })

  it('looks like another time under another key', () => {
    const iv = sealOrigin(1_800_000_000_000, Buffer.alloc(TICKET_NONCE_BYTES, 7), Buffer.alloc(16, 1))
    expect(openOrigin(iv, Buffer.alloc(16, 2))).not.toBe(1_800_000_000_000)
  })

  it('makes two tickets of one client no more alike than two of different ones', () => {
    const ivs = [1, 2].map((nonce) => sealOrigin(1_800_000_000_000, Buffer.alloc(TICKET_NONCE_BYTES, nonce), key))
    expect(ivs[0]?.subarray(0, 6)).not.toEqual(ivs[1]?.subarray(0, 6))
  })
})
