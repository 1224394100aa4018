import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { ask, defineActor, tell, type MailboxOptions, type Supervision } from '../../../src/index.ts'
import type { ActorContext } from '../../../src/actors/context.ts'
import { RUNTIME_ID, Signal } from '../../../src/actors/signal.ts'
import { createMessageCodec } from '../../../src/transport/message.codec.ts'
import { createMemoryRuntime, microtasks, settlementOf } from '../../support/memory-runtime.ts'
import { originOf } from '../../support/origins.ts'

type Step = (log: unknown[], context: ActorContext) => unknown

/** An actor that does whatever the message says: messages stay on their thread here, so they may be functions. */
function defineDoer(
  name: string,
  {
    supervise,
    mailbox,
    state = () => [],
  }: {
    supervise?: Partial<Supervision>
    mailbox?: Partial<MailboxOptions>
    state?: (context: ActorContext) => unknown[]
  } = {},
) {
  return defineActor(import.meta, {
    name,
    protocol: {
      do: tell(z.custom<Step>()),
      log: ask(z.void(), z.array(z.unknown())),
      give: ask(z.custom<Step>(), z.unknown()),
    },
    state: (context) => state(context as unknown as ActorContext),
    on: {
      do: (log, step, context) => step(log as unknown[], context as unknown as ActorContext) as void,
      log: (log) => log as unknown[],
      give: (log, step, context) => step(log as unknown[], context as unknown as ActorContext),
    },
    ...(supervise === undefined ? {} : { supervise }),
    ...(mailbox === undefined ? {} : { mailbox }),
  })
}

const note =
  (text: unknown): Step =>
  (log) => {
    log.push(text)
  }
const fail: Step = () => {
  throw new Error('ouch')
}

function deferred(): { promise: Promise<void>; resolve: () => void; reject: (error: Error) => void } {
  let settle: { resolve: () => void; reject: (error: Error) => void } | undefined
  const promise = new Promise<void>((resolve, reject) => {
    settle = { resolve, reject }
  })
  return { promise, resolve: () => settle?.resolve(), reject: (error) => settle?.reject(error) }
}

