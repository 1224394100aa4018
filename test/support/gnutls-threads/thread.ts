import { parentPort, workerData } from 'node:worker_threads'
import { createGnutlsEngineFactory } from '../../../src/security/gnutls-engine.driver.ts'
import { PskCredentials } from '../../../src/security/credentials/psk-credentials.ts'
import type { TlsEngine } from '../../../src/security/tls-engine.ts'

/** How a thread with live sessions ends. */
export type Way = 'end' | 'exit' | 'throw' | 'terminate' | 'none'

const key = new Uint8Array(32).fill(7)
const factories = {
  client: createGnutlsEngineFactory({ role: 'client', credentials: PskCredentials.client({ identity: 'thread', key }) }),
  server: createGnutlsEngineFactory({ role: 'server', credentials: PskCredentials.server({ keyOf: () => key }) }),
}

/** Both ends of one session, in the midst of its life. All within this call. */
export function openSession(): readonly [TlsEngine, TlsEngine] {
  const [toServer, toClient]: [Uint8Array[], Uint8Array[]] = [[], []]
  let secured = 0
  const listen = (into: Uint8Array[]) => (event: { readonly kind: string; readonly bytes?: unknown }) => {
    if (event.kind === 'secure') secured += 1
    if (event.kind === 'ciphertext' && event.bytes instanceof Uint8Array) into.push(event.bytes)
  }
  const client = factories.client(listen(toServer))
  const server = factories.server(listen(toClient))
  server.start()
  client.start()
  while (toServer.length + toClient.length > 0) {
    for (const bytes of toServer.splice(0)) server.receive(bytes)
    for (const bytes of toClient.splice(0)) client.receive(bytes)
  }
  if (secured !== 2) throw new Error('the handshake failed')
  return [client, server]
}

/** Kept alive to the end of the thread. */
export const held: (readonly [TlsEngine, TlsEngine])[] = []

if (parentPort !== null) {
  const way: Way = workerData
  for (let made = 0; made < 5; made++) held.push(openSession())
  parentPort.postMessage('up')
  if (way === 'exit') setImmediate(() => process.exit(3))
  if (way === 'throw') {
    setImmediate(() => {
      throw new Error('on purpose')
    })
  }
  // Busy with GnuTLS until it is ended from outside, wherever that is.
  if (way === 'terminate') setInterval(() => held.push(openSession()))
}
