import { createGnutlsEngineFactory } from '../../../src/security/gnutls-engine.driver.ts'
import { createOpensslEngineFactory } from '../../../src/security/openssl-engine.driver.ts'
import { RecordSplitter } from '../../../src/security/records/record.codec.ts'
import { Session } from '../../../src/security/session.ts'
import type { TlsEngineFactory } from '../../../src/security/tls-engine.ts'
import { parseX509Credentials } from '../../../src/security/credentials/x509-credentials.ts'
import { createDevelopmentCa, issueCertificate } from '../../../src/security/pki/pki.driver.ts'
import { concatBytes } from '../../../src/shared/bytes.ts'
import { SzmqError } from '../../../src/shared/errors.ts'
import { FakeClock } from '../../../src/testing/fake-clock.ts'
import { SeededRandom } from '../../../src/testing/seeded-random.ts'
import { EnginePair, type EngineEnd, type Way } from '../../contract/engine-pair.ts'
import type { FuzzInput, FuzzTarget } from '../fuzz-target.ts'
import { kindOf, promise } from '../promises.ts'
import { StepReader } from './script.ts'

const QUIET_TURNS = 4
const RAW = 0
const LIVE = 1

/**
 * First piece: what is played (bit 0), by whom (bit 1), TLS 1.2 or 1.3 (bit 2).
 * - raw: a session of a server or client gets the other pieces as ciphertext from the network.
 * - live: a client and a server speak; each other piece changes one record: direction and number, what to do, where, new bytes.
 */
function engineTarget(
  library: 'openssl' | 'gnutls',
  create: typeof createOpensslEngineFactory & typeof createGnutlsEngineFactory,
): FuzzTarget {
  return {
    name: `engine-${library}`,
    share: 1,
    maxMs: 1_000,
    prepare: async () => {
      const ca = await createDevelopmentCa({ name: 'a CA' })
      const [a, b] = await Promise.all(
        ['node-a', 'node-b'].map(async (name) => {
          const { certificatePem, privateKeyPem } = await issueCertificate(ca, { name, dnsNames: [name] })
          return parseX509Credentials(
            { ca: ca.certificatePem, certificate: certificatePem, privateKey: privateKeyPem },
            { now: new Date() },
          )
        }),
      )
      if (a === undefined || b === undefined) throw new Error('two certificates were issued')
      const factories = (['TLSv1.3', 'TLSv1.2'] as const).map((version) => {
        const versions = { minVersion: version, maxVersion: version }
        return {
          client: create({ role: 'client', credentials: a, serverName: 'node-b', ...versions }),
          server: create({ role: 'server', credentials: b, ...versions }),
        }
      })
      const hellos = await Promise.all(factories.map(({ client }) => recordHello(client)))
      return {
        seeds: [
          ...hellos.map((hello, at) => [Uint8Array.of(RAW | (at << 2) | 2), hello]),
          ...hellos.map((hello, at) => [Uint8Array.of(RAW | (at << 2)), hello]),
          ...[0, 4].map((version) => [Uint8Array.of(LIVE | version)]),
          ...[0, 4].map((version) => [Uint8Array.of(LIVE | version), Uint8Array.of(0, 0, 0, 40, 1)]),
          ...[0, 4].map((version) => [Uint8Array.of(LIVE | version), Uint8Array.of(0x81, 2, 3, 7), Uint8Array.of(1, 3, 9, 9)]),
        ],
        words: [
          Uint8Array.of(22, 3, 3, 0, 4, 0, 0, 0, 0),
          Uint8Array.of(21, 3, 3, 0, 2, 2, 0),
          Uint8Array.of(20, 3, 3, 0, 1, 1),
          Uint8Array.of(0, 43, 0, 3, 2, 3, 4),
        ],
        run: async ([mode, ...pieces]) => {
          const bits = mode?.[0] ?? 0
          const pair = factories[(bits >> 2) & 1] ?? factories[0]
          if (pair === undefined) return []
          return (bits & 1) === RAW ? playRaw((bits & 2) === 0 ? 'client' : 'server', pair, pieces) : playLive(pair, pieces)
        },
      }
    },
  }
}

export const opensslTarget = engineTarget(
  'openssl',
  createOpensslEngineFactory as typeof createOpensslEngineFactory & typeof createGnutlsEngineFactory,
)
export const gnutlsTarget = engineTarget(
  'gnutls',
  createGnutlsEngineFactory as typeof createOpensslEngineFactory & typeof createGnutlsEngineFactory,
)

type Factories = Readonly<Record<'client' | 'server', TlsEngineFactory>>

