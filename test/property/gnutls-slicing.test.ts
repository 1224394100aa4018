import './seed.ts'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { createGnutlsEngineFactory } from '../../src/security/gnutls-engine.driver.ts'
import { createOpensslEngineFactory } from '../../src/security/openssl-engine.driver.ts'
import { PskCredentials } from '../../src/security/credentials/psk-credentials.ts'
import type { TlsEngineFactory } from '../../src/security/tls-engine.ts'
import { isSzmqErrorCode } from '../../src/shared/errors.ts'
import { EnginePair, type EngineEnd } from '../contract/engine-pair.ts'
import { createTestPki } from '../contract/test-pki.ts'
import { cutAfter, damage, damageRecord, flipByte, sliceInto } from '../support/record-damage.ts'

const VERSIONS = ['TLSv1.2', 'TLSv1.3'] as const
const PAIRS = ['gnutls to gnutls', 'openssl to gnutls', 'gnutls to openssl'] as const
type Factories = { readonly client: TlsEngineFactory; readonly server: TlsEngineFactory }

/** Built once: a factory is made to be used often. With certificates; `by key`: with a pre-shared key, in few bytes. */
const factories = new Map<string, Factories>()

beforeAll(async () => {
  const { nodeA, nodeB } = await createTestPki()
  const key = new Uint8Array(32).fill(7)
  for (const version of VERSIONS) {
    const versions = { minVersion: version, maxVersion: version }
    const makers = { openssl: createOpensslEngineFactory, gnutls: createGnutlsEngineFactory }
    for (const title of PAIRS) {
      const [client, server] = title.split(' to ') as ['openssl' | 'gnutls', 'openssl' | 'gnutls']
      factories.set(`${title} ${version}`, {
        client: makers[client]({ role: 'client', credentials: nodeA, serverName: 'node-b', resumption: false, ...versions }),
        server: makers[server]({ role: 'server', credentials: nodeB, resumption: false, ...versions }),
      })
    }
    const psk = {
      client: PskCredentials.client({ identity: 'a', key }),
      server: PskCredentials.server({ keyOf: (identity) => (identity === 'a' ? key : undefined) }),
    }
    factories.set(`by key ${version}`, {
      client: createGnutlsEngineFactory({ role: 'client', credentials: psk.client, ...versions }),
      server: createGnutlsEngineFactory({ role: 'server', credentials: psk.server, ...versions }),
    })
  }
})

function createPair(name: string): EnginePair {
  const made = factories.get(name)
  if (made === undefined) throw new Error('beforeAll has not run')
  return new EnginePair(made)
}

const messages = fc.array(fc.uint8Array({ minLength: 1, maxLength: 3_000 }), { minLength: 1, maxLength: 8 })
const slicing = fc.array(fc.integer({ min: 1, max: 2_000 }), { minLength: 1, maxLength: 10 })

/** Signatures by ECDSA differ by some bytes from one session to the next. */
const SPREAD_BYTES = 16

/** Handshake, `up` and `down` a message a turn, close on both sides; as far as the pair gets. */
async function converse(pair: EnginePair, up: readonly Uint8Array[], down: readonly Uint8Array[]): Promise<void> {
  const speak = async (end: EngineEnd, texts: readonly Uint8Array[]): Promise<void> => {
    for (const text of texts) {
      if (!end.has('secure') || end.has('failed') || end.has('peer.closeNotify')) return
      end.engine.send(text)
      await new Promise<void>((resolve) => {
        setImmediate(resolve)
      })
    }
  }
  pair.start()
  await pair.settle()
  await Promise.all([speak(pair.client, up), speak(pair.server, down)])
  await pair.settle()
  pair.client.engine.close()
  await pair.settle()
  pair.server.engine.close()
  await pair.settle()
}

/** Plaintext as it was sent, or the beginning of it; at most one failure, typed, and nothing behind it. */
function expectSound(pair: EnginePair, up: readonly Uint8Array[], down: readonly Uint8Array[]): void {
  for (const [{ plaintext, events }, sent] of [
    [pair.server, Buffer.concat(up)],
    [pair.client, Buffer.concat(down)],
  ] as const) {
    expect(plaintext.length).toBeLessThanOrEqual(sent.length)
    expect(Buffer.compare(plaintext, sent.subarray(0, plaintext.length))).toBe(0)
    const failures = events.flatMap((event) => (event.kind === 'failed' ? [event.error.code] : []))
    expect(failures.length).toBeLessThanOrEqual(1)
    expect(failures.every(isSzmqErrorCode)).toBe(true)
    if (failures.length > 0) expect(events.at(-1)?.kind).toBe('failed')
  }
}

