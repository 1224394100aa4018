import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import {
  guardSessionStore,
  type GuardedSessionStore,
  type GuardedSessionStoreLimits,
  type SessionStoreProblem,
} from '../../../../src/security/resumption/guarded-session-store.ts'
import { FakeClock } from '../../../../src/testing/fake-clock.ts'
import { ScriptedSessionStore, type Behaviour } from '../../../support/scripted-session-store.ts'

const minute = { expiresInMs: 60_000 }
const id = Uint8Array.of(1)
const session = Uint8Array.of(1, 2, 3)
const works: Behaviour = { kind: 'works', afterMs: 0 }

interface Scene {
  readonly clock: FakeClock
  readonly store: ScriptedSessionStore
  readonly guard: GuardedSessionStore
  readonly problems: readonly SessionStoreProblem[]
}

function play(script: readonly Behaviour[], limits: Partial<GuardedSessionStoreLimits> = {}): Scene {
  const clock = new FakeClock()
  const store = new ScriptedSessionStore(clock, script)
  const problems: SessionStoreProblem[] = []
  const guard = guardSessionStore(store, { clock, onProblem: (problem) => problems.push(problem), ...limits })
  return { clock, store, guard, problems }
}

/** Until all that waits for no clock is done. */
function settled(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}

/** One failed get after the other. */
async function failTimes({ clock, guard }: Scene, times: number): Promise<void> {
  for (let at = 0; at < times; at += 1) {
    const got = guard.get(id)
    clock.advance(500)
    await got
  }
}

