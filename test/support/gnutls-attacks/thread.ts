import { parentPort, workerData } from 'node:worker_threads'
import { PskCredentials } from '../../../src/security/credentials/psk-credentials.ts'
import { createGnutlsEngineFactory, type GnutlsEngineOptions } from '../../../src/security/gnutls-engine.driver.ts'

/** The functions of the options in which a thread may end. */
export interface Ends {
  readonly keyOf?: () => void
  readonly keyLog?: () => void
  readonly authorize?: () => void
}

const key = new Uint8Array(32).fill(7)

/** One handshake within this call. @returns how many ends are secure */
export function shakeHands({ keyOf, keyLog, authorize }: Ends): number {
  const options: Partial<GnutlsEngineOptions> = {
    insecureKeyLog: keyLog,
    authorize: () => {
      authorize?.()
      return true
    },
  }
  const known = (): Uint8Array => {
    keyOf?.()
    return key
  }
  const [toServer, toClient]: [Uint8Array[], Uint8Array[]] = [[], []]
  let secured = 0
  const listen = (into: Uint8Array[]) => (event: { readonly kind: string; readonly bytes?: unknown }) => {
    if (event.kind === 'secure') secured += 1
    if (event.kind === 'ciphertext' && event.bytes instanceof Uint8Array) into.push(event.bytes)
  }
  const own = PskCredentials.client({ identity: 'thread', key })
  const client = createGnutlsEngineFactory({ role: 'client', credentials: own })(listen(toServer))
  const credentials = PskCredentials.server({ keyOf: known })
  const server = createGnutlsEngineFactory({ ...options, role: 'server', credentials })(listen(toClient))
  try {
    server.start()
    client.start()
    while (toServer.length + toClient.length > 0) {
      for (const bytes of toServer.splice(0)) server.receive(bytes)
      for (const bytes of toClient.splice(0)) client.receive(bytes)
    }
  } finally {
    client.destroy()
    server.destroy()
  }
  return secured
}

if (parentPort !== null) shakeHands({ [String(workerData)]: () => process.exit(3) })
