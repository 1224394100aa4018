import './seed.ts'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { SzmqError } from '../../src/shared/errors.ts'
import { FakeClock } from '../../src/testing/fake-clock.ts'
import type { LinkLimits } from '../../src/transport/link.ts'
import { LinkNetwork, type Recorded, type Side } from '../support/link-network.ts'

const LIMITS: Partial<LinkLimits> = { maxUnackedBatches: 8, maxUnackedBytes: 400, ackEveryBatches: 3 }

type Command =
  | { readonly kind: 'send'; readonly by: Side; readonly padding: number }
  | { readonly kind: 'run'; readonly messages: number }
  | { readonly kind: 'deliver'; readonly by: Side; readonly batches: number }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'drop' | 'repeat' | 'swap' | 'cut' }
  | { readonly kind: 'destroy' | 'close'; readonly by: Side }

const side = fc.constantFrom<Side>('client', 'server')
const gentle: fc.WeightedArbitrary<Command>[] = [
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('send' as const), by: side, padding: fc.constantFrom(0, 10, 150) }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('run' as const), messages: fc.integer({ min: 1, max: 20 }) }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('deliver' as const), by: side, batches: fc.integer({ min: 1, max: 8 }) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.constantFrom(5, 60, 1_000) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('drop' as const, 'repeat', 'swap', 'cut') }) },
]
const rough: fc.WeightedArbitrary<Command>[] = [
  ...gentle,
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('destroy' as const, 'close'), by: side }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.constantFrom(6_000, 11_000, 40_000) }) },
]

/** One walk of two links through everything that users and networks do. */
class Walk {
  readonly clock = new FakeClock()
  readonly network: LinkNetwork
  /** What each link has accepted. */
  readonly accepted = new Map<Recorded, string[]>()
  #number = 0

  constructor(limits: Partial<LinkLimits> = {}) {
    this.network = new LinkNetwork(this.clock, { ...LIMITS, ...limits })
    this.network.run()
  }

  run(step: Command): void {
    switch (step.kind) {
      case 'send':
        this.send(step.by, step.padding)
        return
      case 'run':
        this.network.run(step.messages)
        return
      case 'deliver':
        this.network.of(step.by)?.deliver(step.batches)
        return
      case 'wait':
        this.clock.advance(step.ms)
        return
      case 'destroy':
        this.network.of(step.by)?.link.destroy(new SzmqError('ERR_SZMQ_ABORTED', 'as the walk goes'))
        return
      case 'close':
        this.network.of(step.by)?.link.close()
        return
      case 'drop':
      case 'repeat':
      case 'swap':
      case 'cut':
        this.network[step.kind]()
    }
  }

  send(by: Side, padding = 0): boolean {
    const recorded = this.network.of(by)
    if (recorded === undefined) return false
    this.#number += 1
    const body = `${this.#number} ${'.'.repeat(padding)}`
    const isTaken = recorded.link.send(0, 0, Buffer.from(body))
    if (isTaken) this.accepted.set(recorded, [...(this.accepted.get(recorded) ?? []), body])
    return isTaken
  }

  acceptedBy(recorded: Recorded): readonly string[] {
    return this.accepted.get(recorded) ?? []
  }

  /** Calm water: everything is delivered, and enough time passes. */
  settle(): void {
    for (let round = 0; round < 250; round += 1) {
      this.network.run()
      for (const recorded of this.network.links) recorded.deliver(1_000)
      this.clock.advance(400)
    }
  }
}

it('delivers each accepted batch once and in order, through any resets, and then takes more', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(...gentle), { maxLength: 80, size: 'max' }), (commands) => {
      // A handshake that loses a message takes as long as silence may: here only the session gives up.
      const walk = new Walk({ silenceMs: 600_000 })
      const { client, servers } = walk.network
      for (const step of commands) walk.run(step)
      walk.settle()
      expect(servers).toHaveLength(1)
      const [server] = servers as [Recorded]
      expect([client.down, server.down]).toEqual([undefined, undefined])
      expect(server.bodies).toEqual(walk.acceptedBy(client))
      expect(client.bodies).toEqual(walk.acceptedBy(server))
      for (const by of ['client', 'server'] as const) expect(walk.send(by)).toBe(true)
      expect([client.count('up'), server.count('up')]).toEqual([1, 1])
      // Who is honest never repeats itself: each hello says what the other one has.
      expect([client.link.counters.duplicates, server.link.counters.duplicates]).toEqual([0, 0])
    }),
    { numRuns: 200 },
  )
})

it('ends once, loses nothing silently, and delivers nothing twice, however nodes give up on each other', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(...rough), { maxLength: 80, size: 'max' }), (commands) => {
      const walk = new Walk()
      for (const step of commands) walk.run(step)
      walk.settle()
      const { client, servers, links } = walk.network
      const byServers = servers.flatMap(({ bodies }) => bodies)
      const byClient = client.bodies
      for (const received of [byServers, byClient]) {
        expect(received.map(Number.parseFloat)).toEqual([...new Set(received.map(Number.parseFloat))].sort((a, b) => a - b))
      }
      for (const recorded of links) {
        expect(recorded.count('down')).toBeLessThanOrEqual(1)
        if (recorded.down !== undefined) expect(recorded.events.at(-1)).toBe(recorded.down)
        const received = new Set(recorded === client ? byServers : byClient)
        const returned = new Set(recorded.down?.unacknowledged.map((body) => Buffer.from(body).toString()))
        for (const body of walk.acceptedBy(recorded)) expect(received.has(body) || returned.has(body)).toBe(true)
      }
      for (const recorded of links) recorded.link.destroy(new SzmqError('ERR_SZMQ_ABORTED', 'the walk is over'))
      expect(walk.clock.pendingTimers).toBe(0)
    }),
    { numRuns: 200 },
  )
})

it('is lost, not confused, when the other node had given it up and meets it again in the same session', () => {
  const walk = new Walk()
  const { network } = walk
  for (const by of ['client', 'server'] as const) for (let sent = 0; sent < 3; sent += 1) walk.send(by)
  network.run()
  network.of('server')?.link.destroy(new SzmqError('ERR_SZMQ_NODE_LOST', 'too silent'))
  walk.send('client')
  walk.settle()
  expect(network.client.down?.error?.code).toBe('ERR_SZMQ_NODE_LOST')
  expect(network.servers.flatMap(({ bodies }) => bodies)).toHaveLength(3)
})
