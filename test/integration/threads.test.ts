import { describe, expect, it, vi } from 'vitest'
import { startSystem, type SystemEvent } from '../../src/index.ts'
import { Counter, Forwarder } from '../support/actors/counter.ts'

describe('actors on threads', () => {
  it('spawns here and on a thread with the same line', async () => {
    await using system = await startSystem({ name: 'shop', threads: 2 })
    const here = system.spawn(Counter, 'c1')
    const there = system.spawn(Counter, 'c2', { thread: 'any' })
    for (const counter of [here, there]) {
      counter.tell.add(2)
      counter.tell.add(3)
      expect(await counter.ask.total({ timeoutMs: 5_000 })).toBe(5)
    }
  })

  it('carries every plain value there and back', async () => {
    await using system = await startSystem({ name: 'shop', threads: 1 })
    const there = system.spawn(Counter, 'c', { thread: 1 })
    const values = [
      null,
      true,
      -1,
      2 ** 40,
      1.5,
      'ä€😀',
      [1, [2]],
      { a: { b: 1 } },
      new Map([['k', 1]]),
      new Date(5),
      10n ** 20n,
      new Uint8Array([1, 2]),
    ]
    for (const value of values) {
      const echoed = await there.ask.echo(value)
      expect(value instanceof Uint8Array ? new Uint8Array(echoed as Uint8Array) : echoed).toEqual(value)
    }
    const big = new Uint8Array(5_000_000).map((_, at) => at % 251)
    expect(Buffer.compare(Buffer.from((await there.ask.echo(big)) as Uint8Array), Buffer.from(big))).toBe(0)
  })

  it('keeps the order of many messages and loses none, from thread to thread', async () => {
    await using system = await startSystem({ name: 'shop', threads: 2 })
    const counter = system.spawn(Counter, 'c', { thread: 1 })
    const forwarder = system.spawn(Forwarder, 'f', { thread: 2 })
    forwarder.tell.to(counter)
    forwarder.tell.burst(50_000)
    expect(await forwarder.ask.done()).toBe(50_000)
    const notes = await counter.ask.notes()
    expect(notes.every((note, at) => note === `${at}`)).toBe(true)
    const stats = await system.stats()
    expect(stats.sent).toBe(stats.handled + stats.deadLetters + stats.waiting)
  })

  for (const [what, kill] of [
    ['throws', (c) => c.tell.throwOnThread('kaputt')],
    ['exits', (c) => c.tell.exitThread(3)],
  ] as [string, (c: ReturnType<typeof spawnCounter>) => void][]) {
    it(`survives a thread that ${what}, and says so to who waits`, async () => {
      const events: SystemEvent[] = []
      await using system = await startSystem({ name: 'shop', threads: 2, onEvent: (event) => events.push(event) })
      const doomed = spawnCounter(system, 'doomed', 1)
      const other = spawnCounter(system, 'other', 2)
      await doomed.ask.echo(new Uint8Array(100_000))
      const waiting = doomed.ask.slow(60_000)
      kill(doomed)
      // `slow` is busy for ever, so the killing message waits behind it: a second actor on that thread does it.
      kill(spawnCounter(system, 'killer', 1))
      await expect(waiting).rejects.toMatchObject({ code: 'ERR_SZMQ_THREAD_LOST' })
      await expect(doomed.ask.total()).rejects.toMatchObject({ code: 'ERR_SZMQ_THREAD_LOST' })
      other.tell.add(1)
      expect(await other.ask.total()).toBe(1)
      expect(events.filter(({ kind }) => kind === 'thread.lost')).toHaveLength(1)
    })
  }

  it('restarts an actor that throws, keeps its mailbox, and stops it when that happens too often', async () => {
    const events: SystemEvent[] = []
    await using system = await startSystem({ name: 'shop', threads: 1, onEvent: (event) => events.push(event) })
    for (const thread of [0, 1]) {
      const counter = spawnCounter(system, `c${thread}`, thread)
      counter.tell.add(5)
      const boom = counter.ask.boom('ouch')
      counter.tell.add(1)
      await expect(boom).rejects.toMatchObject({ code: 'ERR_SZMQ_HANDLER_FAILED', message: expect.stringContaining('ouch') })
      expect(await counter.ask.total()).toBe(1)
      await expect(counter.ask.boom('2')).rejects.toMatchObject({ code: 'ERR_SZMQ_HANDLER_FAILED' })
      await expect(counter.ask.boom('3')).rejects.toMatchObject({ code: 'ERR_SZMQ_HANDLER_FAILED' })
      await expect(counter.ask.boom('4')).rejects.toMatchObject({ code: 'ERR_SZMQ_HANDLER_FAILED' })
      await expect(counter.ask.total()).rejects.toMatchObject({ blame: 'actor' })
    }
    expect(events.filter(({ kind }) => kind === 'actor.failed')).toHaveLength(8)
  })

  it('refuses what cannot cross a thread, and only that', async () => {
    await using system = await startSystem({ name: 'shop', threads: 1 })
    const counter = spawnCounter(system, 'c', 1)
    counter.tell.add(1)
    const bad = counter.ask.echo(() => 1)
    counter.tell.add(1)
    await expect(bad).rejects.toMatchObject({ code: 'ERR_SZMQ_NOT_SERIALIZABLE' })
    expect(await counter.ask.total()).toBe(2)
  })

  it('gives an ask up at its deadline, and at once when its signal says so', async () => {
    await using system = await startSystem({ name: 'shop', threads: 1 })
    const counter = spawnCounter(system, 'c', 1)
    await expect(counter.ask.slow(300, { timeoutMs: 20 })).rejects.toMatchObject({ code: 'ERR_SZMQ_ASK_TIMEOUT' })
    const controller = new AbortController()
    const given = counter.ask.slow(1, { signal: controller.signal })
    controller.abort()
    await expect(given).rejects.toMatchObject({ code: 'ERR_SZMQ_ABORTED' })
  })

  it('frees the name of an actor that has ended, and refuses everything after stop at once', async () => {
    const system = await startSystem({ name: 'shop', threads: 1, onEvent: () => {} })
    const refs = [0, 1].map((thread) => spawnCounter(system, `c${thread}`, thread))
    for (const [thread, counter] of refs.entries()) {
      for (let n = 0; n < 4; n += 1) await counter.ask.boom('again').catch(() => {})
      await expect(counter.ask.total()).rejects.toMatchObject({ blame: 'actor' })
      const successor = await vi.waitUntil(() => trySpawn(system, `c${thread}`, thread))
      expect(await successor.ask.total()).toBe(0)
    }
    await system.stop()
    await expect(system.stats()).rejects.toMatchObject({ code: 'ERR_SZMQ_INVALID_STATE' })
    for (const counter of refs) await expect(counter.ask.total()).rejects.toMatchObject({ blame: 'actor' })
  })

  it('refuses a name twice, a thread that is not there, and anything after stop', async () => {
    const system = await startSystem({ name: 'shop', threads: 1 })
    spawnCounter(system, 'c', 1)
    expect(() => spawnCounter(system, 'c', 0)).toThrowError(expect.objectContaining({ code: 'ERR_SZMQ_NAME_TAKEN' }))
    expect(() => spawnCounter(system, 'd', 2)).toThrowError(expect.objectContaining({ code: 'ERR_SZMQ_INVALID_ARGUMENT' }))
    await system.stop()
    await system.stop()
    expect(() => spawnCounter(system, 'e', 0)).toThrowError(expect.objectContaining({ code: 'ERR_SZMQ_INVALID_STATE' }))
  })
})

function spawnCounter(system: Awaited<ReturnType<typeof startSystem>>, name: string, thread: number) {
  return system.spawn(Counter, name, { thread })
}

function trySpawn(system: Awaited<ReturnType<typeof startSystem>>, name: string, thread: number) {
  try {
    return spawnCounter(system, name, thread)
  } catch {
    return undefined
  }
}