describe('an actor', () => {
  it('handles nothing before its turn, and then everything in order', async () => {
    const { spawn, turns } = createMemoryRuntime()
    const actor = spawn(defineDoer('in-turn'))
    const log = actor.ask.log()
    actor.tell.do(note(1))
    const seen: unknown[] = []
    actor.tell.do((state) => {
      seen.push(...state)
    })
    expect(seen).toEqual([])
    turns.settle()
    expect(seen).toEqual([1])
    expect(await log).toEqual([1])
  })

  it('gives others their turn, and the event loop too, when messages never end', () => {
    const { spawn, turns, runtime } = createMemoryRuntime()
    const greedy = spawn(defineDoer('greedy'))
    const modest = spawn(defineDoer('modest'))
    const again: Step = (_log, { self }) => {
      ;(self as unknown as typeof greedy).tell.do(again)
    }
    greedy.tell.do(again)
    let wasServed = false
    modest.tell.do(() => {
      wasServed = true
    })
    turns.turn()
    expect(wasServed).toBe(true)
    expect(runtime.stats.handled).toBeGreaterThan(1_000)
    expect(runtime.stats.handled).toBeLessThan(10_000)
    expect(turns.isIdle).toBe(false)
  })

  it('may send to itself: that comes behind what waits already', async () => {
    const { spawn, turns } = createMemoryRuntime()
    const actor = spawn(defineDoer('selfish'))
    actor.tell.do((_log, { self }) => {
      ;(self as unknown as typeof actor).tell.do(note('mine'))
    })
    actor.tell.do(note('theirs'))
    turns.settle()
    const log = actor.ask.log()
    turns.settle()
    expect(await log).toEqual(['theirs', 'mine'])
  })

  it('that waits for an answer from itself is told so by the deadline', async () => {
    const { spawn, turns, clock } = createMemoryRuntime()
    const actor = spawn(defineDoer('narcissus'))
    const given = actor.ask.give((_log, { self }) => (self as unknown as typeof actor).ask.log({ timeoutMs: 50 }), {
      timeoutMs: 1_000,
    })
    turns.settle()
    clock.advance(50)
    await expect(given).rejects.toMatchObject({ code: 'ERR_SZMQ_HANDLER_FAILED' })
  })

  it('handles one message at a time, also when handlers are async', async () => {
    const { spawn, turns } = createMemoryRuntime()
    const actor = spawn(defineDoer('one-at-a-time'))
    const gate = deferred()
    actor.tell.do(async (log) => {
      log.push('begin')
      await gate.promise
      log.push('end')
    })
    actor.tell.do(note('next'))
    const log = actor.ask.log()
    turns.settle()
    expect(await settlementOf(log)).toBe('pending')
    gate.resolve()
    await microtasks()
    turns.settle()
    expect(await log).toEqual(['begin', 'end', 'next'])
  })

  it('answers with what an async handler resolves to, and fails with what it rejects with', async () => {
    const { spawn, turns } = createMemoryRuntime()
    const actor = spawn(defineDoer('async-answers'))
    const given = actor.ask.give(async () => 5)
    const failed = actor.ask.give(() => Promise.reject(new Error('no')))
    turns.settle()
    await microtasks()
    turns.settle()
    expect(await given).toBe(5)
    await expect(failed).rejects.toMatchObject({ code: 'ERR_SZMQ_HANDLER_FAILED', message: expect.stringContaining('no') })
  })

  it('takes a thenable for a promise, whatever it does', async () => {
    const { spawn, turns } = createMemoryRuntime()
    const actor = spawn(defineDoer('thenables', { supervise: { on: 'resume' } }))
    const twice = {
      // oxlint-disable-next-line unicorn/no-thenable -- that is what is tested
      then: (resolve: (value: number) => void) => {
        resolve(1)
        resolve(2)
      },
    }
    const broken = {
      // oxlint-disable-next-line unicorn/no-thenable -- that is what is tested
      then: () => {
        throw new Error('broken then')
      },
    }
    const asked = Promise.allSettled([twice, broken].map((thenable) => actor.ask.give(() => thenable)))
    for (let n = 0; n < 3; n += 1) {
      turns.settle()
      await microtasks()
    }
    expect(await asked).toMatchObject([{ value: 1 }, { reason: { code: 'ERR_SZMQ_HANDLER_FAILED' } }])
    const log = actor.ask.log()
    turns.settle()
    expect(await log).toEqual([])
  })
})

