import './seed.ts'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { ClientSessions, type ClientSession } from '../../src/security/resumption/client-sessions.ts'
import { FakeClock } from '../../src/testing/fake-clock.ts'

const PEERS = 4
const peer = fc.nat({ max: PEERS - 1 }).map(String)
const step = fc.oneof(
  fc.record({
    kind: fc.constant('remember' as const),
    peer,
    version: fc.constantFrom('TLSv1.2' as const, 'TLSv1.3' as const),
    lifetimeMs: fc.integer({ min: 1, max: 50 }),
  }),
  fc.record({ kind: fc.constant('take' as const), peer }),
  fc.record({ kind: fc.constant('forget' as const), peer }),
  fc.record({ kind: fc.constant('pass' as const), ms: fc.nat({ max: 20 }) }),
)

interface Modelled {
  readonly version: ClientSession['version']
  readonly byte: number
  readonly expiresAt: number
}

it('gives the newest session that lives; each of TLS 1.3 once; and all of them while all peers fit', () => {
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 100 }),
      fc.integer({ min: 1, max: 6 }),
      fc.integer({ min: 1, max: 3 }),
      (steps, maxPeers, maxPerPeer) => {
        const clock = new FakeClock()
        const sessions = new ClientSessions({ clock, maxPeers, maxPerPeer })
        const model = new Map<string, readonly Modelled[]>()
        const alive = (of: string): readonly Modelled[] => (model.get(of) ?? []).filter((each) => each.expiresAt > clock.now())
        for (const [at, next] of steps.entries()) {
          switch (next.kind) {
            case 'pass':
              clock.advance(next.ms)
              break
            case 'forget':
              sessions.forget(next.peer)
              model.delete(next.peer)
              break
            case 'remember': {
              const { version, lifetimeMs } = next
              sessions.remember(next.peer, { version, data: Uint8Array.of(at + 1) }, { lifetimeMs })
              const kept = { version, byte: at + 1, expiresAt: clock.now() + lifetimeMs }
              model.set(next.peer, [kept, ...alive(next.peer)].slice(0, maxPerPeer))
              break
            }
            case 'take': {
              const [newest, ...others] = alive(next.peer)
              const taken = sessions.take(next.peer)
              if (taken === undefined) {
                if (newest !== undefined) expect(maxPeers).toBeLessThan(PEERS)
                model.delete(next.peer)
                break
              }
              expect([taken.version, taken.data[0]]).toEqual([newest?.version, newest?.byte])
              if (newest?.version === 'TLSv1.3') model.set(next.peer, others)
              break
            }
            default:
              next satisfies never
          }
          expect(sessions.size).toBeLessThanOrEqual(maxPeers)
          expect(clock.pendingTimers).toBe(0)
        }
      },
    ),
  )
})
