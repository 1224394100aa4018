import './seed.ts'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { createTicketKeys, type TicketKeysOptions } from '../../src/security/resumption/ticket-keys.ts'

const secret = new Uint8Array(32).fill(1)

/** Options with times that often meet at a border. */
const options: fc.Arbitrary<TicketKeysOptions & { readonly rotateEveryMs: number; readonly clockSkewMs: number }> = fc
  .record({
    rotateEveryMs: fc.integer({ min: 1_000, max: 5_000 }),
    skew: fc.double({ min: 0, max: 0.5, noNaN: true }),
    accept: fc.double({ min: 0, max: 16, noNaN: true }),
  })
  .map(({ rotateEveryMs, skew, accept }) => ({
    secret,
    rotateEveryMs,
    clockSkewMs: Math.floor(rotateEveryMs * skew),
    acceptPreviousForMs: Math.floor(rotateEveryMs * accept),
  }))
const moment = fc.integer({ min: 100_000, max: 200_000 })
const fraction = fc.double({ min: -1, max: 1, noNaN: true })

it('opens at once what a server with another clock sealed, while their difference is within clockSkewMs', () => {
  fc.assert(
    fc.property(options, moment, fraction, (given, now, difference) => {
      const { name } = createTicketKeys(given).keysAt(now).current
      const elsewhere = now + Math.trunc(given.clockSkewMs * difference)
      expect(createTicketKeys(given).find(name, elsewhere)).toBeDefined()
    }),
  )
})

it('opens a ticket for acceptPreviousForMs after its period, and never longer than that or the clocks may differ', () => {
  fc.assert(
    fc.property(options, moment, fc.nat({ max: 100_000 }), (given, now, laterMs) => {
      const keys = createTicketKeys(given)
      const { name } = keys.keysAt(now).current
      const periodEnd = (Math.floor(now / given.rotateEveryMs) + 1) * given.rotateEveryMs
      const isWithin = now + laterMs < periodEnd + Math.max(keys.acceptPreviousForMs, keys.clockSkewMs)
      expect(keys.find(name, now + laterMs) !== undefined).toBe(isWithin)
    }),
  )
})

it('changes at changesAt and not before; its current key is among the accepted, none is there twice', () => {
  fc.assert(
    fc.property(options, moment, fc.double({ min: 0, max: 1, noNaN: true }), (given, now, between) => {
      const keys = createTicketKeys(given)
      const before = keys.keysAt(now)
      expect(before.changesAt).toBeGreaterThan(now)
      const moments = [now + Math.floor((before.changesAt - 1 - now) * between), before.changesAt - 1]
      for (const later of moments) expect(JSON.stringify(keys.keysAt(later))).toBe(JSON.stringify(before))
      expect(JSON.stringify(keys.keysAt(before.changesAt).accepted)).not.toBe(JSON.stringify(before.accepted))
      expect(before.accepted[0]).toBe(before.current)
      expect(new Set(before.accepted.map((key) => JSON.stringify(key))).size).toBe(before.accepted.length)
      expect(before.accepted.length).toBeLessThanOrEqual(18)
    }),
  )
})