describe('an actor that fails', () => {
  it('starts anew with the same ref and mailbox, and without the message that failed', async () => {
    const { spawn, turns, failures, runtime } = createMemoryRuntime()
    const actor = spawn(defineDoer('restarts'))
    actor.tell.do(note('lost with the state'))
    const failed = actor.ask.give(fail)
    actor.tell.do(note('kept'))
    const log = actor.ask.log()
    turns.settle()
    await expect(failed).rejects.toMatchObject({ code: 'ERR_SZMQ_HANDLER_FAILED' })
    expect(await log).toEqual(['kept'])
    expect(failures).toMatchObject([{ path: '/restarts', message: 'give', decision: 'restart' }])
    expect(runtime.stats).toMatchObject({ sent: 4, handled: 4, deadLetters: 0, waiting: 0 })
  })

  it('starts anew after an async failure too, and goes on with what waits', async () => {
    const { spawn, turns } = createMemoryRuntime()
    const actor = spawn(defineDoer('restarts-async'))
    actor.tell.do(note('old'))
    actor.tell.do(() => Promise.reject(new Error('later')))
    actor.tell.do(note('new'))
    const log = actor.ask.log()
    turns.settle()
    await microtasks()
    turns.settle()
    expect(await log).toEqual(['new'])
  })

  it('keeps its state where it is told to resume', async () => {
    const { spawn, turns } = createMemoryRuntime()
    const actor = spawn(defineDoer('resumes', { supervise: { on: 'resume' } }))
    actor.tell.do(note('kept'))
    actor.tell.do(fail)
    const log = actor.ask.log()
    turns.settle()
    expect(await log).toEqual(['kept'])
  })

  it('stops where it is told to stop, and what waits becomes dead letters', async () => {
    const { spawn, turns, runtime, deadLetters } = createMemoryRuntime()
    const actor = spawn(defineDoer('stops', { supervise: { on: 'stop' } }))
    actor.tell.do(fail)
    actor.tell.do(note(1))
    const log = actor.ask.log()
    turns.settle()
    await expect(log).rejects.toMatchObject({ code: 'ERR_SZMQ_ACTOR_STOPPED' })
    expect(deadLetters.map(({ reason, message }) => [reason, message])).toEqual([
      ['actor-stopped', 'do'],
      ['actor-stopped', 'log'],
    ])
    expect(runtime.stats).toMatchObject({ sent: 3, handled: 1, deadLetters: 2, waiting: 0, actors: 0 })
    await expect(actor.ask.log()).rejects.toMatchObject({ code: 'ERR_SZMQ_NO_SUCH_ACTOR' })
    await expect(actor.ready()).rejects.toMatchObject({ code: 'ERR_SZMQ_NO_SUCH_ACTOR' })
  })

  it('stops when it fails more often than its intensity allows, and not when the failures lie apart', () => {
    const { spawn, turns, clock, failures } = createMemoryRuntime()
    const actor = spawn(defineDoer('intense', { supervise: { intensity: 2, periodMs: 100 } }))
    const failAt = (waitMs: number): string | undefined => {
      clock.advance(waitMs)
      actor.tell.do(fail)
      turns.settle()
      return failures.at(-1)?.decision
    }
    expect([0, 50, 50, 50, 10].map(failAt)).toEqual(['restart', 'restart', 'restart', 'restart', 'stop'])
  })

  it('aborts the signal of the life that ended, not that of the next', () => {
    const { spawn, turns } = createMemoryRuntime()
    const signals: AbortSignal[] = []
    const actor = spawn(
      defineDoer('signals', {
        state: ({ signal }) => {
          signals.push(signal)
          return []
        },
      }),
    )
    actor.tell.do(fail)
    turns.settle()
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false])
  })

  it('ends when its state cannot be made at the start', async () => {
    const { spawn, turns, failures, runtime, deadLetters } = createMemoryRuntime()
    const definition = defineDoer('stillborn', {
      state: () => {
        throw new Error('no state')
      },
    })
    const actor = spawn(definition)
    actor.tell.do(note(1))
    await expect(actor.ask.log()).rejects.toMatchObject({ blame: 'actor' })
    turns.settle()
    expect(failures).toMatchObject([{ message: 'start', decision: 'stop' }])
    expect(deadLetters).toHaveLength(2)
    expect(runtime.stats.actors).toBe(0)
  })

  it('ends when its state cannot be made at a restart, and says why to who waits', async () => {
    const { spawn, turns, failures } = createMemoryRuntime()
    let lives = 0
    const actor = spawn(
      defineDoer('one-life', {
        state: () => {
          lives += 1
          if (lives > 1) throw new Error('no second state')
          return []
        },
      }),
    )
    actor.tell.do(fail)
    const log = actor.ask.log()
    turns.settle()
    await expect(log).rejects.toMatchObject({ code: 'ERR_SZMQ_SPAWN_FAILED', message: expect.stringContaining('no second') })
    expect(failures.map(({ message, decision }) => [message, decision])).toEqual([
      ['do', 'restart'],
      ['restart', 'stop'],
    ])
  })

  it('may throw anything', async () => {
    const { spawn, turns } = createMemoryRuntime()
    const actor = spawn(defineDoer('thrower', { supervise: { on: 'resume' } }))
    const things = [undefined, null, 1, 'text', Symbol('s'), {}, [], () => 1]
    for (const thing of things) {
      const asked = actor.ask.give(() => {
        // oxlint-disable-next-line typescript/only-throw-error -- users may
        throw thing
      })
      turns.settle()
      await expect(asked).rejects.toMatchObject({ code: 'ERR_SZMQ_HANDLER_FAILED' })
    }
  })
})

