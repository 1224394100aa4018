import { describe, expect, it } from 'vitest'
import { DEFAULT_SESSION_LIMITS } from '../../../src/security/limits.ts'
import { resetMachine, type ResetInput } from '../../../src/security/reset.machine.ts'
import { walk } from '../../support/chart-table.ts'

const error = { code: 'ERR_SZMQ_STREAM_BROKEN', message: 'a frame is missing' } as const
const client: ResetInput = {
  role: 'client',
  epoch: 4,
  provenEpoch: 3,
  attempt: 0,
  backOffStep: 0,
  peerEpoch: undefined,
  error,
  limits: DEFAULT_SESSION_LIMITS,
}
const server: ResetInput = { ...client, role: 'server' }

describe('the reset of a client', () => {
  it('backs off, then begins the next epoch', () => {
    expect(walk(resetMachine, client, []).state).toBe('backingOff')
    expect(walk(resetMachine, client, [49]).state).toBe('backingOff')
    expect(walk(resetMachine, client, [50])).toMatchObject({ state: 'restarting', output: { kind: 'restart', epoch: 5 } })
  })

  it('doubles the back-off with each step, up to its limit', () => {
    expect(walk(resetMachine, { ...client, backOffStep: 3 }, [399]).state).toBe('backingOff')
    expect(walk(resetMachine, { ...client, backOffStep: 3 }, [400]).state).toBe('restarting')
    expect(walk(resetMachine, { ...client, backOffStep: 2_000 }, [5_000]).state).toBe('restarting')
  })

  it('is not led to another epoch by the peer', () => {
    expect(walk(resetMachine, client, [{ type: 'peer.restarted', epoch: 9 } as never]).state).toBe('backingOff')
  })

  it('gives up with the last cause once the attempts are used up', () => {
    const worn = { ...client, attempt: DEFAULT_SESSION_LIMITS.maxResetAttempts }
    expect(walk(resetMachine, worn, [])).toMatchObject({ state: 'exhausted', output: { kind: 'exhausted', error } })
  })
})

describe('the reset of a server', () => {
  it('asks for a new hello, again and again, and goes on when a newer one comes', () => {
    const asked: number[] = []
    const machine = resetMachine.provide({ actions: { requestReset: ({ context }) => asked.push(context.epoch) } })
    expect(walk(machine, server, [999]).state).toBe('asking.awaitingPeerHello')
    expect(asked).toEqual([4])
    expect(walk(machine, server, [2_500]).state).toBe('asking.awaitingPeerHello')
    expect(asked).toEqual([4, 4, 4, 4])
    const restarted = walk(machine, server, [2_500, { type: 'peer.restarted', epoch: 7 } as never])
    expect(restarted).toMatchObject({ state: 'restarting', output: { kind: 'restart', epoch: 7 } })
  })

  it.each([2, 3])('does not go back to epoch %i, which was proven or before one that was', (epoch) => {
    expect(walk(resetMachine, server, [{ type: 'peer.restarted', epoch } as never]).state).toBe('asking.awaitingPeerHello')
  })

  it('takes the epoch again that failed: whoever began it may not have been the client', () => {
    const restarted = walk(resetMachine, server, [{ type: 'peer.restarted', epoch: 4 } as never])
    expect(restarted).toMatchObject({ state: 'restarting', output: { kind: 'restart', epoch: 4 } })
  })

  it('gives the client up when no hello comes in time', () => {
    expect(walk(resetMachine, server, [29_999]).state).toBe('asking.awaitingPeerHello')
    expect(walk(resetMachine, server, [30_000])).toMatchObject({ state: 'lost', output: { kind: 'lost', error } })
  })

  it('asks for nothing when the client has begun a new epoch by itself', () => {
    const output = { kind: 'restart', epoch: 6 }
    expect(walk(resetMachine, { ...server, peerEpoch: 6 }, [])).toMatchObject({ state: 'restarting', output })
  })

  it('gives up once the attempts are used up', () => {
    expect(walk(resetMachine, { ...server, attempt: 10 }, []).state).toBe('exhausted')
  })
})

it.each([client, server])('leaves no timer behind ($role)', (input) => {
  expect(walk(resetMachine, input, [100_000]).clock.pendingTimers).toBe(0)
})
