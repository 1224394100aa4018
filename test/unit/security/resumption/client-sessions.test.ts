import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { ClientSessions, clientSessionKey, type ClientSession } from '../../../../src/security/resumption/client-sessions.ts'
import { FakeClock } from '../../../../src/testing/fake-clock.ts'

const minute = { lifetimeMs: 60_000 }
const key = clientSessionKey('node-b', 'trust 1')

function ticket(byte: number, version: ClientSession['version'] = 'TLSv1.3'): ClientSession {
  return { version, data: Uint8Array.of(byte) }
}

function create(limits: ConstructorParameters<typeof ClientSessions>[0] | Record<string, number> = {}): {
  readonly clock: FakeClock
  readonly sessions: ClientSessions
} {
  const clock = new FakeClock()
  return { clock, sessions: new ClientSessions({ ...limits, clock }) }
}

describe('a client’s sessions', () => {
  it('gives a TLS 1.3 ticket once, the newest first', () => {
    const { sessions } = create()
    for (const byte of [1, 2]) sessions.remember(key, ticket(byte), minute)
    expect([sessions.take(key), sessions.take(key), sessions.take(key)]).toEqual([ticket(2), ticket(1), undefined])
    expect(sessions.size).toBe(0)
  })

  it('gives a TLS 1.2 session as often as it is asked', () => {
    const { sessions } = create()
    sessions.remember(key, ticket(1, 'TLSv1.2'), minute)
    sessions.take(key)?.data.fill(0)
    expect([sessions.take(key), sessions.take(key)]).toEqual([ticket(1, 'TLSv1.2'), ticket(1, 'TLSv1.2')])
  })

  it('keeps peers apart by their name and by what they are trusted for', () => {
    const { sessions } = create()
    sessions.remember(clientSessionKey('node-b', 'trust 1'), ticket(1), minute)
    for (const other of [clientSessionKey('node-b', 'trust 2'), clientSessionKey('node-c', 'trust 1')]) {
      expect(sessions.take(other)).toBeUndefined()
    }
    expect(clientSessionKey('a","b', 'c')).not.toBe(clientSessionKey('a', 'b","c'))
  })

  it('keeps maxPerPeer, the newest', () => {
    const { sessions } = create({ maxPerPeer: 3 })
    for (const byte of [1, 2, 3, 4, 5]) sessions.remember(key, ticket(byte), minute)
    expect([1, 2, 3, 4].map(() => sessions.take(key)?.data[0])).toEqual([5, 4, 3, undefined])
  })

  it('forgets the peer that was not met for longest when there are too many', () => {
    const { sessions } = create({ maxPeers: 2 })
    sessions.remember('a', ticket(1, 'TLSv1.2'), minute)
    sessions.remember('b', ticket(2, 'TLSv1.2'), minute)
    sessions.take('a')
    sessions.remember('c', ticket(3, 'TLSv1.2'), minute)
    expect(['a', 'b', 'c'].map((each) => sessions.take(each)?.data[0])).toEqual([1, undefined, 3])
  })

  it('forgets a session when its lifetime is over, and sets no timer', () => {
    const { clock, sessions } = create()
    sessions.remember(key, ticket(1), { lifetimeMs: 100 })
    sessions.remember(key, ticket(2), { lifetimeMs: 50 })
    expect(clock.pendingTimers).toBe(0)
    clock.advance(50)
    expect(sessions.take(key)).toEqual(ticket(1))
    sessions.remember(key, ticket(3), { lifetimeMs: 1 })
    clock.advance(1)
    expect([sessions.take(key), sessions.size]).toEqual([undefined, 0])
  })

  it.each([
    ['TLSv1.2', 24],
    ['TLSv1.3', 7 * 24],
  ] as const)('believes no longer lifetime of %s than %i hours', (version, hours) => {
    const { clock, sessions } = create()
    sessions.remember(key, ticket(1, version), { lifetimeMs: Infinity })
    clock.advance(hours * 3_600_000 - 1)
    const last = sessions.take(key)
    expect(last).toEqual(ticket(1, version))
    sessions.remember(key, ticket(1, version), { lifetimeMs: Infinity })
    clock.advance(hours * 3_600_000)
    expect(sessions.take(key)).toBeUndefined()
  })

  it.each([
    ['that is empty', new Uint8Array(), 1],
    ['that is too long', new Uint8Array(16 * 1024 + 1), 1],
    ['that is over', Uint8Array.of(1), 0],
    ['of no lifetime', Uint8Array.of(1), Number.NaN],
  ])('does not keep a session %s', (_what, data, lifetimeMs) => {
    const { sessions } = create()
    expect(sessions.remember(key, { version: 'TLSv1.3', data }, { lifetimeMs })).toBe(false)
    expect(sessions.size).toBe(0)
  })

  it('keeps a copy', () => {
    const { sessions } = create()
    const lent = Buffer.from('session')
    sessions.remember(key, { version: 'TLSv1.3', data: lent }, minute)
    lent.fill(0)
    expect(Buffer.from(sessions.take(key)?.data ?? []).toString()).toBe('session')
  })

  it('forgets one peer, or all', () => {
    const { sessions } = create()
    for (const each of ['a', 'b', 'c']) sessions.remember(each, ticket(1), minute)
    sessions.forget('a')
    sessions.forget('a')
    expect([sessions.take('a'), sessions.size]).toEqual([undefined, 2])
    sessions.forgetAll()
    expect(sessions.size).toBe(0)
  })

  it('shows no session in util.inspect or JSON', () => {
    const { sessions } = create()
    sessions.remember(key, { version: 'TLSv1.3', data: Buffer.from('the master secret') }, minute)
    const shown = inspect(sessions, { depth: 9, showHidden: true, getters: true }) + JSON.stringify(sessions)
    expect(shown).not.toMatch(/master|6d 61 73|109, ?97, ?115/)
  })

  it.each([{ maxPeers: 0 }, { maxPerPeer: -1 }, { maxSessionBytes: Number.NaN }])('refuses %o', (limits) => {
    expect(() => create(limits)).toThrow(expect.objectContaining({ code: 'ERR_SZMQ_INVALID_ARGUMENT' }))
  })
})
