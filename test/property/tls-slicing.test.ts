import './seed.ts'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { createOpensslEngineFactory } from '../../src/security/openssl-engine.driver.ts'
import { RecordSplitter } from '../../src/security/records/record.codec.ts'
import type { TlsEngineFactory } from '../../src/security/tls-engine.ts'
import { isSzmqErrorCode } from '../../src/shared/errors.ts'
import { EnginePair, type EngineEnd, type Way } from '../contract/engine-pair.ts'
import { createTestPki } from '../contract/test-pki.ts'

const VERSIONS = ['TLSv1.2', 'TLSv1.3'] as const
type Version = (typeof VERSIONS)[number]

/** Built once: a factory is made to be used often. */
const factories = new Map<Version, { readonly client: TlsEngineFactory; readonly server: TlsEngineFactory }>()

beforeAll(async () => {
  const { nodeA, nodeB } = await createTestPki()
  for (const version of VERSIONS) {
    const versions = { minVersion: version, maxVersion: version }
    factories.set(version, {
      client: createOpensslEngineFactory({ role: 'client', credentials: nodeA, serverName: 'node-b', ...versions }),
      server: createOpensslEngineFactory({ role: 'server', credentials: nodeB, ...versions }),
    })
  }
})

function createPair(version: Version): EnginePair {
  const made = factories.get(version)
  if (made === undefined) throw new Error('beforeAll has not run')
  return new EnginePair(made)
}

const messages = fc.array(fc.uint8Array({ minLength: 1, maxLength: 3_000 }), { minLength: 1, maxLength: 8 })

/** Cuts ciphertext into pieces of these lengths, over and over. */
function sliceInto(lengths: readonly number[]): Way {
  let turn = 0
  return function* cut(ciphertext) {
    for (let at = 0; at < ciphertext.length;) {
      const length = lengths[turn++ % lengths.length] ?? 1
      yield ciphertext.subarray(at, at + length)
      at += length
    }
  }
}

const slicing = fc.array(fc.integer({ min: 1, max: 2_000 }), { minLength: 1, maxLength: 10 })

const damage = fc.oneof(
  fc.record({ kind: fc.constant('flip' as const), bit: fc.nat({ max: 200_000 }) }),
  fc.record({ kind: fc.constant('drop' as const) }),
  fc.record({ kind: fc.constant('repeat' as const) }),
  fc.record({ kind: fc.constant('swap' as const) }),
  fc.record({ kind: fc.constant('inject' as const), bytes: fc.uint8Array({ minLength: 1, maxLength: 80 }) }),
  fc.record({
    kind: fc.constant('inject record' as const),
    type: fc.integer({ min: 20, max: 24 }),
    bytes: fc.uint8Array({ maxLength: 60 }),
  }),
  fc.record({ kind: fc.constant('truncate' as const), keep: fc.nat({ max: 200_000 }) }),
)
type Damage = typeof damage extends fc.Arbitrary<infer T> ? T : never

/** Lets records pass, whole and in order, but does `damage` to the one at `position`. */
function damageRecord(position: number, { ...what }: Damage): Way {
  const splitter = new RecordSplitter()
  let seen = -1
  let held: Uint8Array | undefined
  return function* pass(ciphertext) {
    for (const { bytes } of splitter.split(ciphertext)) {
      seen += 1
      if (seen !== position) {
        yield bytes
        if (held !== undefined) yield held
        held = undefined
        continue
      }
      switch (what.kind) {
        case 'flip': {
          const flipped = bytes.slice()
          const at = Math.floor(what.bit / 8) % flipped.length
          flipped[at] = (flipped[at] ?? 0) ^ (1 << (what.bit % 8))
          yield flipped
          break
        }
        case 'drop':
          break
        case 'repeat':
          yield bytes
          yield bytes
          break
        case 'swap':
          held = bytes
          break
        case 'inject':
          yield what.bytes
          yield bytes
          break
        case 'inject record':
          yield Uint8Array.of(what.type, 3, 3, 0, what.bytes.length, ...what.bytes)
          yield bytes
          break
        case 'truncate':
          yield bytes.subarray(0, what.keep % bytes.length)
          break
      }
    }
  }
}

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

describe.each(VERSIONS)('%s', (version) => {
  it('delivers the same plaintext however the ciphertext is sliced, in both directions', async () => {
    await fc.assert(
      fc.asyncProperty(messages, messages, slicing, slicing, async (up, down, sliceUp, sliceDown) => {
        const pair = createPair(version)
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
        const pair = createPair(version)
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
        const pair = createPair(version)
        const sender = isUp ? pair.client : pair.server
        sender.way = damageRecord(at, what)
        await converse(pair, up, down)
        expectPrefix(pair.server.plaintext, Buffer.concat(up))
        expectPrefix(pair.client.plaintext, Buffer.concat(down))
        for (const { events } of [pair.client, pair.server]) {
          const failures = events.flatMap((event) => (event.kind === 'failed' ? [event.error.code] : []))
          expect(failures.length).toBeLessThanOrEqual(1)
          expect(failures.every(isSzmqErrorCode)).toBe(true)
          if (failures.length > 0) expect(events.at(-1)?.kind).toBe('failed')
        }
        pair.destroy()
      }),
    )
  })
})

function expectPrefix(seen: Uint8Array, sent: Uint8Array): void {
  expect(seen.length).toBeLessThanOrEqual(sent.length)
  expect(Buffer.compare(seen, sent.subarray(0, seen.length))).toBe(0)
}
