import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { ask, defineActor, tell, type ActorRef, type PeerIdentity } from '../../../src/index.ts'
import type { ActorContext } from '../../../src/actors/context.ts'
import { Origin } from '../../../src/actors/origin.ts'
import { decodeOrigin, encodeOrigin } from '../../../src/actors/origin.codec.ts'
import { answerResolve } from '../../../src/actors/resolve.ts'
import { RUNTIME_ID, Signal } from '../../../src/actors/signal.ts'
import { createMessageCodec } from '../../../src/transport/message.codec.ts'
import type { Grant } from '../../../src/transport/index.ts'
import { MemoryCluster } from '../../support/memory-cluster.ts'
import { createMemoryRuntime, microtasks, type MemoryRuntime } from '../../support/memory-runtime.ts'
import { identityOf, originOf } from '../../support/origins.ts'

const codec = createMessageCodec()
const HOST_A = 0
const WORKER_A = 1
const HOST_B = 2

let gates: (() => void)[] = []

/** Remembers its contexts, as an actor may. */
const Guest = defineActor(import.meta, {
  name: 'guest',
  protocol: {
    note: tell(z.string()),
    who: ask(z.void(), z.unknown()),
    later: ask(z.void(), z.unknown()),
    boom: tell(z.void()),
  },
  state: () => ({ notes: [] as string[], contexts: [] as ActorContext[] }),
  supervise: { on: 'restart', intensity: 100 },
  mailbox: { capacity: 8 },
  on: {
    note: (state, text, context) => {
      state.contexts.push(context as unknown as ActorContext)
      state.notes.push(`${text} by ${context.peer?.subject ?? 'nobody'}`)
    },
    who: (state, _nothing, context) => [context.peer?.subject, state.notes, state.contexts.map(({ peer }) => peer?.subject)],
    later: async (_state, _nothing, context) => {
      const before = context.peer?.subject
      await new Promise<void>((resolve) => {
        gates.push(resolve)
      })
      return [before, context.peer?.subject]
    },
    boom: () => {
      throw new Error('ouch')
    },
  },
})
type GuestRef = ActorRef<(typeof Guest)['protocol']>
const NOTE = 32
const WHO = 34

/** The first of what `who` answers. */
function subjectOf(answer: unknown): unknown {
  return (answer as readonly unknown[])[0]
}

/** Messages that were sent, and of which nobody knows what became. */
function lostCount({ members }: MemoryCluster): number {
  return members.reduce((sum, { runtime: { stats } }) => sum + stats.sent - stats.handled - stats.deadLetters, 0)
}

/** Until nothing moves any more. */
async function settle(cluster: MemoryCluster): Promise<void> {
  for (let round = 0; round < 10; round += 1) {
    await microtasks()
    for (const at of [HOST_A, WORKER_A, HOST_B] as const) {
      cluster.member(at).turns.settle()
      for (const to of [HOST_A, WORKER_A, HOST_B] as const) {
        while (at !== to && cluster.way(at, to).batches.length > 0) cluster.arrive(at, to)
      }
    }
  }
}

