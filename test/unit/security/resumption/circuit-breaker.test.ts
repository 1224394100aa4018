import { describe, expect, it } from 'vitest'
import { CircuitBreaker } from '../../../../src/security/resumption/circuit-breaker.ts'

const limits = { restAfterFailures: 3, restMinMs: 100, restMaxMs: 300 }

/** After the failures that begin the first rest, at time 0. */
function restingBreaker(): CircuitBreaker {
  const breaker = new CircuitBreaker(limits)
  for (let at = 0; at < 3; at += 1) breaker.failed(0)
  return breaker
}

describe('a circuit breaker', () => {
  it('lets everything through until there were too many failures in a row', () => {
    const breaker = new CircuitBreaker(limits)
    expect([breaker.failed(0), breaker.failed(0)]).toEqual([undefined, undefined])
    breaker.succeeded()
    expect([breaker.failed(0), breaker.failed(0), breaker.mayAsk(0)]).toEqual([undefined, undefined, true])
    expect([breaker.failed(0), breaker.mayAsk(0)]).toEqual([100, false])
  })

  it('lets one probe through after the rest, and nothing beside it', () => {
    const breaker = restingBreaker()
    expect([99, 100, 100, 5_000].map((now) => breaker.mayAsk(now))).toEqual([false, true, false, false])
  })

  it('rests longer each time the probe fails, up to a limit', () => {
    const breaker = restingBreaker()
    const rests: unknown[] = []
    for (let now = 100, at = 0; at < 4; at += 1) {
      expect(breaker.mayAsk(now)).toBe(true)
      const restMs = breaker.failed(now)
      rests.push(restMs)
      now += restMs ?? 0
    }
    expect(rests).toEqual([200, 300, 300, 300])
  })

  it('ends the rests when the probe succeeds; the next rest is short again', () => {
    const breaker = restingBreaker()
    breaker.mayAsk(100)
    breaker.succeeded()
    expect([breaker.mayAsk(100), breaker.mayAsk(100)]).toEqual([true, true])
    expect([breaker.failed(100), breaker.failed(100), breaker.failed(100)]).toEqual([undefined, undefined, 100])
  })

  it('learns nothing from failures of what was asked before the rest', () => {
    const breaker = restingBreaker()
    expect([breaker.failed(50), breaker.failed(99)]).toEqual([undefined, undefined])
    expect(breaker.mayAsk(100)).toBe(true)
  })
})
