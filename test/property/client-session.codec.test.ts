import './seed.ts'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  decodeKeptSession,
  encodeKeptSession,
  MAX_KEPT_CERTIFICATES,
} from '../../src/security/resumption/client-session.codec.ts'

describe('what a client keeps of a session', () => {
  it('comes back as it was', () => {
    const chains = fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: MAX_KEPT_CERTIFICATES })
    fc.assert(
      fc.property(chains, fc.uint8Array({ maxLength: 300 }), (chain, data) => {
        const kept = decodeKeptSession(encodeKeptSession({ chain, data }))
        expect(kept?.chain.map((each) => [...each])).toEqual(chain.map((each) => [...each]))
        expect([...(kept?.data ?? [])]).toEqual([...data])
      }),
    )
  })

  it('is nothing once a bit of it was flipped', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 300 }), fc.nat(), (data, place) => {
        const bytes = encodeKeptSession({ chain: [data], data }).slice()
        const at = place % bytes.length
        bytes[at] = (bytes[at] ?? 0) ^ (1 << (place % 8))
        expect(decodeKeptSession(bytes)).toBeUndefined()
      }),
    )
  })

  it('is nothing or something that encodes to the same bytes, for any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const kept = decodeKeptSession(bytes)
        if (kept !== undefined) expect([...encodeKeptSession(kept)]).toEqual([...bytes])
      }),
    )
  })
})