describe('the context of a message', () => {
  it('names the node that sent it, on each thread, and nobody for messages of this node', async () => {
    const cluster = new MemoryCluster()
    for (const at of [HOST_A, WORKER_A] as const) {
      const here = cluster.member(at).spawn(Guest, `/guest-${at}`)
      const asks = [cluster.refFrom(HOST_B, here).ask.who(), cluster.refFrom(at === HOST_A ? WORKER_A : HOST_A, here).ask.who()]
      cluster.refFrom(HOST_B, here).tell.note('hello')
      await settle(cluster)
      expect((await Promise.all(asks)).map(subjectOf)).toEqual(['b', undefined])
      here.tell.note('hi')
      const last = here.ask.who()
      await settle(cluster)
      expect(await last).toEqual([undefined, ['hello by b', 'hi by nobody'], ['b', undefined]])
    }
    expect(lostCount(cluster)).toBe(0)
  })

  it('is the same object for every message of a link, and nobody can change it', () => {
    const { runtime, spawn, turns } = createMemoryRuntime()
    const peers: (PeerIdentity | undefined)[] = []
    const Keeper = defineActor(import.meta, {
      name: 'keeper',
      protocol: { see: tell(z.void()) },
      state: () => ({}),
      on: { see: (_state, _nothing, { peer }) => void peers.push(peer) },
    })
    const { id } = spawn(Keeper).address
    runtime.deliver(codec.encode([id, NOTE, undefined, id, NOTE, undefined]), source('b'))
    turns.settle()
    expect(peers).toHaveLength(2)
    expect(peers[0]).toBe(peers[1])
    expect(peers[0]).toEqual(identityOf('b'))
    expect(Object.isFrozen(peers[0]) && Object.isFrozen(peers[0]?.names)).toBe(true)
  })

  // Several messages may be handled before something that one of them left behind reads its context.
  it('stays that of its message: after an await, in what a handler leaves behind, and after a restart', async () => {
    gates = []
    const memory = createMemoryRuntime()
    const guest = memory.spawn(Guest)
    const { id } = guest.address
    memory.runtime.deliver(codec.encode([id, 37, undefined, 1]), source('b'))
    memory.turns.settle()
    memory.runtime.deliver(codec.encode([id, NOTE, 'x']), source('c'))
    guest.tell.note('y')
    memory.runtime.deliver(codec.encode([id, NOTE, 'z']), source('b'))
    gates[0]?.()
    await microtasks()
    memory.turns.settle()
    const who = guest.ask.who()
    memory.turns.settle()
    expect(await who).toEqual([undefined, ['x by c', 'y by nobody', 'z by b'], ['c', undefined, 'b']])
    const answers = memory.carried.flatMap(({ batch }) => codec.decode(batch))
    expect(answers).toEqual([RUNTIME_ID, Signal.answer * 2 + 1, ['b', 'b'], 1])
    memory.runtime.deliver(codec.encode([id, 38, undefined, id, NOTE, 'again']), source('c'))
    const anew = guest.ask.who()
    memory.turns.settle()
    expect(await anew).toEqual([undefined, ['again by c'], ['c']])
    expect(memory.failures).toMatchObject([{ peer: identityOf('c') }])
  })

  it('comes from the link alone: no node, address or ref in a message changes it', () => {
    const memory = createMemoryRuntime()
    const guest = memory.spawn(Guest)
    const { id } = guest.address
    const asIfBy = (node: string): unknown => ({ node, peer: identityOf(node), from: node })
    memory.runtime.deliver(codec.encode([id, WHO + 1, asIfBy('honest'), 1]), { ...source('evil'), node: 'honest' })
    memory.turns.settle()
    expect(memory.carried.flatMap(({ batch }) => codec.decode(batch))).toEqual([
      RUNTIME_ID,
      Signal.failure * 2 + 1,
      expect.objectContaining({ code: 'ERR_SZMQ_BAD_MESSAGE' }),
      1,
    ])
    expect(memory.deadLetters).toMatchObject([{ reason: 'bad-message', peer: identityOf('evil') }])
  })

  it('stands in every dead letter of a message of another node, and in none of our own', () => {
    const memory = createMemoryRuntime()
    const guest = memory.spawn(Guest)
    const { id } = guest.address
    for (let n = 0; n < 9; n += 1) memory.runtime.deliver(codec.encode([id, NOTE, `${n}`]), source('b'))
    memory.runtime.deliver(codec.encode([id, NOTE, 5, 999, NOTE, 'x', id, 1000, 'x']), source('c'))
    expect(() => {
      guest.tell.note('mine')
    }).toThrow()
    memory.runtime.close()
    memory.runtime.bury(codec.encode([id, NOTE, 'late']), 'node-lost', 'node d', identityOf('d'))
    expect(memory.deadLetters.map(({ reason, peer }) => `${reason} ${peer?.subject ?? 'nobody'}`)).toEqual([
      'mailbox-full b',
      'bad-message c',
      'no-such-actor c',
      'mailbox-full c',
      'mailbox-full nobody',
      ...Array.from({ length: 8 }, () => 'system-stopped b'),
      'node-lost d',
    ])
  })
})

