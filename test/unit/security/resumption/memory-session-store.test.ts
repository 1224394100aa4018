import { describe, expect, it } from 'vitest'
import { createMemorySessionStore } from '../../../../src/security/resumption/memory-session-store.ts'
import { FakeClock } from '../../../../src/testing/fake-clock.ts'

const minute = { expiresInMs: 60_000 }
const idOf = (at: number): Uint8Array => Uint8Array.of(at >> 8, at & 0xff)

describe('a session store in memory', () => {
  it('lets the least recently used go when there are too many', async () => {
    const store = createMemorySessionStore({ maxSessions: 3, clock: new FakeClock() })
    for (const at of [1, 2, 3]) await store.set(idOf(at), Uint8Array.of(at), minute)
    await store.get(idOf(1))
    await store.set(idOf(4), Uint8Array.of(4), minute)
    const kept = await Promise.all([1, 2, 3, 4].map((at) => store.get(idOf(at))))
    expect(kept.map((session) => session?.[0])).toEqual([1, undefined, 3, 4])
  })

  it('lets the least recently used go when they weigh too much', async () => {
    const store = createMemorySessionStore({ maxBytes: 10_000, clock: new FakeClock() })
    for (let at = 0; at < 100; at += 1) await store.set(idOf(at), new Uint8Array(1_000), minute)
    expect(store.bytes).toBeLessThanOrEqual(10_000)
    expect(store.size).toBeGreaterThan(5)
    expect(await store.get(idOf(99))).toBeDefined()
  })

  it('keeps no session that alone weighs too much, nor what it was to replace', async () => {
    const store = createMemorySessionStore({ maxBytes: 1_000, clock: new FakeClock() })
    await store.set(idOf(1), Uint8Array.of(1), minute)
    await store.set(idOf(1), new Uint8Array(2_000), minute)
    expect(await store.get(idOf(1))).toBeUndefined()
  })

  it('expires to the millisecond and sets no timer', async () => {
    const clock = new FakeClock()
    const store = createMemorySessionStore({ clock })
    await store.set(idOf(1), Uint8Array.of(1), { expiresInMs: 100 })
    expect(clock.pendingTimers).toBe(0)
    clock.advance(99)
    expect(await store.get(idOf(1))).toEqual(Uint8Array.of(1))
    clock.advance(1)
    expect(await store.get(idOf(1))).toBeUndefined()
    expect(store.size).toBe(0)
  })

  it('sweeps expired sessions out as new ones come in', async () => {
    const clock = new FakeClock()
    const store = createMemorySessionStore({ clock })
    for (let at = 0; at < 100; at += 1) await store.set(idOf(at), Uint8Array.of(1), { expiresInMs: 10 })
    clock.advance(10)
    for (let at = 100; at < 150; at += 1) await store.set(idOf(at), Uint8Array.of(2), minute)
    expect(store.size).toBe(50)
  })

  it('forgets all when it is disposed', async () => {
    const store = createMemorySessionStore({ clock: new FakeClock() })
    await store.set(idOf(1), Uint8Array.of(1), minute)
    await store[Symbol.asyncDispose]()
    expect([store.size, await store.get(idOf(1))]).toEqual([0, undefined])
  })

  it.each([{ maxSessions: 0 }, { maxBytes: -1 }, { maxSessionBytes: Number.NaN }])('refuses %o', (limits) => {
    expect(() => createMemorySessionStore({ ...limits, clock: new FakeClock() })).toThrow(
      expect.objectContaining({ code: 'ERR_SZMQ_INVALID_ARGUMENT' }),
    )
  })
})
