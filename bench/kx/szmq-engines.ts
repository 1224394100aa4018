import type { Certificates } from './certificates.ts'
import type { Exchange } from './exchanges.ts'
import { makeFactories, type Factories, type Library } from './factories.ts'
import { repeatAfterFirst, toNegotiated } from './handshakes.ts'
import type { Absent, HandshakeContender, Handshaker } from './handshake-contender.ts'
import type { TlsEngine, TlsFacts } from './internals.ts'

/** What is left of a session without its charts and frames: shows what those cost. */
export function szmqEngines(library: Library): HandshakeContender {
  return {
    name: `engines alone, ${library}`,
    isSlow: false,
    about: `two ${library} engines without sessions, from new to secure on both sides, then destroyed`,
    prepare: (exchange, certificates) => prepare(library, exchange, certificates),
  }
}

async function prepare(library: Library, exchange: Exchange, certificates: Certificates): Promise<Handshaker | Absent> {
  const factories = makeFactories(library, exchange, certificates)
  if (factories.kind === 'absent') return factories
  return repeatAfterFirst(exchange, async () => (await handshake(factories, exchange)).map(toNegotiated))
}

/** One octet from the server to the client, behind the tickets: the client has them once it has this. Sessions do likewise. */
const ACCEPTED = new Uint8Array(1)

async function handshake(factories: Factories, { resumption }: Exchange): Promise<readonly TlsFacts[]> {
  const ends: TlsEngine[] = []
  const facts = await new Promise<readonly TlsFacts[]>((resolve, reject) => {
    const seen: { client?: TlsFacts; server?: TlsFacts } = {}
    let isHeard = resumption === 'none'
    const make = (role: 'client' | 'server', peer: () => TlsEngine): TlsEngine =>
      factories[role]((event) => {
        if (event.kind === 'ciphertext') {
          queueMicrotask(() => {
            peer().receive(event.bytes)
          })
        } else if (event.kind === 'failed') reject(event.error)
        else if (event.kind === 'secure') {
          seen[role] = event.facts
          if (role === 'server' && !isHeard) server.send(ACCEPTED)
        } else if (event.kind === 'plaintext') isHeard = true
        if (isHeard && seen.client !== undefined && seen.server !== undefined) resolve([seen.client, seen.server])
      })
    const client = make('client', () => server)
    const server = make('server', () => client)
    ends.push(client, server)
    server.start()
    client.start()
  })
  for (const end of ends) end.destroy()
  return facts
}