describe('a node that may reach some actors only', () => {
  const grant: Grant = [{ path: 'shop/open' }, { path: 'shop/some', messages: ['note'] }]

  function setUp(): {
    memory: MemoryRuntime
    send: (id: number, operation: number, askId?: number) => void
    answers: () => unknown[]
  } {
    const memory = createMemoryRuntime()
    const from = { node: 'b', thread: 0, origin: originOf('b', grant) }
    return {
      memory,
      send: (id, operation, askId) => {
        const message = [id, operation, operation >> 1 === 16 ? 'x' : undefined]
        memory.runtime.deliver(codec.encode(askId === undefined ? message : [...message, askId]), from)
        memory.turns.settle()
      },
      answers: () =>
        memory.carried
          .splice(0)
          .flatMap(({ batch }) => codec.decode(batch))
          .filter((_, at) => at % 4 === 2)
          .map((answer) => (answer as { code?: string }).code ?? 'answered'),
    }
  }

  it('reaches those with the messages that are allowed; the rest are dead letters, and asks of them are told so', () => {
    const { memory, send, answers } = setUp()
    const ids = ['/open', '/some', '/closed'].map((path) => memory.spawn(Guest, path).address.id)
    for (const id of ids) {
      send(id, NOTE)
      send(id, WHO + 1, 1)
    }
    expect(answers()).toEqual(['answered', 'ERR_SZMQ_NOT_AUTHORIZED', 'ERR_SZMQ_NOT_AUTHORIZED'])
    expect(memory.deadLetters).toEqual([
      { reason: 'not-authorized', message: 'who', to: '/some', peer: identityOf('b') },
      { reason: 'not-authorized', message: 'note', to: '/closed', peer: identityOf('b') },
      { reason: 'not-authorized', message: 'who', to: '/closed', peer: identityOf('b') },
    ])
    expect(memory.runtime.stats).toMatchObject({ handled: 3, deadLetters: 3, deadLettersByReason: { 'not-authorized': 3 } })
  })

  it('learns nothing about the rest: each answer is the same, whether there is an actor, a message, a fitting payload, or not', () => {
    const { memory, send } = setUp()
    const closed = memory.spawn(Guest, '/closed').address.id
    const some = memory.spawn(Guest, '/some').address.id
    for (const [id, operation] of [
      [closed, WHO + 1],
      [closed, NOTE + 1],
      [closed, 999],
      [some, WHO + 1],
      [some, 999],
      [12_345, WHO + 1],
    ] as const) {
      send(id, operation, 1)
    }
    const answers = memory.carried.splice(0).map(({ batch }) => codec.decode(batch))
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1)
    expect(answers[0]).toMatchObject([RUNTIME_ID, Signal.failure * 2 + 1, { code: 'ERR_SZMQ_NOT_AUTHORIZED' }, 1])
    // Our own log tells the two apart.
    expect(memory.deadLetters.at(-1)).toMatchObject({ reason: 'no-such-actor', peer: identityOf('b') })
  })

  it('may know that an actor which it reached has ended', () => {
    const { memory, send, answers } = setUp()
    const open = memory.spawn(Guest, '/open')
    send(open.address.id, NOTE)
    void memory.runtime.stopActor(open.address, {})
    memory.turns.settle()
    send(open.address.id, WHO + 1, 1)
    expect(answers()).toEqual(['ERR_SZMQ_NO_SUCH_ACTOR'])
  })

  it('is judged by names, also when these come only with the module of the actor', async () => {
    const { memory, send, answers } = setUp()
    const late = 'file:///late.ts'
    const spawnLate = (id: number, path: string): void => {
      const payload = { id, path, moduleUrl: late, name: 'late' }
      memory.runtime.deliver(codec.encode([RUNTIME_ID, Signal.spawn * 2, payload]), { node: undefined, thread: 1 })
    }
    spawnLate(64, '/some')
    spawnLate(128, '/closed')
    for (const id of [64, 128]) {
      send(id, NOTE)
      send(id, WHO + 1, 1)
    }
    expect(answers()).toEqual(['ERR_SZMQ_NOT_AUTHORIZED'])
    const seen: string[] = []
    defineActor(
      { url: late },
      {
        name: 'late',
        protocol: { note: tell(z.string()), who: ask(z.void(), z.unknown()) },
        state: () => ({}),
        on: {
          note: (_state, text, { peer }) => {
            seen.push(`${text} by ${peer?.subject}`)
          },
          who: () => 'leaked',
        },
      },
    )
    for (const { resolve } of memory.imports) resolve()
    await microtasks()
    memory.turns.settle()
    expect(seen).toEqual(['x by b'])
    expect(answers()).toEqual(['ERR_SZMQ_NOT_AUTHORIZED'])
    expect(memory.runtime.stats.deadLettersByReason).toEqual({ 'not-authorized': 3 })
  })

  it('still answers what we ask of it', async () => {
    const cluster = new MemoryCluster({ a: [] })
    const there = cluster.member(HOST_B).spawn(Guest)
    const here = cluster.member(WORKER_A).spawn(Guest)
    const asked = cluster.refFrom(WORKER_A, there).ask.who()
    const refused = cluster.refFrom(HOST_B, here).ask.who()
    refused.catch(() => {})
    cluster.refFrom(HOST_B, here).tell.note('x')
    await settle(cluster)
    expect(subjectOf(await asked)).toBe('a')
    await expect(refused).rejects.toMatchObject({ code: 'ERR_SZMQ_NOT_AUTHORIZED' })
    expect(cluster.member(WORKER_A).runtime.stats.deadLettersByReason).toEqual({ 'not-authorized': 2 })
    expect(lostCount(cluster)).toBe(0)
  })

  it('gains nothing by a ref: what counts is the link that a message comes by', async () => {
    const cluster = new MemoryCluster({ a: [{ path: 'shop/open' }] })
    cluster.member(HOST_A).spawn(Guest, '/open')
    const closed: GuestRef = cluster.member(WORKER_A).spawn(Guest, '/closed')
    // As if it had come in a message of somebody who may reach it.
    const handed = cluster.refFrom(HOST_B, closed)
    const asked = handed.ask.who()
    asked.catch(() => {})
    await settle(cluster)
    await expect(asked).rejects.toMatchObject({ code: 'ERR_SZMQ_NOT_AUTHORIZED' })
  })

  it.each([
    ['a closed path with an actor', 'shop', '/closed', 'ERR_SZMQ_NOT_AUTHORIZED'],
    ['a closed path without', 'shop', '/nobody', 'ERR_SZMQ_NOT_AUTHORIZED'],
    ['another system', 'other', '/open', 'ERR_SZMQ_NOT_AUTHORIZED'],
    ['a path that only looks allowed', 'sho', 'p/open', 'ERR_SZMQ_NO_SUCH_ACTOR'],
    ['an endless path', 'shop', `/${'x'.repeat(100_000)}`, 'ERR_SZMQ_NOT_AUTHORIZED'],
    ['an open path without an actor', 'shop', '/open', 'ERR_SZMQ_NO_SUCH_ACTOR'],
    ['an open path with an actor', 'shop', '/some', 'found'],
  ])('that resolves %s', (_what, system, path, expected) => {
    const memory = createMemoryRuntime()
    const actors = new Map(['/closed', '/some'].map((name) => [name, memory.spawn(Guest, name) as unknown as ActorRef]))
    let answer = ''
    answerResolve(
      { system, path },
      { answer: () => (answer = 'found'), fail: ({ code }) => (answer = code) },
      'shop',
      actors,
      originOf('b', grant),
    )
    expect(answer).toBe(expected)
  })
})

