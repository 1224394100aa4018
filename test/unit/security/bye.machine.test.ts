import { describe, expect, it } from 'vitest'
import { byeMachine } from '../../../src/security/bye.machine.ts'
import { DEFAULT_SESSION_LIMITS } from '../../../src/security/limits.ts'
import { tabulate, walk } from '../../support/chart-table.ts'

const limits = DEFAULT_SESSION_LIMITS
const error = { code: 'ERR_SZMQ_BAD_RECORD', message: 'the tag of a record is wrong' } as const
const EVENTS = [
  { type: 'engine.drain' },
  { type: 'engine.closeNotifySent' },
  { type: 'peer.end' },
  { type: 'peer.closeNotify' },
  { type: 'engine.failed', error },
  { type: 'stream.broken', error },
  { type: 'peer.violated', error },
]
const CUT = {
  'peer.closeNotify': 'truncated',
  'engine.failed': 'truncated',
  'stream.broken': 'truncated',
  'peer.violated': 'truncated',
}
const ours = { isAnswer: false, isDrained: false, limits }
const drained = { ...ours, isDrained: true }
const answer = { ...ours, isAnswer: true }

describe('a bye', () => {
  it('decides every event in every state', () => {
    const paths = {
      'ending.draining': [],
      'ending.sendingEnd': [{ type: 'engine.drain' }],
      'ending.awaitingPeerEnd': [{ type: 'engine.drain' }, { type: 'engine.closeNotifySent' }],
      flushing: [{ type: 'peer.end' }],
    }
    expect(tabulate(byeMachine, ours, paths, EVENTS)).toEqual({
      'ending.draining': { ...CUT, 'engine.drain': 'ending.sendingEnd', 'peer.end': 'flushing' },
      'ending.sendingEnd': { ...CUT, 'engine.closeNotifySent': 'ending.awaitingPeerEnd', 'peer.end': 'flushing' },
      'ending.awaitingPeerEnd': { ...CUT, 'peer.end': 'closed' },
      flushing: { 'engine.closeNotifySent': 'closed', 'engine.failed': 'closed', 'stream.broken': 'closed' },
    })
  })

  it('sends END at once when the engine holds nothing back', () => {
    expect(walk(byeMachine, drained, []).state).toBe('ending.sendingEnd')
  })

  it('sends END exactly once, whichever way it goes', () => {
    for (const input of [ours, drained, answer]) {
      let sent = 0
      const machine = byeMachine.provide({ actions: { sendEnd: () => (sent += 1) } })
      walk(machine, input, [{ type: 'engine.drain' }, { type: 'peer.end' }, { type: 'engine.closeNotifySent' }])
      expect(sent).toBe(1)
    }
  })

  it('answers the END of the peer without waiting for a drain, and is over when the answer has left', () => {
    expect(walk(byeMachine, answer, []).state).toBe('flushing')
    expect(walk(byeMachine, answer, [{ type: 'engine.closeNotifySent' }]).output).toEqual({ kind: 'closed' })
    expect(walk(byeMachine, answer, [limits.flushTimeoutMs]).output).toEqual({ kind: 'closed' })
  })

  it.each([
    ['draining', ours, []],
    ['sending', drained, []],
    ['waiting', drained, [{ type: 'engine.closeNotifySent' }]],
  ] as const)('times out while %s', (_state, input, path) => {
    expect(walk(byeMachine, input, [...path, limits.byeTimeoutMs - 1]).output).toBeUndefined()
    const { output, clock } = walk(byeMachine, input, [...path, limits.byeTimeoutMs])
    expect(output).toMatchObject({ kind: 'timedOut', error: { code: 'ERR_SZMQ_TRUNCATED' } })
    expect(clock.pendingTimers).toBe(0)
  })

  it('names what cut it', () => {
    expect(walk(byeMachine, drained, [{ type: 'engine.failed', error } as never]).output).toMatchObject({
      kind: 'truncated',
      error: { code: 'ERR_SZMQ_TRUNCATED', message: expect.stringContaining('the tag of a record is wrong') },
    })
  })
})
