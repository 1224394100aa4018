import type { Certificates } from './certificates.ts'
import type { Exchange, Negotiated } from './exchanges.ts'
import { makeFactories, type Factories, type Library } from './factories.ts'
import { repeatAfterFirst, toNegotiated } from './handshakes.ts'
import type { Absent, HandshakeContender, Handshaker } from './handshake-contender.ts'
import { Session, SzmqError, systemClock, systemRandom, type TlsFacts } from './internals.ts'

/** Two whole sessions: charts, deadlines, frames, identities. */
export function szmqSessions(library: Library): HandshakeContender {
  return {
    name: `szmq, ${library}`,
    isSlow: false,
    about: `two Sessions with the ${library} engine, from new to open on both sides, then destroyed`,
    prepare: (exchange, certificates) => prepare(library, exchange, certificates),
  }
}

async function prepare(library: Library, exchange: Exchange, certificates: Certificates): Promise<Handshaker | Absent> {
  const factories = makeFactories(library, exchange, certificates)
  if (factories.kind === 'absent') return factories
  const handshake = async (): Promise<readonly Negotiated[]> => {
    const pair = await openSessionPair(factories)
    pair.destroy()
    return pair.facts.map(toNegotiated)
  }
  return repeatAfterFirst(exchange, handshake)
}
/** Made once: a stack trace for each end is no part of a handshake. */
const ENDED = new SzmqError('ERR_SZMQ_ABORTED', 'this handshake was counted')

export interface OpenSessionPair {
  /** Of the client, then of the server. */
  readonly facts: readonly TlsFacts[]
  destroy(): void
}

/** Resolves once both ends are open. What one says reaches the other in a microtask, in order. */
export function openSessionPair(factories: Factories): Promise<OpenSessionPair> {
  return new Promise((resolve, reject) => {
    const facts: { client?: TlsFacts; server?: TlsFacts } = {}
    const destroy = (): void => {
      client.destroy(ENDED)
      server.destroy(ENDED)
    }
    const open = (role: 'client' | 'server', peer: () => InstanceType<typeof Session>): InstanceType<typeof Session> =>
      new Session({ role, engine: factories[role] }, { clock: systemClock, random: systemRandom }, (event) => {
        if (event.kind === 'ciphertext') {
          queueMicrotask(() => {
            peer().receive(event.bytes)
          })
        } else if (event.kind === 'open') {
          facts[role] = event.facts
          if (facts.client !== undefined && facts.server !== undefined) {
            resolve({ facts: [facts.client, facts.server], destroy })
          }
        } else if (event.kind === 'failed') reject(event.error)
      })
    const client = open('client', () => server)
    const server = open('server', () => client)
    server.open()
    client.open()
  })
}