describe('where messages come from', () => {
  it('is told to other threads as plain data', () => {
    const origin = originOf('b', [
      { path: 'shop/a', messages: ['add'] },
      { path: '**', messages: [] },
    ])
    const there = decodeOrigin(encodeOrigin(origin))
    expect(there.facts).toEqual(origin.facts)
    expect(there.reachOf({ node: 'us', thread: 1, id: 64, path: '/a' })).toEqual(new Set(['add']))
    expect(there.reachOf({ node: 'us', thread: 1, id: 128, path: '/b' })).toEqual(new Set())
  })

  it('remembers decisions about so many actors, and makes them again when asked', () => {
    const origin = new Origin({ ...originOf('b').facts, grant: [{ path: 'shop/a' }] })
    const reach = (id: number): unknown => origin.reachOf({ node: 'us', thread: 0, id, path: id % 2 === 0 ? '/a' : '/b' })
    for (let id = 1; id <= 30_000; id += 1) reach(id)
    expect([origin.mayMiss(30_000), origin.mayMiss(29_999), origin.mayMiss(2)]).toEqual([true, false, false])
    expect(reach(2)).toBe('all')
  })
})

const origins = new Map<string, Origin>()

/** What `subject` sends from its thread 0, over one and the same link. */
function source(subject: string): { node: string; thread: number; origin: Origin } {
  const origin = origins.get(subject) ?? originOf(subject)
  origins.set(subject, origin)
  return { node: subject, thread: 0, origin }
}
