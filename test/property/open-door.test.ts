import './seed.ts'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encodeCleartextRecord } from '../../src/testing/cleartext-record.codec.ts'
import { insecureCleartextEngine } from '../../src/testing/cleartext-engine.ts'
import { FakeClock } from '../../src/testing/fake-clock.ts'
import { SeededRandom } from '../../src/testing/seeded-random.ts'
import { COOKIE_BYTES, encodeFrame, sessionIdOf } from '../../src/transport/frame.codec.ts'
import { HelloCookies, type CookieTerms } from '../../src/transport/hello-cookies.ts'
import { HelloMemory, MAX_COOKIE_ANSWERS, MAX_HELLO_BYTES } from '../../src/transport/hello-memory.ts'
import { PathRate } from '../../src/transport/path-rate.ts'
import { StreamServer } from '../../src/transport/stream-server.ts'
import { StreamNetwork } from '../support/memory-network.ts'

const text = (value: string) => new TextEncoder().encode(value)
const terms: fc.Arbitrary<CookieTerms> = fc.record({
  envelope: fc.array(fc.uint8Array({ maxLength: 4 }), { maxLength: 3 }),
  sessionId: fc.uint8Array({ minLength: 16, maxLength: 16 }).map(sessionIdOf),
  epoch: fc.integer({ min: 1, max: 0xffff_ffff }),
})
const same = (a: CookieTerms, b: CookieTerms) =>
  JSON.stringify([a.envelope.map((part) => [...part]), a.sessionId, a.epoch]) ===
  JSON.stringify([b.envelope.map((part) => [...part]), b.sessionId, b.epoch])

describe('a cookie', () => {
  it('is good for its own terms and no others, while it lives and no longer', () => {
    fc.assert(
      fc.property(terms, terms, fc.nat({ max: 3_000 }), fc.nat({ max: 5_000 }), (own, other, startMs, ageMs) => {
        const clock = new FakeClock()
        const cookies = new HelloCookies(1_000, { clock, random: new SeededRandom(1) })
        clock.advance(startMs)
        const cookie = cookies.bake(own)
        expect(cookie).toHaveLength(COOKIE_BYTES)
        clock.advance(ageMs)
        if (ageMs < 1_000) expect(cookies.isGood(cookie, own)).toBe(true)
        if (ageMs >= 2_000) expect(cookies.isGood(cookie, own)).toBe(false)
        expect(cookies.isGood(cookie, other)).toBe(same(own, other) && cookies.isGood(cookie, own))
      }),
    )
  })

  it('cannot be told from its terms: no byte may differ, and another server bakes another', () => {
    fc.assert(
      fc.property(terms, fc.nat({ max: 8 * COOKIE_BYTES - 1 }), (own, bit) => {
        const clock = new FakeClock()
        const cookies = new HelloCookies(1_000, { clock, random: new SeededRandom(1) })
        const cookie = cookies.bake(own)
        const forged = cookie.map((byte, at) => (at === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte))
        expect(cookies.isGood(forged, own)).toBe(false)
        expect(cookies.isGood(cookie.subarray(1), own)).toBe(false)
        expect(new HelloCookies(1_000, { clock, random: new SeededRandom(2) }).isGood(cookie, own)).toBe(false)
      }),
    )
  })
})

it('a client remembers a bounded hello, and says it a bounded number of times', () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('keep' as const), length: fc.integer({ min: 1, max: MAX_HELLO_BYTES }) }),
    fc.record({ kind: fc.constant('cookie' as const), byte: fc.nat({ max: 5 }) }),
    fc.constant({ kind: 'begin' as const }),
    fc.constant({ kind: 'forget' as const }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const memory = new HelloMemory()
      let answers = 0
      let sequence = 0
      for (const each of steps) {
        if (each.kind === 'keep') memory.keep({ sequence: sequence++, bytes: new Uint8Array(each.length) })
        else if (each.kind === 'begin') {
          memory.begin()
          answers = sequence = 0
        } else if (each.kind === 'forget') memory.forget()
        else {
          const frames = memory.answer(new Uint8Array(COOKIE_BYTES).fill(each.byte))
          if (frames.length > 0) answers += 1
          expect(frames.reduce((sum, { bytes }) => sum + bytes.length, 0)).toBeLessThanOrEqual(MAX_HELLO_BYTES)
          expect(frames.map((frame) => frame.sequence)).toEqual(frames.map((_, at) => at))
        }
        expect(answers).toBeLessThanOrEqual(MAX_COOKIE_ANSWERS)
      }
    }),
  )
})

it('a rate grants no more than it says, to a path or to all, in any time; and what is full is forgotten', () => {
  const step = fc.record({ path: fc.nat({ max: 5 }).map(String), waitMs: fc.oneof(fc.constant(0), fc.nat({ max: 700 })) })
  const rates = fc.record({ perSecond: fc.integer({ min: 1, max: 20 }), perSecondOfPath: fc.integer({ min: 1, max: 10 }) })
  fc.assert(
    fc.property(rates, fc.array(step, { maxLength: 200 }), ({ perSecond, perSecondOfPath }, steps) => {
      const clock = new FakeClock()
      const rate = new PathRate({ perSecond, perSecondOfPath }, clock)
      const granted: { readonly path: string; readonly at: number }[] = []
      for (const { path, waitMs } of steps) {
        clock.advance(waitMs)
        const mayPass = rate.allows(path)
        if (rate.take(path)) {
          expect(mayPass).toBe(true)
          granted.push({ path, at: clock.now() })
        }
        const since = (windowMs: number) => granted.filter(({ at }) => at > clock.now() - windowMs)
        for (const windowMs of [1, 1_000, 5_000]) {
          const most = (each: number) => each + (each * windowMs) / 1_000 + 1e-6
          expect(since(windowMs).length).toBeLessThanOrEqual(most(perSecond))
          expect(since(windowMs).filter((grant) => grant.path === path).length).toBeLessThanOrEqual(most(perSecondOfPath))
        }
        expect(rate.size).toBeLessThanOrEqual(6)
      }
    }),
    { numRuns: 50 },
  )
})

