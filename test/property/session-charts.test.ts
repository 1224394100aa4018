import './seed.ts'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Session } from '../../src/security/session.ts'
import type { SessionEvent, SessionStatus } from '../../src/security/session-status.ts'
import { SzmqError } from '../../src/shared/errors.ts'
import { insecureCleartextEngine } from '../../src/testing/cleartext-engine.ts'
import { FakeClock } from '../../src/testing/fake-clock.ts'
import { SeededRandom } from '../../src/testing/seeded-random.ts'

/** Where the charts say that the session stands. */
const KIND_BY_STATE: Readonly<Record<string, SessionStatus['kind']>> = {
  idle: 'idle',
  handshaking: 'handshaking',
  open: 'open',
  'resetting.recovering': 'resetting',
  'resetting.handshaking': 'resetting',
  closing: 'closing',
  closed: 'closed',
  failed: 'failed',
}

/** In these an engine lives, in all others none does. */
const LIVING = ['handshaking', 'open', 'resetting.handshaking', 'closing']

/** One side and what its charts told of themselves. */
class Side {
  readonly session: Session
  /** Ciphertext that was not delivered yet, with its epoch. */
  readonly out: { readonly epoch: number; readonly bytes: Uint8Array }[] = []
  readonly events: SessionEvent[] = []
  readonly states = new Map<string, string>()
  resetRequest: number | undefined

  constructor(role: 'client' | 'server', clock: FakeClock, laterBy: FakeClock | undefined) {
    this.states.set('session', 'idle')
    const engine = insecureCleartextEngine({ role, name: role, ...(laterBy === undefined ? {} : { laterBy }) })
    const limits = { maxResetAttempts: 3, maxResetMs: 30_000 }
    this.session = new Session({ role, engine, limits }, { clock, random: new SeededRandom(7) }, (event) => {
      this.events.push(event)
      if (event.kind === 'ciphertext') this.out.push(event)
      if (event.kind === 'epoch.started') this.out.length = 0
      if (event.kind === 'reset.request') this.resetRequest = event.epoch
      if (event.kind !== 'transition') return
      // A chart goes on from where it said it was; the charts that a state holds begin anew.
      if (event.from !== '') expect(event.from, `${event.chart} jumped`).toBe(this.states.get(event.chart) ?? event.from)
      this.states.set(event.chart, event.to)
    })
  }

  get state(): string {
    return this.states.get('session') ?? 'missing'
  }

  count(kind: SessionEvent['kind']): number {
    return this.events.filter((event) => event.kind === kind).length
  }

  entered(state: string): number {
    return this.events.filter((event) => event.kind === 'transition' && event.chart === 'session' && event.to === state).length
  }
}

type Step =
  | { readonly kind: 'open' | 'close' | 'destroy' | 'broken' | 'rekey' | 'send' | 'peerReset'; readonly side: number }
  | { readonly kind: 'deliver' | 'lose' | 'damage'; readonly side: number }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'settle' }

const side = fc.nat({ max: 1 })
const steps = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('settle' as const) }) },
    { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom('deliver' as const, 'send' as const), side }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('lose' as const, 'damage' as const), side }) },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constantFrom('broken' as const, 'rekey' as const, 'peerReset' as const), side }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('open' as const, 'close' as const, 'destroy' as const), side }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.constantFrom(0, 1, 60, 1_000, 12_000) }) },
  ),
  { maxLength: 50 },
)

class Walk {
  readonly clock = new FakeClock()
  readonly client: Side
  readonly server: Side

  constructor(isLater: boolean) {
    const later = isLater ? this.clock : undefined
    this.client = new Side('client', this.clock, later)
    this.server = new Side('server', this.clock, later)
  }

  take(step: Step): void {
    if (step.kind === 'wait') this.clock.advance(step.ms)
    else if (step.kind === 'settle') this.#settle()
    else this.#act(step.kind, step.side === 0 ? this.client : this.server)
  }