describe('an actor that stops', () => {
  it('stops behind the message that says so, when the handler calls stop', async () => {
    const { spawn, turns, runtime } = createMemoryRuntime()
    const actor = spawn(defineDoer('quits'))
    const last = actor.ask.give((log) => {
      log.push('last')
      return [...log]
    })
    const answer = actor.ask.give((log, context) => {
      context.stop()
      return [...log, 'answered']
    })
    const never = actor.ask.log()
    turns.settle()
    expect(await last).toEqual(['last'])
    expect(await answer).toEqual(['last', 'answered'])
    await expect(never).rejects.toMatchObject({ code: 'ERR_SZMQ_ACTOR_STOPPED' })
    expect(runtime.stats).toMatchObject({ sent: 3, handled: 2, deadLetters: 1, actors: 0 })
  })

  it('stops after an async handler that calls stop, also when that fails', async () => {
    for (const how of ['resolve', 'reject'] as const) {
      const { spawn, turns, runtime } = createMemoryRuntime()
      const actor = spawn(defineDoer('quits-async'))
      const gate = deferred()
      actor.tell.do(async (_log, context) => {
        context.stop()
        await gate.promise
      })
      actor.tell.do(note(1))
      turns.settle()
      expect(runtime.stats).toMatchObject({ waiting: 1, actors: 1 })
      gate[how](new Error('no'))
      await microtasks()
      turns.settle()
      expect(runtime.stats).toMatchObject({ sent: 2, handled: 1, deadLetters: 1, waiting: 0, actors: 0 })
    }
  })

  it('stops behind what it was told before, and in front of what comes after', async () => {
    const { spawn, turns, runtime, deadLetters } = createMemoryRuntime()
    const actor = spawn(defineDoer('ordered-stop'))
    const before = actor.ask.give(() => 'handled')
    const stopped = runtime.stopActor(actor.address, {})
    const again = runtime.stopActor(actor.address, {})
    actor.tell.do(note('too late'))
    turns.settle()
    expect(await before).toBe('handled')
    await stopped
    await again
    await runtime.stopActor(actor.address, {})
    expect(deadLetters).toEqual([{ reason: 'actor-stopped', message: 'do', to: '/ordered-stop' }])
  })

  it('finishes the async handler it is in, and then stops', async () => {
    const { spawn, turns, runtime } = createMemoryRuntime()
    const actor = spawn(defineDoer('busy'))
    const gate = deferred()
    const given = actor.ask.give(async () => {
      await gate.promise
      return 'finished'
    })
    turns.settle()
    const stopped = runtime.stopActor(actor.address, {})
    turns.settle()
    expect(await settlementOf(stopped)).toBe('pending')
    gate.resolve()
    expect(await given).toBe('finished')
    turns.settle()
    await stopped
    expect(runtime.stats.actors).toBe(0)
  })

  it('is not brought back by an async handler that settles after the system was stopped', async () => {
    for (const how of ['resolve', 'reject'] as const) {
      const { spawn, turns, runtime, failures } = createMemoryRuntime()
      let lives = 0
      const actor = spawn(defineDoer('ghost', { state: () => [(lives += 1)] }))
      const gate = deferred()
      const given = actor.ask.give(() => gate.promise)
      turns.settle()
      runtime.close()
      await expect(given).rejects.toMatchObject({ code: 'ERR_SZMQ_INVALID_STATE' })
      gate[how](new Error('late'))
      await microtasks()
      turns.settle()
      expect(lives).toBe(1)
      expect(failures).toEqual([])
    }
  })

  it('stops when making its state asked for it', () => {
    const { spawn, turns, runtime } = createMemoryRuntime()
    const quitter = spawn(
      defineDoer('quitter', {
        state: (context) => {
          context.stop()
          return []
        },
      }),
    )
    quitter.tell.do(note('never'))
    turns.settle()
    expect(runtime.stats).toMatchObject({ sent: 1, handled: 0, deadLetters: 1, actors: 0 })
  })
})

