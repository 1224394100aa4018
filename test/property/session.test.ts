import './seed.ts'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Session } from '../../src/security/session.ts'
import type { SessionEvent } from '../../src/security/session-status.ts'
import { insecureCleartextEngine } from '../../src/testing/cleartext-engine.ts'
import { FakeClock } from '../../src/testing/fake-clock.ts'
import { SeededRandom } from '../../src/testing/seeded-random.ts'
import { slice } from '../support/slice.ts'

interface Side {
  readonly session: Session
  readonly kinds: SessionEvent['kind'][]
  readonly messages: string[]
  /** Ciphertext that has not been delivered yet. */
  readonly out: Uint8Array[]
}

function makeSide(role: 'client' | 'server', clock: FakeClock): Side {
  const kinds: SessionEvent['kind'][] = []
  const messages: string[] = []
  const out: Uint8Array[] = []
  const session = new Session(
    { role, engine: insecureCleartextEngine({ role, name: role }) },
    { clock, random: new SeededRandom(1) },
    (event) => {
      kinds.push(event.kind)
      if (event.kind === 'ciphertext') out.push(event.bytes)
      if (event.kind === 'message') messages.push(new TextDecoder().decode(event.bytes))
    },
  )
  return { session, kinds, messages, out }
}

function makePair() {
  const clock = new FakeClock()
  const client = makeSide('client', clock)
  const server = makeSide('server', clock)
  server.session.open()
  client.session.open()
  return { clock, client, server }
}

/** Delivers everything, each piece of ciphertext cut as `lengths` says. */
function exchange(client: Side, server: Side, lengths: readonly number[]) {
  while (client.out.length + server.out.length > 0) {
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      for (const bytes of from.out.splice(0)) for (const piece of slice(bytes, lengths)) to.session.receive(piece)
    }
  }
}

const cuts = fc.array(fc.nat({ max: 40 }), { maxLength: 60 })
const words = fc.array(fc.string({ maxLength: 800, size: 'max' }), { maxLength: 6 })

describe('a session', () => {
  it('does the same for any slicing of the ciphertext', () => {
    fc.assert(
      fc.property(cuts, words, words, (lengths, fromClient, fromServer) => {
        const { clock, client, server } = makePair()
        exchange(client, server, lengths)
        expect([client.session.status.kind, server.session.status.kind]).toEqual(['open', 'open'])
        for (const word of fromClient) client.session.send(new TextEncoder().encode(word))
        for (const word of fromServer) server.session.send(new TextEncoder().encode(word))
        client.session.close()
        exchange(client, server, lengths)
        expect(server.messages).toEqual(fromClient)
        expect(client.messages).toEqual(fromServer)
        expect([client.session.status.kind, server.session.status.kind]).toEqual(['closed', 'closed'])
        expect(clock.pendingTimers).toBe(0)
      }),
    )
  })

  it('ends in failed, in time and once, whatever bytes come instead of a handshake', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('client', 'server'),
        fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 6 }),
        (role, chunks) => {
          const clock = new FakeClock()
          const side = makeSide(role, clock)
          side.session.open()
          for (const chunk of chunks) side.session.receive(chunk)
          clock.advance(10_000)
          expect(side.session.status.kind).toBe('failed')
          expect(side.kinds.filter((kind) => kind === 'failed')).toHaveLength(1)
          expect(clock.pendingTimers).toBe(0)
        },
      ),
    )
  })

  it('never trusts bytes put in, taken out or flipped after it is open: all or nothing of each message', () => {
    const change = fc.record({
      at: fc.nat(),
      byte: fc.integer({ min: 1, max: 255 }),
      how: fc.constantFrom('flip', 'drop', 'insert'),
    })
    fc.assert(
      fc.property(words, change, (sent, { at, byte, how }) => {
        const { client, server, clock } = makePair()
        exchange(client, server, [])
        for (const word of sent) client.session.send(new TextEncoder().encode(word))
        const bytes = [...client.out.splice(0).flatMap((part) => [...part])]
        const place = at % Math.max(1, bytes.length)
        if (how === 'flip' && bytes.length > 0) bytes[place] = (bytes[place] ?? 0) ^ byte
        if (how === 'drop') bytes.splice(place, 1)
        if (how === 'insert') bytes.splice(place, 0, byte)
        server.session.receive(Uint8Array.from(bytes))
        expect(sent.slice(0, server.messages.length)).toEqual(server.messages)
        expect(['open', 'resetting']).toContain(server.session.status.kind)
        client.session.destroy()
        server.session.destroy()
        expect(clock.pendingTimers).toBe(0)
      }),
    )
  })

  it('ends in closed or failed, once and in time, wherever one or both say bye', () => {
    fc.assert(
      fc.property(fc.nat({ max: 8 }), fc.constantFrom('client', 'server', 'both'), fc.boolean(), (steps, who, isCutAfter) => {
        const { clock, client, server } = makePair()
        for (let step = 0; step < steps; step += 1) {
          const from = client.out.length > 0 ? client : server
          const bytes = from.out.shift()
          if (bytes !== undefined) (from === client ? server : client).session.receive(bytes)
        }
        const wasOpen = client.session.status.kind === 'open' && server.session.status.kind === 'open'
        if (who !== 'server') client.session.close()
        if (who !== 'client') server.session.close()
        if (!isCutAfter) exchange(client, server, [])
        // The side that has not said bye has lost its peer, which the layer above would notice.
        clock.advance(20_000)
        for (const side of [client, server]) if (side.session.status.kind === 'open') side.session.close()
        clock.advance(20_000)
        const ends = [client, server].map(({ kinds }) => kinds.filter((kind) => kind === 'closed' || kind === 'failed'))
        expect(ends.map(({ length }) => length)).toEqual([1, 1])
        if (wasOpen && !isCutAfter) expect(ends).toEqual([['closed'], ['closed']])
        expect(clock.pendingTimers).toBe(0)
      }),
      { numRuns: 200 },
    )
  })
})
