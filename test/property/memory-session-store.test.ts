import './seed.ts'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { createMemorySessionStore } from '../../src/security/resumption/memory-session-store.ts'
import { FakeClock } from '../../src/testing/fake-clock.ts'

const IDS = 7
const id = fc.nat({ max: IDS - 1 })
const step = fc.oneof(
  fc.record({
    kind: fc.constant('set' as const),
    id,
    byte: fc.nat({ max: 255 }),
    expiresInMs: fc.integer({ min: 1, max: 50 }),
  }),
  fc.record({ kind: fc.constantFrom('get' as const, 'delete' as const), id }),
  fc.record({ kind: fc.constant('pass' as const), ms: fc.nat({ max: 30 }) }),
)

it('is a map with expiry that forgets a session that did not expire only when there are too many', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 80 }), fc.integer({ min: 1, max: 8 }), async (steps, maxSessions) => {
      const clock = new FakeClock()
      const store = createMemorySessionStore({ maxSessions, clock })
      const model = new Map<number, { readonly byte: number; readonly expiresAt: number }>()
      for (const next of steps) {
        switch (next.kind) {
          case 'pass':
            clock.advance(next.ms)
            break
          case 'delete':
            await store.delete(Uint8Array.of(next.id))
            model.delete(next.id)
            break
          case 'set':
            await store.set(Uint8Array.of(next.id), Uint8Array.of(next.byte), { expiresInMs: next.expiresInMs })
            model.set(next.id, { byte: next.byte, expiresAt: clock.now() + next.expiresInMs })
            break
          case 'get': {
            const entry = model.get(next.id)
            const isAlive = entry !== undefined && entry.expiresAt > clock.now()
            const found = await store.get(Uint8Array.of(next.id))
            if (found !== undefined) expect([isAlive, found[0]]).toEqual([true, entry?.byte])
            // When all fit there is no reason to forget one.
            else if (isAlive) expect(maxSessions).toBeLessThan(IDS)
            break
          }
          default:
            next satisfies never
        }
        expect(store.size).toBeLessThanOrEqual(maxSessions)
        expect(clock.pendingTimers).toBe(0)
      }
    }),
  )
})