/** How many bytes each side sends in a whole conversation that nobody disturbs, and at which byte its bye begins. */
async function rehearse(name: string, up: readonly Uint8Array[], down: readonly Uint8Array[]) {
  const pair = createPair(name)
  const passed = { client: 0, server: 0 }
  for (const side of ['client', 'server'] as const) {
    pair[side].way = (ciphertext) => {
      passed[side] += ciphertext.length
      return [ciphertext]
    }
  }
  await converse(pair, up, down)
  pair.destroy()
  return passed
}

for (const title of PAIRS) {
  describe.each(VERSIONS)(`${title}, %s`, (version) => {
    const name = `${title} ${version}`

    it('delivers the same plaintext however the ciphertext is sliced, in both directions', async () => {
      await fc.assert(
        fc.asyncProperty(messages, messages, slicing, slicing, async (up, down, sliceUp, sliceDown) => {
          const pair = createPair(name)
          pair.client.way = sliceInto(sliceUp)
          pair.server.way = sliceInto(sliceDown)
          await converse(pair, up, down)
          expect(Buffer.compare(pair.server.plaintext, Buffer.concat(up))).toBe(0)
          expect(Buffer.compare(pair.client.plaintext, Buffer.concat(down))).toBe(0)
          for (const end of [pair.client, pair.server]) {
            expect([end.has('peer.closeNotify'), end.count('failed')]).toEqual([true, 0])
          }
          pair.destroy()
        }),
      )
    })

    it('delivers the same plaintext when everything of many turns comes in one piece', async () => {
      await fc.assert(
        fc.asyncProperty(messages, async (up) => {
          const pair = createPair(name)
          await pair.handshake()
          await pair.settle()
          const kept: Uint8Array[] = []
          pair.client.way = (ciphertext) => {
            kept.push(ciphertext)
            return []
          }
          for (const text of up) {
            pair.client.engine.send(text)
            await pair.settle()
          }
          pair.server.engine.receive(Buffer.concat(kept))
          await pair.settle()
          expect(Buffer.compare(pair.server.plaintext, Buffer.concat(up))).toBe(0)
          pair.destroy()
        }),
      )
    })

    it('delivers a prefix or fails with a typed error when a record is damaged anywhere: never wrong bytes, never a hang', async () => {
      const position = fc.oneof(fc.integer({ min: 0, max: 6 }), fc.integer({ min: 0, max: 24 }))
      await fc.assert(
        fc.asyncProperty(messages, messages, position, damage, fc.boolean(), async (up, down, at, what, isUp) => {
          const pair = createPair(name)
          const sender = isUp ? pair.client : pair.server
          sender.way = damageRecord(at, what)
          await converse(pair, up, down)
          expectSound(pair, up, down)
          pair.destroy()
        }),
      )
    })

    it('takes a cut anywhere, in either direction, for no end: what came before it counts, and nobody says bye', async () => {
      const [up, down] = [[Uint8Array.of(1, 2, 3)], [Uint8Array.of(4)]]
      const whole = await rehearse(name, up, down)
      await fc.assert(
        fc.asyncProperty(fc.double({ min: 0, max: 0.999, noNaN: true }), fc.boolean(), async (share, isUp) => {
          const pair = createPair(name)
          const side = isUp ? 'client' : 'server'
          pair[side].way = cutAfter(Math.floor(share * (whole[side] - SPREAD_BYTES)))
          await converse(pair, up, down)
          expectSound(pair, up, down)
          expect(pair[isUp ? 'server' : 'client'].has('peer.closeNotify')).toBe(false)
          pair.destroy()
        }),
      )
    })
  })
}

describe.each(VERSIONS)('gnutls by pre-shared key, %s: at every single byte of a whole session', (version) => {
  const name = `by key ${version}`
  const [up, down] = [[Uint8Array.of(1, 2, 3)], [Uint8Array.of(4)]]

  it.each(['client', 'server'] as const)('a cut of what the %s sends is no end', async (side) => {
    const whole = (await rehearse(name, up, down))[side]
    for (let at = 0; at < whole; at++) {
      const pair = createPair(name)
      pair[side].way = cutAfter(at)
      await converse(pair, up, down)
      expectSound(pair, up, down)
      expect(pair[side === 'client' ? 'server' : 'client'].has('peer.closeNotify'), `cut after ${at}`).toBe(false)
      pair.destroy()
    }
  })

  it.each(['client', 'server'] as const)('a flipped bit of what the %s sends is found or harmless', async (side) => {
    const whole = (await rehearse(name, up, down))[side]
    for (let at = 0; at < whole; at++) {
      const pair = createPair(name)
      pair[side].way = flipByte(at, at)
      await converse(pair, up, down)
      expectSound(pair, up, down)
      pair.destroy()
    }
  })
})