describe('a full mailbox', () => {
  it('refuses the new message by default: the teller hears it, the asker too', async () => {
    const { spawn, turns, runtime, deadLetters } = createMemoryRuntime()
    const actor = spawn(defineDoer('fails', { mailbox: { capacity: 2 } }))
    actor.tell.do(note(1))
    actor.tell.do(note(2))
    expect(() => {
      actor.tell.do(note(3))
    }).toThrowError(expect.objectContaining({ code: 'ERR_SZMQ_MAILBOX_FULL' }))
    await expect(actor.ask.log()).rejects.toMatchObject({ code: 'ERR_SZMQ_MAILBOX_FULL' })
    const ready = actor.ready()
    expect(await settlementOf(ready)).toBe('pending')
    turns.settle()
    await ready
    const log = actor.ask.log()
    turns.settle()
    expect(await log).toEqual([1, 2])
    expect(deadLetters.map(({ reason }) => reason)).toEqual(['mailbox-full', 'mailbox-full'])
    expect(runtime.stats).toMatchObject({ sent: 5, handled: 3, deadLetters: 2 })
  })

  it('drops the new message without a word where the policy says so', async () => {
    const { spawn, turns, runtime } = createMemoryRuntime()
    const actor = spawn(defineDoer('drops-new', { mailbox: { capacity: 2, policy: 'drop-new' } }))
    for (const n of [1, 2, 3, 4]) actor.tell.do(note(n))
    await expect(actor.ask.log()).rejects.toMatchObject({ code: 'ERR_SZMQ_MAILBOX_FULL' })
    turns.settle()
    const log = actor.ask.log()
    turns.settle()
    expect(await log).toEqual([1, 2])
    expect(runtime.stats).toMatchObject({ sent: 6, handled: 3, deadLetters: 3 })
  })

  it('drops the oldest message where the policy says so', async () => {
    const { spawn, turns, runtime } = createMemoryRuntime()
    const actor = spawn(defineDoer('drops-old', { mailbox: { capacity: 2, policy: 'drop-old' } }))
    const dropped = actor.ask.log()
    for (const n of [1, 2, 3]) actor.tell.do(note(n))
    await expect(dropped).rejects.toMatchObject({ code: 'ERR_SZMQ_MAILBOX_FULL' })
    turns.settle()
    const log = actor.ask.log()
    turns.settle()
    expect(await log).toEqual([2, 3])
    expect(runtime.stats).toMatchObject({ sent: 5, handled: 3, deadLetters: 2 })
  })

  it.each(['fail', 'drop-new', 'drop-old'] as const)('takes a stop even so, and obeys it (%s)', async (policy) => {
    const { spawn, turns, runtime } = createMemoryRuntime()
    const actor = spawn(defineDoer(`stop-${policy}`, { mailbox: { capacity: 2, policy } }))
    const send = (): void => {
      try {
        actor.tell.do(note('x'))
      } catch (error) {
        expect(policy).toBe('fail')
        expect(error).toMatchObject({ code: 'ERR_SZMQ_MAILBOX_FULL' })
      }
    }
    send()
    const stopped = runtime.stopActor(actor.address, {})
    for (let n = 0; n < 5; n += 1) send()
    expect(await settlementOf(stopped)).toBe('pending')
    turns.settle()
    await stopped
    const { sent, handled, deadLetters, actors } = runtime.stats
    expect({ sent, actors }).toEqual({ sent: 6, actors: 0 })
    expect(handled + deadLetters).toBe(6)
  })
})

