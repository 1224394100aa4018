import { describe, expect, it } from 'vitest'
import { createMachine, fromPromise, raise, setup, type AnyStateMachine } from 'xstate'
import { ChartRun, type ChartHost } from '../../../src/security/chart-run.ts'
import { compileChart } from '../../../src/security/chart.ts'
import { FakeClock } from '../../../src/testing/fake-clock.ts'

const ODD: readonly (readonly [string, AnyStateMachine])[] = [
  ['history', createMachine({ id: 'odd', initial: 'a', states: { a: { on: { go: 'h' } }, h: { type: 'history' } } })],
  ['exit', createMachine({ id: 'odd', initial: 'a', states: { a: { exit: 'x' } } })],
  [
    'onDone',
    createMachine({ id: 'odd', initial: 'a', states: { a: { initial: 'b', states: { b: {} }, onDone: 'c' }, c: {} } }),
  ],
  [
    'an end inside',
    createMachine({ id: 'odd', initial: 'a', states: { a: { initial: 'b', states: { b: { type: 'final' } } } } }),
  ],
  ['a wildcard', createMachine({ id: 'odd', initial: 'a', states: { a: { on: { '*': 'b' } }, b: {} } })],
  ['several states', createMachine(inRegions({ go: { target: ['.a.y', '.b.y'] } }))],
  ['into the midst', createMachine(inRegions({ go: '.a.y' }))],
  ['an event of two regions', createMachine(inRegions({}, { both: 'y' }))],
  ['an action without a name', createMachine({ id: 'odd', initial: 'a', states: { a: { entry: () => {} } } })],
  ['an action without a name', createMachine({ id: 'odd', initial: 'a', states: { a: { entry: raise({ type: 'x' }) } } })],
  ['names x', createMachine({ id: 'odd', initial: 'a', states: { a: { entry: 'x' } } })],
  [
    'names isOpen',
    createMachine({ id: 'odd', initial: 'a', states: { a: { on: { go: { guard: 'isOpen', target: 'b' } } }, b: {} } }),
  ],
  [
    'other machines',
    setup({ actors: { wait: fromPromise(async () => {}) } }).createMachine({
      id: 'odd',
      initial: 'a',
      states: { a: { invoke: { src: 'wait' } } },
    }),
  ],
]

/** Two regions, each with x and y. */
function inRegions(on: object, inner: object = {}) {
  const region = { initial: 'x', states: { x: { on: inner }, y: {} } }
  return { id: 'odd', type: 'parallel', on, states: { a: region, b: region } } as const
}

describe('a chart', () => {
  it.each(ODD)('is not made of a machine that uses what it does not know: %s', (what, machine) => {
    expect(() => compileChart(machine)).toThrow(what)
  })

  it('takes a delay from whoever runs it, if that has its own', () => {
    const { run, clock, asked } = runLight({ pause: 25 })
    expect(asked).toEqual(['pause'])
    clock.advance(24)
    expect(run.state).toBe('off')
    clock.advance(1)
    expect(run.state).toBe('on')
  })

  it('says nothing and leaves no timer once it was stopped', () => {
    const { run, clock, done } = runLight({})
    expect(clock.nextDeadline).toBe(10)
    run.stop()
    expect(clock.pendingTimers).toBe(0)
    run.send({ type: 'toggle' })
    run.start()
    expect([run.state, run.isOver, done]).toEqual(['off', true, []])
  })

  it('keeps an event for later that comes in the midst of a step', () => {
    const { run, done } = runLight({}, 'toggle')
    run.send({ type: 'toggle' })
    expect([run.state, done]).toEqual(['off', ['shine']])
  })
})

/** @param echo sent by whoever runs it in the midst of each action */
function runLight(delays: Readonly<Record<string, number>>, echo?: string) {
  const clock = new FakeClock()
  const done: string[] = []
  const asked: string[] = []
  const host: ChartHost = {
    clock,
    perform(action) {
      done.push(action)
      if (echo !== undefined) run.send({ type: echo })
    },
    moved: () => {},
    delayMs(name) {
      asked.push(name)
      return delays[name]
    },
  }
  const run = new ChartRun(compileChart(light), undefined, host)
  run.start()
  return { run, clock, done, asked }
}

const light = setup({ delays: { pause: () => 10 }, actions: { shine: () => {} } }).createMachine({
  id: 'light',
  initial: 'off',
  states: { off: { after: { pause: 'on' }, on: { toggle: 'on' } }, on: { entry: 'shine', on: { toggle: 'off' } } },
})
