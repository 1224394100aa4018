import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { BareEnds } from './bare-pair.ts'
import { makeCertificates } from './certificates.ts'
import { exchanges } from './exchanges.ts'
import { makeFactories } from './factories.ts'
import type { Absent } from './handshake-contender.ts'
import type { IdleAnswer, IdleContender, IdleOrder } from './idle-memory.ts'
import { openSessionPair } from './szmq-sessions.ts'

/** So many come and go before the count begins: code and pools are there then. */
const WARM_UP_PAIRS = 100
/** Streams let their buffers go some turns later. */
const REST_MS = 150
const EXCHANGE = 'X25519 + ECDSA'

process.once('disconnect', () => process.exit())
const [order] = (await once(process, 'message')) as [IdleOrder]
process.send?.(await answer(order))

async function answer({ contender, pairs }: IdleOrder): Promise<IdleAnswer> {
  const open = await prepare(contender)
  if (typeof open !== 'function') return open
  for (const pair of await openMany(open, WARM_UP_PAIRS)) pair.destroy()
  const before = await measure()
  const held = await openMany(open, pairs)
  const after = await measure()
  for (const pair of held) pair.destroy()
  return { kind: 'measured', rss: (after.rss - before.rss) / pairs, heap: (after.heap - before.heap) / pairs }
}

interface Pair {
  destroy(): void
}

async function prepare(contender: IdleContender): Promise<(() => Promise<Pair>) | Absent> {
  const exchange = exchanges.find(({ name }) => name === EXCHANGE)
  if (exchange === undefined) throw new Error(`there is no exchange ${EXCHANGE}`)
  const certificates = await makeCertificates(exchange.certificate)
  if (contender === 'node:tls') {
    const ends = new BareEnds(exchange, certificates)
    return async () => {
      const pair = await ends.open()
      // Somebody listens, as in a session.
      for (const socket of [pair.client, pair.server]) socket.on('data', () => {})
      return pair
    }
  }
  const factories = makeFactories(contender === 'szmq, openssl' ? 'openssl' : 'gnutls', exchange, certificates)
  return factories.kind === 'absent' ? factories : () => openSessionPair(factories)
}

async function openMany(open: () => Promise<Pair>, count: number): Promise<readonly Pair[]> {
  const pairs: Pair[] = []
  while (pairs.length < count) pairs.push(await open())
  return pairs
}

async function measure(): Promise<{ readonly rss: number; readonly heap: number }> {
  await sleep(REST_MS)
  if (globalThis.gc === undefined) throw new Error('started without --expose-gc')
  // What the first one finalizes, the second one frees.
  globalThis.gc()
  await sleep(REST_MS)
  globalThis.gc()
  const { rss, heapUsed } = process.memoryUsage()
  return { rss, heap: heapUsed }
}
