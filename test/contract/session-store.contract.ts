import { inspect } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { guardSessionStore } from '../../src/security/resumption/guarded-session-store.ts'
import {
  DEFAULT_MAX_SESSION_BYTES,
  MAX_SESSION_ID_BYTES,
  type SessionStore,
} from '../../src/security/resumption/session-store.ts'
import { systemClock } from '../../src/shared/system-clock.driver.ts'
import { SzmqError } from '../../src/shared/errors.ts'

/** A store under test, with what the suite needs to know of its time. */
export interface StoreUnderTest {
  readonly store: SessionStore
  /** Returns when the store's clock has moved on by `ms` at least. */
  readonly pass: (ms: number) => Promise<void>
  readonly end?: () => Promise<void>
}

/** What every session store does. */
export function describeSessionStoreContract(title: string, open: () => Promise<StoreUnderTest>): void {
  describe(title, () => {
    let under: StoreUnderTest
    let store: SessionStore
    beforeAll(async () => {
      under = await open()
      store = under.store
    })
    afterAll(async () => {
      await under.end?.()
    })

    it('gives back each session as it was set, whatever its bytes and its length', async () => {
      const sessions = [
        allBytes(),
        Uint8Array.of(0),
        new Uint8Array(DEFAULT_MAX_SESSION_BYTES).fill(0xff),
        Buffer.from('\r\n"\\$'),
      ]
      for (const [at, session] of sessions.entries()) await store.set(idOf(`as set ${at}`), session, minute)
      for (const [at, session] of sessions.entries()) {
        expect(await store.get(idOf(`as set ${at}`))).toEqual(new Uint8Array(session))
      }
    })

    it.each([1, 2, 31, MAX_SESSION_ID_BYTES])('takes ids of %i bytes, any bytes', async (length) => {
      for (const byte of [0, 0x0a, 0x5c, 0x80, 0xff]) {
        const id = new Uint8Array(length).fill(byte)
        await store.set(id, Uint8Array.of(length, byte), minute)
        expect(await store.get(id)).toEqual(Uint8Array.of(length, byte))
      }
    })

    it('tells ids apart that begin alike', async () => {
      const ids = [Uint8Array.of(7), Uint8Array.of(7, 0), Uint8Array.of(7, 0, 0)]
      for (const id of ids) await store.set(id, Uint8Array.of(id.length), minute)
      expect(await Promise.all(ids.map((id) => store.get(id)))).toEqual(ids.map((id) => Uint8Array.of(id.length)))
    })

    it('takes bytes that lie in the middle of others', async () => {
      const whole = Buffer.from('before|the id|the session|after')
      await store.set(whole.subarray(7, 13), whole.subarray(14, 25), minute)
      expect(await store.get(new TextEncoder().encode('the id'))).toEqual(new TextEncoder().encode('the session'))
    })

    it('gives nothing for an id that it does not know, and for one that is none', async () => {
      expect(await store.get(idOf('unknown'))).toBeUndefined()
      expect(await store.get(new Uint8Array())).toBeUndefined()
      expect(await store.get(new Uint8Array(MAX_SESSION_ID_BYTES + 1))).toBeUndefined()
    })

    it('replaces', async () => {
      await store.set(idOf('replaced'), Uint8Array.of(1, 1, 1), { expiresInMs: 1 })
      await store.set(idOf('replaced'), Uint8Array.of(2), minute)
      await under.pass(5)
      expect(await store.get(idOf('replaced'))).toEqual(Uint8Array.of(2))
    })

    it('deletes; again is harmless', async () => {
      await store.set(idOf('deleted'), Uint8Array.of(1), minute)
      await store.delete(idOf('deleted'))
      await store.delete(idOf('deleted'))
      expect(await store.get(idOf('deleted'))).toBeUndefined()
    })

    it('gives nothing once a session expired, and the others still', async () => {
      await store.set(idOf('short'), Uint8Array.of(1), { expiresInMs: 20 })
      await store.set(idOf('a fraction'), Uint8Array.of(1), { expiresInMs: 0.5 })
      await store.set(idOf('long'), Uint8Array.of(2), minute)
      await under.pass(25)
      expect(await store.get(idOf('short'))).toBeUndefined()
      expect(await store.get(idOf('a fraction'))).toBeUndefined()
      expect(await store.get(idOf('long'))).toEqual(Uint8Array.of(2))
    })

    it('shares no bytes with its callers', async () => {
      const [id, session] = [idOf('shared'), Uint8Array.of(1, 2, 3)]
      const set = store.set(id, session, minute)
      session.fill(9)
      await set
      const first = await store.get(id)
      first?.fill(9)
      id.fill(9)
      expect(await store.get(idOf('shared'))).toEqual(Uint8Array.of(1, 2, 3))
    })

    it('serves many calls at once', async () => {
      const ids = Array.from({ length: 200 }, (_, at) => idOf(`many ${at}`))
      await Promise.all(ids.map((id, at) => store.set(id, new Uint8Array(100).fill(at), minute)))
      const found = await Promise.all(ids.map((id) => store.get(id)))
      expect(found).toEqual(ids.map((_, at) => new Uint8Array(100).fill(at)))
    })

    it('shows an entry whole or not at all while others replace it', async () => {
      const id = idOf('torn')
      const writes = Array.from({ length: 50 }, (_, at) => store.set(id, new Uint8Array(4_000).fill(at), minute))
      const seen = await Promise.all(Array.from({ length: 50 }, () => store.get(id)))
      await Promise.all(writes)
      for (const session of seen) if (session !== undefined) expect([session.length, new Set(session).size]).toEqual([4_000, 1])
    })

    it.each([
      ['an empty id', new Uint8Array(), Uint8Array.of(1), 1, 'ERR_SZMQ_INVALID_ARGUMENT'],
      ['a long id', new Uint8Array(MAX_SESSION_ID_BYTES + 1), Uint8Array.of(1), 1, 'ERR_SZMQ_INVALID_ARGUMENT'],
      ['an empty session', Uint8Array.of(1), new Uint8Array(), 1, 'ERR_SZMQ_INVALID_ARGUMENT'],
      ['a session without end', Uint8Array.of(1), Uint8Array.of(1), Infinity, 'ERR_SZMQ_INVALID_ARGUMENT'],
      ['a session that expired', Uint8Array.of(1), Uint8Array.of(1), 0, 'ERR_SZMQ_INVALID_ARGUMENT'],
      ['a long session', Uint8Array.of(1), new Uint8Array(DEFAULT_MAX_SESSION_BYTES + 1), 1, 'ERR_SZMQ_LIMIT_EXCEEDED'],
    ])('refuses %s', async (_what, id, session, expiresInMs, code) => {
      const thrown = await store.set(id, session, { expiresInMs }).catch((error: unknown) => error)
      expect(thrown).toBeInstanceOf(SzmqError)
      expect(thrown).toMatchObject({ code })
    })

    it('shows no session in util.inspect or JSON', async () => {
      await store.set(idOf('hidden'), new TextEncoder().encode('master secret'), minute)
      const shown = inspect(store, { depth: 9, showHidden: true, getters: true }) + JSON.stringify(store)
      expect(shown).not.toMatch(/master secret|6d 61 73 74|109, ?97, ?115/)
    })

    it('serves behind the guard', async () => {
      const guard = guardSessionStore(store, { clock: systemClock, timeoutMs: 5_000 })
      guard.set(idOf('guarded'), allBytes(), minute)
      await guard[Symbol.asyncDispose]()
      expect(guard.counters.stored).toBe(1)
      const again = guardSessionStore(store, { clock: systemClock, timeoutMs: 5_000 })
      expect(await again.get(idOf('guarded'))).toEqual(allBytes())
      again.delete(idOf('guarded'))
      await again[Symbol.asyncDispose]()
      expect(await store.get(idOf('guarded'))).toBeUndefined()
    })
  })
}

const minute = { expiresInMs: 60_000 }

function idOf(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

function allBytes(): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, at) => at)
}