describe('an actor whose module is still on its way', () => {
  const codec = createMessageCodec()
  const spawnSignal = (name: string, moduleUrl: string): Uint8Array =>
    codec.encode([RUNTIME_ID, Signal.spawn * 2, { id: 64, path: `/${name}`, moduleUrl, name }])

  it('is told by other nodes only what fits the schema, also before it has started', async () => {
    const { runtime, imports, turns, carried } = createMemoryRuntime({ thread: 1 })
    runtime.deliver(spawnSignal('late', `${import.meta.url}`), { node: undefined, thread: 0 })
    const foreign = { node: 'far', thread: 0, origin: originOf('far') }
    runtime.deliver(
      codec.encode([64, 16 * 2, 'not a number', 64, 16 * 2, 5, 64, 17 * 2 + 1, 'bad', 9, 64, 17 * 2 + 1, undefined, 10]),
      foreign,
    )
    expect(imports).toHaveLength(1)
    const received: unknown[] = []
    defineActor(import.meta, {
      name: 'late',
      protocol: { add: tell(z.number()), total: ask(z.void(), z.number()) },
      state: () => received,
      on: {
        add: (all, n) => {
          all.push(n)
        },
        total: (all) => all.length,
      },
    })
    imports[0]?.resolve()
    await microtasks()
    turns.settle()
    expect(received).toEqual([5])
    expect(runtime.stats.deadLettersByReason).toEqual({ 'bad-message': 2 })
    expect(carried.flatMap(({ batch }) => codec.decode(batch))).toMatchObject([
      RUNTIME_ID,
      Signal.failure * 2 + 1,
      { code: 'ERR_SZMQ_BAD_MESSAGE' },
      9,
      RUNTIME_ID,
      Signal.answer * 2 + 1,
      1,
      10,
    ])
  })

  it('does not start when the system was stopped meanwhile', async () => {
    const { runtime, imports, turns } = createMemoryRuntime({ thread: 1 })
    runtime.deliver(spawnSignal('too-late', import.meta.url), { node: undefined, thread: 0 })
    runtime.close()
    let lives = 0
    defineDoer('too-late', { state: () => [(lives += 1)] })
    imports[0]?.resolve()
    await microtasks()
    turns.settle()
    expect(lives).toBe(0)
    expect(runtime.stats.actors).toBe(0)
  })

  it.each([
    [
      'fails',
      (one: { reject: (error: Error) => void } | undefined) => one?.reject(new Error('no such file')),
      'ERR_SZMQ_SPAWN_FAILED',
    ],
    ['has no such actor', (one: { resolve: () => void } | undefined) => one?.resolve(), 'ERR_SZMQ_DEFINITION_NOT_FOUND'],
  ] as const)('ends when the import %s, and says so to who waits', async (_what, settle, code) => {
    const { runtime, imports, carried, turns } = createMemoryRuntime({ thread: 1 })
    const host = { node: undefined, thread: 0 }
    runtime.deliver(spawnSignal('missing', 'file:///nowhere.js'), host)
    runtime.deliver(codec.encode([64, 33, undefined, 7, 64, 1, undefined, 8]), host)
    settle(imports[0] as never)
    await microtasks()
    turns.settle()
    expect(carried.flatMap(({ batch }) => codec.decode(batch))).toMatchObject([
      RUNTIME_ID,
      Signal.failure * 2 + 1,
      { code },
      7,
      RUNTIME_ID,
      Signal.answer * 2 + 1,
      undefined,
      8,
    ])
    expect(runtime.stats).toMatchObject({ actors: 0, deadLetters: 1 })
  })
})
