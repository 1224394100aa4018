import { describe, expect, it } from 'vitest'
import { DEFAULT_SESSION_LIMITS } from '../../../src/security/limits.ts'
import { sessionMachine } from '../../../src/security/session.machine.ts'
import { tabulate, walk, type Step } from '../../support/chart-table.ts'

const limits = DEFAULT_SESSION_LIMITS
const error = { code: 'ERR_SZMQ_BAD_RECORD', message: 'the tag of a record is wrong' } as const
const client = { role: 'client', firstEpoch: 1, limits }
const server = { role: 'server', firstEpoch: 1, limits }
const EVENTS = [
  { type: 'open' },
  { type: 'close', isDrained: true },
  { type: 'destroy', error },
  { type: 'rekey' },
  { type: 'hello.sent' },
  { type: 'hello.received' },
  { type: 'engine.secure' },
  { type: 'engine.drain' },
  { type: 'engine.closeNotifySent' },
  { type: 'engine.failed', error },
  { type: 'stream.broken', error },
  { type: 'peer.accepted' },
  { type: 'peer.end', isDrained: true },
  { type: 'peer.closeNotify' },
  { type: 'peer.violated', error },
  { type: 'peer.reset' },
  { type: 'peer.restarted', epoch: 2 },
]
const event = (type: string) => EVENTS.find((candidate) => candidate.type === type) ?? { type }
const steps = (...types: string[]): Step[] => types.map(event)
const OPENED = steps('open', 'hello.sent', 'hello.received', 'engine.secure', 'peer.accepted')
const BROKEN = [...OPENED, event('stream.broken')]
const AGAIN = {
  client: [...BROKEN, limits.backOffMinMs],
  server: [...BROKEN, event('peer.restarted')],
}
const paths = (role: 'client' | 'server') => ({
  idle: [],
  handshaking: steps('open'),
  open: OPENED,
  'resetting.recovering': BROKEN,
  'resetting.handshaking': AGAIN[role],
  closing: [...OPENED, event('close')],
})

describe('the session chart', () => {
  it('decides every event in every state of a client', () => {
    expect(tabulate(sessionMachine, client, paths('client'), EVENTS)).toEqual({
      idle: { open: 'handshaking', close: 'closed', destroy: 'failed' },
      handshaking: {
        close: 'closed',
        destroy: 'failed',
        'engine.failed': 'failed',
        'stream.broken': 'failed',
        'peer.accepted': 'failed',
        'peer.closeNotify': 'failed',
        'peer.violated': 'failed',
      },
      open: {
        close: 'closing',
        destroy: 'failed',
        rekey: 'resetting.recovering',
        'engine.failed': 'resetting.recovering',
        'stream.broken': 'resetting.recovering',
        'peer.reset': 'resetting.recovering',
        'peer.end': 'closing',
        'peer.closeNotify': 'failed',
        'peer.violated': 'failed',
      },
      'resetting.recovering': { close: 'failed', destroy: 'failed' },
      'resetting.handshaking': {
        close: 'failed',
        destroy: 'failed',
        'engine.failed': 'resetting.recovering',
        'stream.broken': 'resetting.recovering',
        'peer.accepted': 'resetting.recovering',
        'peer.closeNotify': 'resetting.recovering',
        'peer.violated': 'resetting.recovering',
      },
      closing: {
        destroy: 'failed',
        'engine.failed': 'failed',
        'stream.broken': 'failed',
        'peer.closeNotify': 'failed',
        'peer.violated': 'failed',
      },
    })
  })

  it('differs for a server in whom it follows: a newer epoch, not a reset', () => {
    const ofClient = tabulate(sessionMachine, client, paths('client'), EVENTS)
    const ofServer = tabulate(sessionMachine, server, paths('server'), EVENTS)
    expect(ofServer['idle']).toEqual(ofClient['idle'])
    expect(ofServer['handshaking']).toEqual(ofClient['handshaking'])
    expect(ofServer['resetting.handshaking']).toEqual(ofClient['resetting.handshaking'])
    expect(ofServer['closing']).toEqual(ofClient['closing'])
    const { 'peer.reset': _reset, ...open } = ofClient['open'] ?? {}
    expect(ofServer['open']).toEqual({ ...open, 'peer.restarted': 'resetting.handshaking' })
    expect(ofServer['resetting.recovering']).toEqual({
      ...ofClient['resetting.recovering'],
      'peer.restarted': 'resetting.handshaking',
    })
  })

  it.each(['closed', 'failed'])('never leaves %s', (end) => {
    const path = end === 'closed' ? steps('close') : steps('destroy')
    for (const next of EVENTS) expect(walk(sessionMachine, client, [...path, next]).state).toBe(end)
  })

  it('fails a re-handshake over and over without an end of its own only as long as attempts last', () => {
    const path: Step[] = [...BROKEN]
    for (let attempt = 0; attempt < limits.maxResetAttempts; attempt += 1) {
      expect(walk(sessionMachine, client, path).state).toBe('resetting.recovering')
      path.push(limits.backOffMaxMs, event('engine.failed'))
    }
    expect(walk(sessionMachine, client, path)).toMatchObject({ state: 'failed', context: { error } })
  })

  it('does not let forged hellos use the attempts of a server up', () => {
    const path: Step[] = [...BROKEN]
    for (let epoch = 2; epoch < 200; epoch += 1) path.push({ type: 'peer.restarted', epoch } as never)
    expect(walk(sessionMachine, server, path)).toMatchObject({
      state: 'resetting.handshaking',
      context: { epoch: 199, attempt: 0 },
    })
  })

  it('does not count the handshakes of a server that fail, for anybody may begin them', () => {
    const path: Step[] = [...BROKEN]
    for (let epoch = 2; epoch < 100; epoch += 1) path.push({ type: 'peer.restarted', epoch } as never, event('engine.failed'))
    expect(walk(sessionMachine, server, path)).toMatchObject({ state: 'resetting.recovering', context: { attempt: 0 } })
  })

  it('gives a reset up after maxResetMs, whatever happens meanwhile', () => {
    const path: Step[] = [...BROKEN]
    for (let epoch = 2; epoch < 200; epoch += 1) path.push({ type: 'peer.restarted', epoch } as never, 1_000)
    const { state, clock } = walk(sessionMachine, server, path)
    expect(state).toBe('failed')
    expect(clock.pendingTimers).toBe(0)
  })

  it('backs off longer for each reset, until it was stable for a while', () => {
    const cycle: Step[] = [event('peer.reset'), limits.backOffMaxMs, ...OPENED.slice(1)]
    const backOffStep = (path: Step[]) => (walk(sessionMachine, client, path).context as { backOffStep: number }).backOffStep
    expect(backOffStep([...OPENED, ...cycle, ...cycle])).toBe(2)
    expect(backOffStep([...OPENED, ...cycle, ...cycle, limits.stableAfterMs])).toBe(0)
  })

  it('puts neither bytes nor facts into a snapshot', () => {
    const { context } = walk(sessionMachine, client, OPENED)
    expect(Object.keys(context as object).sort()).toEqual([
      'attempt',
      'backOffStep',
      'epoch',
      'error',
      'isDrained',
      'limits',
      'peerEpoch',
      'provenEpoch',
      'role',
    ])
  })
})