  #act(kind: Exclude<Step, { kind: 'wait' | 'settle' }>['kind'], at: Side): void {
    const other = at === this.client ? this.server : this.client
    switch (kind) {
      case 'open':
        at.session.open()
        return
      case 'close':
        at.session.close()
        return
      case 'destroy':
        at.session.destroy()
        return
      case 'broken':
        at.session.streamBroken('as the walk says')
        return
      case 'peerReset':
        at.session.peerReset()
        return
      case 'rekey':
        onlyWhenOpen(at, () => {
          at.session.rekey()
        })
        return
      case 'send':
        onlyWhenOpen(at, () => {
          at.session.send(Uint8Array.of(1, 2, 3))
        })
        return
      case 'deliver':
        this.#deliver(at, other)
        return
      case 'lose':
        at.out.shift()
        return
      case 'damage': {
        const piece = at.out[0]
        if (piece !== undefined) piece.bytes.fill(0xee, 0, 3)
        return
      }
    }
  }

  /** One piece, if the other side is in its epoch; the transport tells a server of newer ones. */
  #deliver(from: Side, to: Side): void {
    const piece = from.out.shift()
    if (piece === undefined) return
    const epochOf = (): number | undefined => ('epoch' in to.session.status ? to.session.status.epoch : undefined)
    if (to === this.server && epochOf() !== undefined && epochOf() !== piece.epoch) to.session.peerRestarted(piece.epoch)
    if (epochOf() === piece.epoch) to.session.receive(piece.bytes)
  }

  #settle(): void {
    for (let rounds = 0; rounds < 40; rounds += 1) {
      if (this.server.resetRequest !== undefined) {
        this.server.resetRequest = undefined
        this.client.session.peerReset()
      }
      this.#deliver(this.client, this.server)
      this.#deliver(this.server, this.client)
      this.clock.advance(0)
    }
  }

  check(): void {
    for (const at of [this.client, this.server]) {
      const { state, session } = at
      expect(session.status.kind).toBe(KIND_BY_STATE[state])
      expect(session.engine !== undefined, `an engine in ${state}`).toBe(LIVING.includes(state))
      expect(at.count('open')).toBe(at.entered('open'))
      expect(at.count('closed')).toBe(at.entered('closed'))
      expect(at.count('failed')).toBe(at.entered('failed'))
      expect(at.count('closed') + at.count('failed')).toBeLessThanOrEqual(1)
      if (state === 'closed' || state === 'failed') {
        const told = at.events.filter(({ kind }) => kind !== 'transition').at(-1)
        expect(told?.kind).toBe(state)
      }
    }
  }
}

function onlyWhenOpen(at: Side, action: () => void): void {
  const isOpen = at.session.status.kind === 'open'
  try {
    action()
    expect(isOpen).toBe(true)
  } catch (error) {
    if (!(error instanceof SzmqError)) throw error
    expect(error.code).toBe('ERR_SZMQ_INVALID_STATE')
    expect(isOpen).toBe(false)
  }
}

describe('the charts of a session', () => {
  it('never disagree with it, on any walk: status, engine, and what was told', () => {
    const visited = new Set<string>()
    fc.assert(
      fc.property(fc.boolean(), fc.boolean(), steps, (isLater, isBegun, walk) => {
        const pair = new Walk(isLater)
        if (isBegun) {
          pair.server.session.open()
          pair.client.session.open()
          pair.take({ kind: 'settle' })
        }
        pair.check()
        for (const step of walk) {
          pair.take(step)
          pair.check()
          visited.add(pair.client.state).add(pair.server.state)
        }
      }),
      { numRuns: 300 },
    )
    // Walks that stay at home show nothing.
    expect([...visited].toSorted((a, b) => (a < b ? -1 : 1))).toEqual(
      Object.keys(KIND_BY_STATE).toSorted((a, b) => (a < b ? -1 : 1)),
    )
  })
})