it('remembers no more paths than a rate grants in two seconds, however many come', () => {
  const clock = new FakeClock()
  const rate = new PathRate({ perSecond: 100, perSecondOfPath: 5 }, clock)
  for (let path = 0; path < 50_000; path += 1) {
    rate.take(String(path))
    if (path % 10 === 0) clock.advance(5)
    expect(rate.size).toBeLessThanOrEqual(200)
  }
})

describe('the door, whatever knocks', () => {
  const ids = Array.from({ length: 6 }, (_, at) => sessionIdOf(new Uint8Array(16).fill(at)))
  const good = encodeCleartextRecord({ type: 'handshake', payload: text('ClientHello x') }, 0)
  const knock = fc.record({
    path: fc.nat({ max: 3 }).map((path) => `path-${path}`),
    id: fc.nat({ max: 5 }),
    epoch: fc.integer({ min: 1, max: 3 }),
    sequence: fc.nat({ max: 1 }),
    cookie: fc.option(fc.uint8Array({ minLength: COOKIE_BYTES, maxLength: COOKIE_BYTES })),
    bytes: fc.oneof(fc.constant(good), fc.uint8Array({ minLength: 1, maxLength: 60 })),
    waitMs: fc.constantFrom(0, 0, 0, 1, 400, 11_000),
  })
  const LIMITS = {
    maxSessions: 4,
    maxSessionsPerPath: 3,
    maxHalfOpenSessions: 3,
    maxHalfOpenPerPath: 2,
    maxHandshakesPerSecond: 8,
    maxHandshakesPerSecondOfPath: 4,
    cookieFromHalfOpenSessions: 2,
    cookieFromHandshakesPerSecond: 3,
    maxCookiesPerSecond: 6,
    maxCookiesPerSecondOfPath: 3,
  }

  it('keeps every bound, counts what it does not take, and never answers with more cookies and resets than came in', () => {
    fc.assert(
      fc.property(fc.array(knock, { maxLength: 80 }), (knocks) => {
        const clock = new FakeClock()
        let answered = 0
        let made = 0
        const server = new StreamServer(
          { engine: insecureCleartextEngine({ role: 'server', name: 'server' }), limits: LIMITS },
          { clock, random: new SeededRandom(1) },
          ({ envelope, parts: [header, bytes] }) => {
            if ((header[3] ?? 0) !== 0x81) answered += header.length + bytes.length + (envelope[0]?.length ?? 0)
          },
          () => {
            made += 1
            return () => {}
          },
        )
        for (const { path, id, epoch, sequence, cookie, bytes, waitMs } of knocks) {
          const sender = { from: 'client', sessionId: ids[id] ?? sessionIdOf(new Uint8Array(16)), epoch } as const
          const parts = encodeFrame(
            cookie === null ? { kind: 'tls', ...sender, sequence, bytes } : { kind: 'hello', ...sender, cookie, bytes },
          )
          const message = [text(path), ...parts]
          const before = { made, counted: total(server.counters) }
          answered = 0
          server.receive(message)
          expect(answered).toBeLessThanOrEqual(message.reduce((sum, part) => sum + part.length, 0))
          expect([...server.channels].length).toBeLessThanOrEqual(LIMITS.maxSessions)
          expect(server.halfOpenSessions).toBeLessThanOrEqual(LIMITS.maxHalfOpenSessions)
          if (made === before.made && [...server.channels].every((session) => session.id !== sender.sessionId)) {
            expect(total(server.counters)).toBeGreaterThan(before.counted)
          }
          clock.advance(waitMs)
        }
        server.destroy()
        expect(clock.pendingTimers).toBe(0)
      }),
      { numRuns: 200 },
    )
  })

  it('lets every honest client in when the network is calm again', () => {
    fc.assert(
      fc.property(fc.array(knock, { maxLength: 60 }), fc.integer({ min: 1, max: 3 }), (knocks, clients) => {
        const clock = new FakeClock()
        const network = new StreamNetwork({ clock, limits: LIMITS })
        for (const { path, id, epoch, sequence, bytes, waitMs } of knocks) {
          const sessionId = ids[id] ?? sessionIdOf(new Uint8Array(16))
          network.inject({
            to: 'server',
            client: path,
            parts: encodeFrame({ kind: 'tls', from: 'client', sessionId, epoch, sequence, bytes }),
          })
          network.run()
          clock.advance(waitMs)
        }
        clock.advance(20_000)
        for (let at = 0; at < clients; at += 1) {
          const client = network.connect(`honest-${at}`)
          network.run()
          expect(client.channel?.status.kind).toBe('open')
        }
      }),
      { numRuns: 100 },
    )
  })
})

function total(counters: object): number {
  return Object.values(counters).reduce((sum: number, count: unknown) => sum + (typeof count === 'number' ? count : 0), 0)
}
