import { constants } from 'node:crypto'
import { Duplex } from 'node:stream'
import {
  connect,
  createSecureContext,
  createServer,
  type ConnectionOptions,
  type SecureContextOptions,
  type Server,
  type TLSSocket,
} from 'node:tls'
import { SERVER_NAME, type Certificates, type EndPem } from './certificates.ts'
import type { Exchange, Negotiated } from './exchanges.ts'
import { repeat } from './handshakes.ts'
import type { HandshakeContender, Handshaker } from './handshake-contender.ts'

/** What a program does that knows TLS and memory streams, and nothing of szmq. The measure of all others. */
export const barePair: HandshakeContender = {
  name: 'node:tls',
  isSlow: false,
  about: 'tls.connect() and a tls.Server over a Duplex pair in memory, from new to secure on both sides, then destroyed',
  prepare: (exchange, certificates) => prepare(exchange, certificates, async () => {}),
}

/**
 * The same, and then each end hears from the other. Sessions do so too: a client of TLS 1.3 is done before the server has looked at its certificate,
 * and learns what the server thinks of it by what comes next.
 */
export const barePairWithAnswer: HandshakeContender = {
  name: 'node:tls and an octet',
  isSlow: false,
  about: 'as node:tls, and then one octet each way: both ends know that the other one accepted them',
  prepare: (exchange, certificates) => prepare(exchange, certificates, exchangeOctets),
}

async function prepare(
  exchange: Exchange,
  certificates: Certificates,
  afterwards: (pair: BarePair) => Promise<void>,
): Promise<Handshaker> {
  const ends = new BareEnds(exchange, certificates)
  if (exchange.resumption !== 'none') await ends.rememberSession()
  let isGroupKnown = false
  return repeat(exchange, async () => {
    const pair = await ends.open()
    const negotiated = [
      readNegotiated(pair.client, isGroupKnown ? undefined : readGroup(pair.client)),
      readNegotiated(pair.server),
    ]
    isGroupKnown = true
    await afterwards(pair)
    pair.destroy()
    return negotiated
  })
}

async function exchangeOctets({ client, server }: BarePair): Promise<void> {
  const heard = [client, server].map(
    (socket) =>
      new Promise((resolve) => {
        socket.once('data', resolve)
      }),
  )
  client.write(OCTET)
  server.write(OCTET)
  await Promise.all(heard)
}

const OCTET = new Uint8Array(1)

export interface BarePair {
  readonly client: TLSSocket
  readonly server: TLSSocket
  destroy(): void
}

/** Contexts and the server of one exchange, made once. */
export class BareEnds {
  readonly #clientOptions: ConnectionOptions
  readonly #server: Server
  #session: Buffer | undefined
  #onAccepted: (socket: TLSSocket) => void = () => {}
  #onFailed: (error: Error) => void = () => {}

  constructor(exchange: Exchange, { client, server }: Certificates) {
    this.#clientOptions = {
      secureContext: createSecureContext(contextOptions(exchange, client)),
      servername: SERVER_NAME,
    }
    this.#server = createServer({ ...contextOptions(exchange, server), requestCert: true, rejectUnauthorized: true })
    this.#server.on('secureConnection', (socket) => {
      this.#onAccepted(socket)
    })
    this.#server.on('tlsClientError', (error) => {
      this.#onFailed(error)
    })
    if (exchange.resumption === 'database') this.#keepSessions(new Map())
  }

  /** Resolves once both ends have verified each other. */
  open(): Promise<BarePair> {
    return new Promise((resolve, reject) => {
      const [clientWire, serverWire] = makeWires()
      let accepted: TLSSocket | undefined
      let isConnected = false
      const settle = (): void => {
        if (accepted === undefined || !isConnected) return
        const server = accepted
        resolve({
          client,
          server,
          destroy() {
            for (const stream of [client, server, clientWire, serverWire]) stream.destroy()
          },
        })
      }
      this.#onFailed = reject
      this.#onAccepted = (socket) => {
        accepted = socket
        socket.on('error', reject)
        settle()
      }
      this.#server.emit('connection', serverWire)
      const session = this.#session === undefined ? {} : { session: this.#session }
      const client = connect({ ...this.#clientOptions, ...session, socket: clientWire }, () => {
        isConnected = true
        settle()
      })
      client.on('error', reject)
    })
  }

  /** One full handshake, whose session all others offer. */
  async rememberSession(): Promise<void> {
    const pair = await this.open()
    // It may be here already, or come behind the handshake.
    pair.server.write('x')
    await new Promise((resolve) => {
      pair.client.once('data', resolve)
    })
    this.#session = pair.client.getSession()
    pair.destroy()
  }

  #keepSessions(sessions: Map<string, Buffer>): void {
    this.#server.on('newSession', (id: Buffer, session: Buffer, done: () => void) => {
      sessions.set(id.toString('hex'), session)
      done()
    })
    this.#server.on('resumeSession', (id: Buffer, answer: (error: Error | null, session: Buffer | null) => void) => {
      answer(null, sessions.get(id.toString('hex')) ?? null)
    })
  }
}

/** The options that szmq's engine gives OpenSSL for this exchange. */
function contextOptions(exchange: Exchange, { ca, certificate, privateKey }: EndPem): SecureContextOptions {
  const { version, openssl, resumption } = exchange
  return {
    ca,
    cert: certificate,
    key: privateKey,
    minVersion: version,
    maxVersion: version,
    ciphers: openssl.cipher,
    ecdhCurve: openssl.groups,
    ...(openssl.needsDhParameters ? { dhparam: 'auto' } : {}),
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION | (resumption === 'ticket' ? 0 : constants.SSL_OP_NO_TICKET),
  }
}

/** Back to back in memory: what one writes, the other reads in a microtask. */
function makeWires(): readonly [Duplex, Duplex] {
  const make = (peer: () => Duplex): Duplex =>
    new Duplex({
      allowHalfOpen: false,
      read: () => {},
      write: (chunk: Buffer, _encoding, done) => {
        queueMicrotask(() => {
          peer().push(chunk)
        })
        done()
      },
      writev: (chunks, done) => {
        const bytes = Buffer.concat(chunks.map(({ chunk }) => chunk as Buffer))
        queueMicrotask(() => {
          peer().push(bytes)
        })
        done()
      },
    })
  const left = make(() => right)
  const right = make(() => left)
  return [left, right]
}

function readNegotiated(socket: TLSSocket, group?: string): Negotiated {
  if (!socket.authorized) throw new Error(`the peer was not verified: ${socket.authorizationError}`)
  return {
    version: socket.getProtocol() ?? 'unknown',
    suite: socket.getCipher().standardName,
    group,
    isResumed: socket.isSessionReused(),
  }
}

function readGroup(client: TLSSocket): string | undefined {
  const info: object | null = client.getEphemeralKeyInfo()
  return info !== null && 'name' in info && typeof info.name === 'string' ? info.name : undefined
}