describe('a guarded session store', () => {
  it('gives what the store gives, and bytes of its own', async () => {
    const { guard, clock } = play([works])
    const lent = session.slice()
    guard.set(id, lent, minute)
    lent.fill(9)
    await settled()
    const first = await guard.get(id)
    expect(first).toEqual(session)
    first?.fill(9)
    expect(await guard.get(id)).toEqual(session)
    guard.delete(id)
    await settled()
    expect(await guard.get(id)).toBeUndefined()
    expect(guard.counters).toMatchObject({ hits: 2, misses: 1, stored: 1, deleted: 1 })
    expect(clock.pendingTimers).toBe(0)
  })

  it('waits for a store, but no longer than timeoutMs', async () => {
    const inTime = play([works, { kind: 'works', afterMs: 499 }])
    inTime.guard.set(id, session, minute)
    await settled()
    const found = inTime.guard.get(id)
    inTime.clock.advance(499)
    expect(await found).toEqual(session)

    for (const behaviour of [{ kind: 'works', afterMs: 501 }, { kind: 'never' }] as const) {
      const tooLate = play([works, behaviour])
      tooLate.guard.set(id, session, minute)
      await settled()
      const missed = tooLate.guard.get(id)
      tooLate.clock.advance(500)
      expect(await missed).toBeUndefined()
      expect(tooLate.problems).toEqual([{ kind: 'slow', operation: 'get', timeoutMs: 500, count: 1 }])
    }
  })

  it.each<[string, Behaviour]>([
    ['rejects', { kind: 'rejects', afterMs: 0 }],
    ['throws', { kind: 'throws' }],
    ['answers text', { kind: 'lies', answer: Promise.resolve('session') }],
    ['answers no bytes', { kind: 'lies', answer: Promise.resolve(new Uint8Array()) }],
    ['answers an array', { kind: 'lies', answer: [1, 2, 3] }],
    ['answers what cannot be looked at', { kind: 'lies', answer: unreadable() }],
  ])('takes a store that %s for one that has nothing, and names it without a quote', async (_what, behaviour) => {
    const { guard, problems } = play([behaviour])
    expect(await guard.get(id)).toBeUndefined()
    expect(problems).toMatchObject([{ kind: 'failed', operation: 'get', count: 1 }])
    expect(inspect([guard, problems], { depth: 9, showHidden: true })).not.toContain('master secret')
  })

  it.each<[string, unknown]>([
    ['no promise', session],
    ['a Buffer', Promise.resolve(Buffer.from(session))],
  ])('is content with %s', async (_what, answer) => {
    expect(await play([{ kind: 'lies', answer }]).guard.get(id)).toEqual(session)
  })

  it.each([null, undefined])('takes %o for nothing', async (answer) => {
    const { guard } = play([{ kind: 'lies', answer }])
    expect(await guard.get(id)).toBeUndefined()
    expect(guard.counters).toMatchObject({ misses: 1, failed: 0 })
  })

  it('neither stores nor takes a session that is too long', async () => {
    const { guard, store, problems } = play([{ kind: 'lies', answer: new Uint8Array(101) }], { maxSessionBytes: 100 })
    guard.set(id, new Uint8Array(101), minute)
    expect(store.calls).toEqual([])
    expect(await guard.get(id)).toBeUndefined()
    expect(problems).toEqual([{ kind: 'oversized', operation: 'set', bytes: 101, count: 1 }])
    expect(guard.counters.oversized).toBe(2)
  })

  it('asks no store for an id that is none, nor to keep a session that is none', async () => {
    const { guard, store } = play([works])
    expect(await guard.get(new Uint8Array())).toBeUndefined()
    expect(await guard.get(new Uint8Array(33))).toBeUndefined()
    guard.set(new Uint8Array(33), session, minute)
    guard.set(id, session, { expiresInMs: -1 })
    expect(store.calls).toEqual([])
    expect(guard.counters).toMatchObject({ misses: 2, failed: 2 })
  })

  it('has no more than maxPending calls under way', async () => {
    const { clock, guard, store, problems } = play([{ kind: 'never' }], { maxPending: 2, restAfterFailures: 100 })
    guard.set(id, session, minute)
    guard.delete(id)
    guard.set(id, session, minute)
    expect(await guard.get(id)).toBeUndefined()
    expect(store.calls.length).toBe(2)
    expect(problems).toEqual([{ kind: 'busy', operation: 'set', maxPending: 2, count: 1 }])
    clock.advance(500)
    await settled()
    guard.set(id, session, minute)
    expect(store.calls.length).toBe(3)
  })

  it('makes its calls in order', () => {
    const { guard, store } = play([{ kind: 'works', afterMs: 10 }])
    guard.set(id, session, minute)
    guard.delete(id)
    guard.set(id, session, minute)
    void guard.get(id)
    expect(store.calls).toEqual(['set 1', 'delete 1', 'set 1', 'get 1'])
  })

  it('does not bring back what was deleted, even if the store cannot be told', async () => {
    const scene = play([works, { kind: 'rejects', afterMs: 0 }, works])
    scene.guard.set(id, session, minute)
    scene.guard.delete(id)
    await settled()
    expect(scene.guard.counters.failed).toBe(1)
    expect(await scene.guard.get(id)).toBeUndefined()
    scene.guard.set(id, session, minute)
    expect(await scene.guard.get(id)).toEqual(session)
  })

  it('does not give what is deleted while the store looks for it', async () => {
    const { clock, guard } = play([works, { kind: 'works', afterMs: 10 }, { kind: 'never' }])
    guard.set(id, session, minute)
    const found = guard.get(id)
    clock.advance(5)
    guard.delete(id)
    clock.advance(5)
    expect(await found).toBeUndefined()
  })

  describe('with a dead store', () => {
    it('leaves it alone after several failures in a row, so that handshakes wait no more', async () => {
      const scene = play([{ kind: 'never' }])
      await failTimes(scene, 5)
      expect(scene.problems.at(-1)).toEqual({ kind: 'resting', restMs: 1_000, count: 1 })
      expect(await scene.guard.get(id)).toBeUndefined()
      expect(scene.store.calls.length).toBe(5)
      expect(scene.guard.counters).toMatchObject({ slow: 5, skipped: 1, resting: 1 })
      expect(scene.clock.pendingTimers).toBe(0)
    })

    it('tries it with one call after the rest, and goes on when that works', async () => {
      const never: Behaviour = { kind: 'never' }
      const scene = play([works, never, never, never, never, never, { kind: 'works', afterMs: 10 }, works])
      const { clock, guard, store } = scene
      guard.set(id, session, minute)
      await settled()
      await failTimes(scene, 5)
      clock.advance(1_000)
      const [probe, beside] = [guard.get(id), guard.get(id)]
      expect(await beside).toBeUndefined()
      clock.advance(10)
      expect(await probe).toEqual(session)
      expect(await Promise.all([guard.get(id), guard.get(id)])).toEqual([session, session])
      expect(store.calls.length).toBe(9)
    })

    it('tries it ever more rarely, up to a limit', async () => {
      const scene = play([{ kind: 'never' }], { reportEvery: 1 })
      await failTimes(scene, 5)
      for (let at = 0; at < 7; at += 1) {
        scene.clock.advance(30_000)
        await failTimes(scene, 1)
      }
      const rests = scene.problems.flatMap((problem) => (problem.kind === 'resting' ? [problem.restMs] : []))
      expect(rests).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000])
    })
  })

  it('reports the first problem of a kind and every so many-th', async () => {
    const scene = play([{ kind: 'throws' }], { reportEvery: 3, restAfterFailures: 100 })
    await failTimes(scene, 8)
    expect(scene.problems.map(({ count }) => count)).toEqual([1, 4, 7])
  })

  it('bears a listener that throws', async () => {
    const clock = new FakeClock()
    const onProblem = (): void => {
      throw new Error('listener')
    }
    const guard = guardSessionStore(new ScriptedSessionStore(clock, [{ kind: 'throws' }]), { clock, onProblem })
    expect(await guard.get(id)).toBeUndefined()
  })

  it('waits for what is under way when it is disposed, and asks no more', async () => {
    const { clock, guard, store } = play([{ kind: 'works', afterMs: 100 }, { kind: 'never' }])
    guard.set(id, session, minute)
    guard.set(Uint8Array.of(2), session, minute)
    let isDisposed = false
    const disposed = guard[Symbol.asyncDispose]().then(() => (isDisposed = true))
    clock.advance(499)
    await settled()
    expect([isDisposed, guard.counters.stored]).toEqual([false, 1])
    clock.advance(1)
    await disposed
    expect(await guard.get(id)).toBeUndefined()
    guard.delete(id)
    await guard[Symbol.asyncDispose]()
    expect([store.calls.length, guard.counters.skipped]).toEqual([2, 2])
  })

  it.each([{ timeoutMs: 0 }, { maxPending: Number.NaN }, { restMaxMs: -1 }])('refuses %o', (limits) => {
    expect(() => play([works], limits)).toThrow(expect.objectContaining({ code: 'ERR_SZMQ_INVALID_ARGUMENT' }))
  })
})

function unreadable(): unknown {
  return new Proxy(
    {},
    {
      get: () => {
        throw new Error('the master secret')
      },
      getPrototypeOf: () => {
        throw new Error('the master secret')
      },
    },
  )
}
