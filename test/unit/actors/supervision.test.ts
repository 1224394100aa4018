import { describe, expect, it } from 'vitest'
import { DEFAULT_SUPERVISION, RestartIntensity } from '../../../src/actors/supervision.ts'

describe('restart intensity', () => {
  const supervision = { on: 'restart', intensity: 2, periodMs: 100 } as const

  it('allows so many restarts within the period, and stops at one more', () => {
    const intensity = new RestartIntensity()
    expect([0, 50, 99].map((now) => intensity.decide(supervision, now))).toEqual(['restart', 'restart', 'stop'])
  })

  it('forgets a restart when the period has passed since', () => {
    const intensity = new RestartIntensity()
    expect([0, 50, 100, 149, 150].map((now) => intensity.decide(supervision, now))).toEqual([
      'restart',
      'restart',
      'restart',
      'stop',
      'restart',
    ])
  })

  it('stops at the first failure when it is zero', () => {
    expect(new RestartIntensity().decide({ ...supervision, intensity: 0 }, 0)).toBe('stop')
  })

  it.each(['resume', 'stop'] as const)('does not count where the decision is always to %s', (on) => {
    const intensity = new RestartIntensity()
    expect([0, 0, 0, 0].map((now) => intensity.decide({ ...supervision, on }, now))).toEqual([on, on, on, on])
  })

  it('restarts three times in five seconds by default', () => {
    const intensity = new RestartIntensity()
    expect([0, 1, 2, 3].map((now) => intensity.decide(DEFAULT_SUPERVISION, now))).toEqual([
      'restart',
      'restart',
      'restart',
      'stop',
    ])
    expect(intensity.decide(DEFAULT_SUPERVISION, 5_000)).toBe('restart')
  })
})
