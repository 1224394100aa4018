import './seed.ts'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { guardSessionStore } from '../../src/security/resumption/guarded-session-store.ts'
import { FakeClock } from '../../src/testing/fake-clock.ts'
import { ScriptedSessionStore, type Behaviour } from '../support/scripted-session-store.ts'

const TIMEOUT_MS = 50
const MAX_PENDING = 4

const behaviour: fc.Arbitrary<Behaviour> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('works' as const), afterMs: fc.nat({ max: 60 }) }) },
  fc.record({ kind: fc.constant('rejects' as const), afterMs: fc.nat({ max: 60 }) }),
  fc.record({ kind: fc.constantFrom('throws' as const, 'never' as const) }),
  fc
    .oneof(fc.anything(), fc.uint8Array({ maxLength: 40 }))
    .map((answer) => ({ kind: 'lies' as const, answer: answer === undefined ? Promise.resolve(null) : answer })),
)
const id = fc.integer({ min: 1, max: 4 }).map((at) => Uint8Array.of(at))
const step = fc.oneof(
  fc.record({ kind: fc.constant('get' as const), id }),
  fc.record({ kind: fc.constant('set' as const), id, length: fc.integer({ min: 0, max: 40 }) }),
  fc.record({ kind: fc.constant('delete' as const), id }),
  fc.record({ kind: fc.constant('pass' as const), ms: fc.nat({ max: 100 }) }),
)

it('never rejects, waits or loses count, whatever the store does, and gives sessions or nothing', async () => {
  const scripts = fc.array(behaviour, { minLength: 1, maxLength: 40 })
  await fc.assert(
    fc.asyncProperty(scripts, fc.array(step, { maxLength: 60 }), async (script, steps) => {
      const clock = new FakeClock()
      const store = new ScriptedSessionStore(clock, script)
      const limits = { timeoutMs: TIMEOUT_MS, maxSessionBytes: 32, maxPending: MAX_PENDING, restMinMs: 20, restMaxMs: 80 }
      const guard = guardSessionStore(store, { clock, ...limits, restAfterFailures: 3 })
      const lies = script.some(({ kind }) => kind === 'lies')
      const open = new Set<number>()
      const gets: Promise<void>[] = []
      let calls = 0
      for (const [at, next] of steps.entries()) {
        if (next.kind === 'pass') {
          clock.advance(next.ms)
          await settled()
          continue
        }
        calls += 1
        if (next.kind === 'set') guard.set(next.id, new Uint8Array(next.length).fill(next.id[0] ?? 0), { expiresInMs: 1_000 })
        else if (next.kind === 'delete') guard.delete(next.id)
        else {
          open.add(at)
          const got = guard.get(next.id).then((session) => {
            open.delete(at)
            if (session === undefined) return
            expect(session).toBeInstanceOf(Uint8Array)
            expect(session.length).toBeGreaterThan(0)
            expect(session.length).toBeLessThanOrEqual(32)
            if (!lies) expect(new Set(session)).toEqual(new Set(next.id))
          })
          gets.push(got)
        }
        expect(clock.pendingTimers - store.pending).toBeLessThanOrEqual(MAX_PENDING)
      }
      clock.advance(TIMEOUT_MS)
      await settled()
      expect(open.size).toBe(0)
      await Promise.all(gets)
      const { resting: _, ...ends } = guard.counters
      expect(Object.values(ends).reduce((sum, count) => sum + count, 0)).toBe(calls)
      clock.advance(100)
      expect([clock.pendingTimers, store.pending]).toEqual([0, 0])
    }),
  )
})

function settled(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}
