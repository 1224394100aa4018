import { describe, expect, it } from 'vitest'
import { FakeClock } from '../../../src/testing/fake-clock.ts'
import { SeededRandom } from '../../../src/testing/seeded-random.ts'

describe('the fake clock', () => {
  it('runs what is due, earliest first, equal ones in the order they were set', () => {
    const clock = new FakeClock()
    const ran: string[] = []
    const at = (name: string, delayMs: number) => clock.setTimeout(() => ran.push(`${name}@${clock.now()}`), delayMs)
    at('late', 30)
    at('first', 10)
    at('second', 10)
    clock.clearTimeout(at('cleared', 5))
    clock.setTimeout(() => at('nested', 5), 10)
    expect(clock.nextDeadline).toBe(10)
    clock.advance(20)
    expect(ran).toEqual(['first@10', 'second@10', 'nested@15'])
    expect(clock.now()).toBe(20)
    expect(clock.pendingTimers).toBe(1)
    clock.advance(10)
    expect(ran.at(-1)).toBe('late@30')
    expect(clock.pendingTimers).toBe(0)
  })

  it('agrees with a sorted list, whatever is set and cleared', () => {
    const random = new SeededRandom(7)
    const clock = new FakeClock()
    const ran: number[] = []
    const expected: { readonly dueAt: number; readonly id: number }[] = []
    for (let id = 0; id < 500; id += 1) {
      const dueAt = Math.floor(random.fraction() * 50)
      const handle = clock.setTimeout(() => ran.push(id), dueAt)
      if (random.fraction() < 0.3) clock.clearTimeout(handle)
      else expected.push({ dueAt, id })
    }
    expect(clock.pendingTimers).toBe(expected.length)
    clock.advance(50)
    expect(ran).toEqual(expected.sort((a, b) => a.dueAt - b.dueAt || a.id - b.id).map(({ id }) => id))
  })
})

describe('seeded randomness', () => {
  it('repeats itself for a seed, and only for that', () => {
    expect(new SeededRandom(1).bytes(16)).toEqual(new SeededRandom(1).bytes(16))
    expect(new SeededRandom(1).bytes(16)).not.toEqual(new SeededRandom(2).bytes(16))
    const random = new SeededRandom(3)
    const fractions = Array.from({ length: 1_000 }, () => random.fraction())
    expect(fractions.every((fraction) => fraction >= 0 && fraction < 1)).toBe(true)
    expect(fractions.reduce((sum, fraction) => sum + fraction) / 1_000).toBeCloseTo(0.5, 1)
  })
})
