import { describe, expect, it } from 'vitest'
import { AskTable, DEFAULT_ASK_TIMEOUT_MS } from '../../../src/actors/ask-table.ts'
import { SzmqError } from '../../../src/shared/errors.ts'
import { FakeClock } from '../../../src/testing/fake-clock.ts'
import { settlementOf } from '../../support/memory-runtime.ts'

const THERE = { name: 'there' }
const ELSEWHERE = { name: 'elsewhere' }
const describeAsk = (): string => '/a asked for b'
const broken = (what: string): SzmqError => new SzmqError('ERR_SZMQ_THREAD_LOST', what)

function setUp() {
  const clock = new FakeClock()
  return { clock, asks: new AskTable(clock) }
}

describe('the asks a thread waits for', () => {
  it('settle with the first answer, and know no second one', async () => {
    const { asks } = setUp()
    const { id, promise } = asks.open(THERE, describeAsk)
    expect(asks.settle(id, THERE, 1)).toBe(true)
    expect(asks.settle(id, THERE, 2)).toBe(false)
    expect(asks.fail(id, THERE, broken('late'))).toBe(false)
    expect(await promise).toBe(1)
    expect(asks.size).toBe(0)
  })

  it('take no answer from someone who was not asked', async () => {
    const { asks } = setUp()
    const { id, promise } = asks.open(THERE, describeAsk)
    expect(asks.settle(id, ELSEWHERE, 'forged')).toBe(false)
    expect(asks.fail(id, ELSEWHERE, broken('forged'))).toBe(false)
    expect(asks.settle(id + 1, THERE, 'other')).toBe(false)
    expect(await settlementOf(promise)).toBe('pending')
    asks.settle(id, THERE, 'real')
    expect(await promise).toBe('real')
  })

  it('are given up at their deadline, not before, and each at its own', async () => {
    const { asks, clock } = setUp()
    const slow = asks.open(THERE, describeAsk, { timeoutMs: 100 }).promise
    const quick = asks.open(THERE, describeAsk, { timeoutMs: 10 }).promise
    const usual = asks.open(THERE, describeAsk).promise
    clock.advance(9)
    expect(asks.size).toBe(3)
    clock.advance(1)
    expect(await settlementOf(quick)).toEqual({ code: 'ERR_SZMQ_ASK_TIMEOUT' })
    clock.advance(89)
    expect(asks.size).toBe(2)
    clock.advance(1)
    expect(await settlementOf(slow)).toEqual({ code: 'ERR_SZMQ_ASK_TIMEOUT' })
    clock.advance(DEFAULT_ASK_TIMEOUT_MS - 101)
    expect(asks.size).toBe(1)
    clock.advance(1)
    await expect(usual).rejects.toMatchObject({ code: 'ERR_SZMQ_ASK_TIMEOUT', message: expect.stringContaining('unknown') })
    expect(asks.size).toBe(0)
    expect(clock.pendingTimers).toBe(0)
  })

  it('know no answer after the deadline', async () => {
    const { asks, clock } = setUp()
    const { id, promise } = asks.open(THERE, describeAsk, { timeoutMs: 1 })
    clock.advance(1)
    expect(asks.settle(id, THERE, 'late')).toBe(false)
    await expect(promise).rejects.toMatchObject({ code: 'ERR_SZMQ_ASK_TIMEOUT' })
  })

  it('expire in a queue whose head was answered long ago', async () => {
    const { asks, clock } = setUp()
    const first = asks.open(THERE, describeAsk, { timeoutMs: 10 })
    clock.advance(5)
    const second = asks.open(THERE, describeAsk, { timeoutMs: 10 })
    asks.settle(first.id, THERE, 1)
    clock.advance(9)
    expect(await settlementOf(second.promise)).toBe('pending')
    clock.advance(1)
    expect(await settlementOf(second.promise)).toEqual({ code: 'ERR_SZMQ_ASK_TIMEOUT' })
  })

  it('are given up when their signal says so, and let go of the signal when they settle', async () => {
    const { asks } = setUp()
    const controller = new AbortController()
    const aborted = asks.open(THERE, describeAsk, { signal: controller.signal })
    const answered = asks.open(THERE, describeAsk, { signal: controller.signal })
    asks.settle(answered.id, THERE, 1)
    controller.abort()
    expect(await settlementOf(aborted.promise)).toEqual({ code: 'ERR_SZMQ_ABORTED' })
    expect(await settlementOf(answered.promise)).toEqual({ value: 1 })
    expect(asks.settle(aborted.id, THERE, 2)).toBe(false)
    expect(await settlementOf(asks.open(THERE, describeAsk, { signal: controller.signal }).promise)).toEqual({
      code: 'ERR_SZMQ_ABORTED',
    })
    expect(asks.size).toBe(0)
  })

  it('fail at once when whom they asked can never answer, and only those', async () => {
    const { asks } = setUp()
    const lost = [asks.open(THERE, describeAsk).promise, asks.open(THERE, describeAsk).promise]
    const other = asks.open(ELSEWHERE, describeAsk)
    asks.failAllTo(THERE, broken)
    for (const promise of lost) await expect(promise).rejects.toMatchObject({ message: '/a asked for b' })
    expect(await settlementOf(other.promise)).toBe('pending')
    asks.failAll(broken)
    expect(await settlementOf(other.promise)).toEqual({ code: 'ERR_SZMQ_THREAD_LOST' })
  })

  it.each([0, -1, NaN])('refuse to wait %s milliseconds', (timeoutMs) => {
    const { asks } = setUp()
    expect(() => asks.open(THERE, describeAsk, { timeoutMs })).toThrowError(
      expect.objectContaining({ code: 'ERR_SZMQ_INVALID_ARGUMENT' }),
    )
    expect(asks.size).toBe(0)
  })

  it('set no timer longer than a timer can be, so that a patience of a year is not one of a millisecond', async () => {
    const delays: number[] = []
    const clock = new FakeClock()
    const asks = new AskTable({
      now: () => clock.now(),
      setTimeout: (callback, delayMs) => {
        delays.push(delayMs)
        return clock.setTimeout(callback, delayMs)
      },
      clearTimeout: (handle) => {
        clock.clearTimeout(handle)
      },
    })
    const yearMs = 365 * 24 * 3_600_000
    const { promise } = asks.open(THERE, describeAsk, { timeoutMs: yearMs })
    const patient = asks.open(THERE, describeAsk, { timeoutMs: Infinity })
    clock.advance(yearMs - 1)
    expect(asks.size).toBe(2)
    clock.advance(1)
    expect(await settlementOf(promise)).toEqual({ code: 'ERR_SZMQ_ASK_TIMEOUT' })
    expect(Math.max(...delays)).toBeLessThan(2 ** 31)
    expect(await settlementOf(patient.promise)).toBe('pending')
    asks.settle(patient.id, THERE, 'at last')
    expect(await patient.promise).toBe('at last')
  })

  it('leave no timer behind when closed', () => {
    const { asks, clock } = setUp()
    void asks.open(THERE, describeAsk).promise.catch(() => {})
    asks.failAll(broken)
    asks.close()
    expect(clock.pendingTimers).toBe(0)
  })
})