async function recordHello(factory: TlsEngineFactory): Promise<Uint8Array> {
  const said: Uint8Array[] = []
  const engine = factory((event) => {
    if (event.kind === 'ciphertext') said.push(event.bytes)
  })
  engine.start()
  await turns()
  engine.destroy()
  return concatBytes(said)
}

async function playRaw(role: 'client' | 'server', factories: Factories, pieces: FuzzInput): Promise<readonly string[]> {
  const clock = new FakeClock()
  const seen: string[] = []
  const session = new Session({ role, engine: factories[role] }, { clock, random: new SeededRandom(1) }, (event) => {
    promise(event.kind !== 'open' && event.kind !== 'message', `bytes of nobody lead to ${event.kind}`)
    if (event.kind === 'failed') seen.push(kindOf(event.error))
    if (event.kind === 'handshake.message') seen.push(`${event.direction} ${event.message}`)
    if (event.kind === 'failed' || event.kind === 'resetting')
      promise(event.error instanceof SzmqError, 'an error of another class')
  })
  session.open()
  for (const piece of pieces.slice(0, 8)) {
    session.receive(new Uint8Array(piece))
    await turns()
  }
  session.destroy()
  await turns()
  promise(clock.pendingTimers === 0, `${clock.pendingTimers} timers are left behind`)
  return [...new Set(seen)]
}

async function playLive(factories: Factories, pieces: FuzzInput): Promise<readonly string[]> {
  const pair = new EnginePair(factories)
  try {
    pair.client.way = damagedWay(pieces.filter((piece) => (piece[0] ?? 0) < 0x80))
    pair.server.way = damagedWay(pieces.filter((piece) => (piece[0] ?? 0) >= 0x80))
    pair.start()
    await pair.settle()
    const words = [new Uint8Array(30).fill(1), new Uint8Array(20_000).fill(2), Uint8Array.of(3)]
    for (const word of words) for (const end of [pair.client, pair.server]) if (isUsable(end)) end.engine.send(word)
    await pair.settle()
    for (const end of [pair.client, pair.server]) if (end.has('secure')) end.engine.close()
    await pair.settle()
    const said = Buffer.concat(words)
    return [pair.client, pair.server].flatMap((end, at) => {
      promise(said.subarray(0, end.plaintextLength).equals(end.plaintext), 'plaintext arrives that nobody sent')
      promise(end.count('secure') <= 1 && end.count('failed') <= 1, 'secure or failed came twice')
      const failed = end.events.findIndex(({ kind }) => kind === 'failed')
      promise(failed === -1 || failed === end.events.length - 1, 'something comes after failed')
      const outcome = end.events[failed]
      if (outcome?.kind === 'failed') promise(outcome.error instanceof SzmqError, 'an error of another class')
      return [
        `${at} ${outcome?.kind === 'failed' ? kindOf(outcome.error) : 'ok'}`,
        `${at} closed ${end.has('peer.closeNotify')}`,
      ]
    })
  } finally {
    pair.destroy()
  }
}

function isUsable(end: EngineEnd): boolean {
  return end.has('secure') && !end.has('failed') && !end.has('peer.closeNotify')
}

/** Changes records by their number, the others pass. */
function damagedWay(changes: FuzzInput): Way {
  const splitter = new RecordSplitter()
  let number = -1
  return function* pass(ciphertext) {
    for (const { bytes } of splitter.split(ciphertext)) {
      number += 1
      let record: Uint8Array = bytes
      for (const change of changes)
        if (((change[0] ?? 0) & 0x7f) === number) record = damage(record, new StepReader(change.subarray(1)))
      if (record.length > 0) yield record
    }
  }
}

function damage(record: Uint8Array, reader: StepReader): Uint8Array {
  const kind = reader.u8() % 6
  const at = (reader.u8() * 256 + reader.u8()) % Math.max(1, record.length)
  const bytes = reader.rest()
  if (kind === 0) return record.map((byte, place) => (place === at ? byte ^ Math.max(1, bytes[0] ?? 1) : byte))
  if (kind === 1) return concatBytes([record.subarray(0, at), bytes, record.subarray(at)])
  if (kind === 2) return record.subarray(0, at)
  if (kind === 3) return concatBytes([record.subarray(0, at), bytes, record.subarray(at + bytes.length)])
  if (kind === 4) return concatBytes([record, record])
  return concatBytes([bytes, record])
}

async function turns(): Promise<void> {
  for (let left = QUIET_TURNS; left > 0; left -= 1) {
    await new Promise<void>((resolve) => {
      setImmediate(resolve)
    })
  }
}
