import { describe, expect, it } from 'vitest'
import { handshakeMachine } from '../../../src/security/handshake.machine.ts'
import { DEFAULT_SESSION_LIMITS } from '../../../src/security/limits.ts'
import { tabulate, walk, type Step } from '../../support/chart-table.ts'

const limits = DEFAULT_SESSION_LIMITS
const error = { code: 'ERR_SZMQ_UNKNOWN_CA', message: 'an unknown authority signed the certificate' } as const
const EVENTS = [
  { type: 'hello.sent' },
  { type: 'hello.received' },
  { type: 'engine.secure' },
  { type: 'peer.accepted' },
  { type: 'engine.failed', error },
  { type: 'stream.broken', error },
  { type: 'peer.violated', error },
  { type: 'peer.closeNotify' },
  { type: 'peer.reset' },
]
const FAILURES = {
  'engine.failed': 'failed',
  'stream.broken': 'failed',
  'peer.violated': 'failed',
  'peer.closeNotify': 'failed',
  'peer.accepted': 'failed',
}
const at = (exchange: string, refusal = 'unheard') => `running.exchange.${exchange} running.refusal.${refusal}`
const steps = (...types: string[]): readonly Step[] => types.map((type) => ({ type }))
const client = { role: 'client', limits }
const server = { role: 'server', limits }
const CLIENT_STATES = {
  [at('sendingClientHello')]: steps(),
  [at('awaitingServerHello')]: steps('hello.sent'),
  [at('negotiating')]: steps('hello.sent', 'hello.received'),
  [at('awaitingAcceptance')]: steps('hello.sent', 'hello.received', 'engine.secure'),
}
const SERVER_STATES = {
  [at('awaitingClientHello')]: steps(),
  [at('negotiating')]: steps('hello.received'),
  [at('accepting')]: steps('hello.received', 'engine.secure'),
}

describe('a handshake', () => {
  it('decides every event in every state of a client', () => {
    expect(tabulate(handshakeMachine, client, CLIENT_STATES, EVENTS)).toEqual({
      [at('sendingClientHello')]: {
        ...FAILURES,
        'hello.sent': at('awaitingServerHello'),
        'peer.reset': at('sendingClientHello', 'heard'),
      },
      [at('awaitingServerHello')]: {
        ...FAILURES,
        'hello.received': at('negotiating'),
        'engine.secure': at('awaitingAcceptance'),
        'peer.reset': at('awaitingServerHello', 'heard'),
      },
      [at('negotiating')]: {
        ...FAILURES,
        'engine.secure': at('awaitingAcceptance'),
        'peer.reset': at('negotiating', 'heard'),
      },
      [at('awaitingAcceptance')]: {
        ...FAILURES,
        'peer.accepted': 'done',
        'peer.reset': at('awaitingAcceptance', 'heard'),
      },
    })
  })

  it('decides every event in every state of a server', () => {
    expect(tabulate(handshakeMachine, server, SERVER_STATES, EVENTS)).toEqual({
      [at('awaitingClientHello')]: {
        ...FAILURES,
        'hello.received': at('negotiating'),
        'engine.secure': at('accepting'),
        'peer.reset': at('awaitingClientHello', 'heard'),
      },
      [at('negotiating')]: { ...FAILURES, 'engine.secure': at('accepting'), 'peer.reset': at('negotiating', 'heard') },
      [at('accepting')]: { ...FAILURES, 'peer.accepted': 'done', 'peer.reset': at('accepting', 'heard') },
    })
  })

  const everywhere = [
    ...Object.entries(CLIENT_STATES).map(([state, path]) => ['client', state, path] as const),
    ...Object.entries(SERVER_STATES).map(([state, path]) => ['server', state, path] as const),
  ]

  it.each(everywhere)('of a %s has one deadline, in %s too', (role, _state, path) => {
    const { output, clock } = walk(handshakeMachine, { role, limits }, [...path, limits.handshakeTimeoutMs])
    expect(output).toMatchObject({ kind: 'failed', error: { code: 'ERR_SZMQ_HANDSHAKE_TIMEOUT' } })
    expect(clock.pendingTimers).toBe(0)
    expect(walk(handshakeMachine, { role, limits }, [...path, limits.handshakeTimeoutMs - 1]).output).toBeUndefined()
  })

  it.each(everywhere)('of a %s believes a plain-text reset only after a grace, in %s too', (role, _state, path) => {
    const doubted = [...path, { type: 'peer.reset' }, limits.refusalGraceMs - 1, { type: 'peer.reset' }]
    expect(walk(handshakeMachine, { role, limits }, doubted).output).toBeUndefined()
    const { output } = walk(handshakeMachine, { role, limits }, [...doubted, 1])
    expect(output).toMatchObject({ kind: 'failed', error: { code: 'ERR_SZMQ_REFUSED_BY_PEER' } })
  })

  it('succeeds in spite of a forged reset', () => {
    const path = [...steps('hello.sent', 'peer.reset', 'hello.received', 'engine.secure'), 500, { type: 'peer.accepted' }]
    const { output, clock } = walk(handshakeMachine, client, path)
    expect(output).toEqual({ kind: 'done' })
    expect(clock.pendingTimers).toBe(0)
  })

  it('keeps the cause it was given', () => {
    expect(walk(handshakeMachine, client, [{ type: 'engine.failed', error } as never]).output).toEqual({
      kind: 'failed',
      error,
    })
  })

  it('says ACCEPT once, when our own side has verified the peer', () => {
    for (const input of [client, server]) {
      const done: string[] = []
      const machine = handshakeMachine.provide({
        actions: { beginHandshake: () => done.push('begin'), sendAccept: () => done.push('accept') },
      })
      walk(machine, input, steps('hello.sent', 'hello.received', 'engine.secure', 'engine.secure', 'peer.accepted'))
      expect(done).toEqual(['begin', 'accept'])
    }
  })
})
