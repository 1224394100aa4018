import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { resolveLimits } from '../security/limits.ts'
import { assertNever } from '../shared/assert-never.ts'
import { messageOf, SzmqError } from '../shared/errors.ts'
import { systemClock } from '../shared/system-clock.driver.ts'
import { systemRandom } from '../shared/system-random.driver.ts'
import { formatTcpEndpoint, isLoopback, parseTcpEndpoint, type TcpEndpoint } from './bridge-endpoint.ts'
import { DEFAULT_BRIDGE_LIMITS, MOST_CONNECTIONS, type BridgeLimits } from './bridge-limits.ts'
import { BridgeConnection, type BridgeEffect, type BridgeOutcome } from './bridge.ts'
import { SESSION_ID_BYTES, sessionIdOf } from './frame.codec.ts'
import { connectPacedDealer, type LinkSocketOptions, type PacedDealer } from './zmq.driver.ts'

/** What ZeroMQ queues besides what the bridge holds, each way, is a few frames; those of the tool have at most 64 KiB. */
const SOCKET_OPTIONS: LinkSocketOptions = { highWaterMark: 8, maxPartBytes: 64 * 1024 * 1024 }

export interface BridgeOptions {
  /** Where tools connect: `tcp://127.0.0.1:8443`; port `*` takes any free one. */
  readonly listen: string
  /** The szmq server: `tcp://HOST:PORT`. */
  readonly to: string
  readonly limits?: Partial<BridgeLimits>
  readonly onEvent?: (event: BridgeEvent) => void
}

/** One for each connection of a tool. */
export type BridgeEvent = {
  /** Counts the connections from 1. */
  readonly connection: number
  /** The tool's address and port. */
  readonly from: string
} & (
  | ({ readonly kind: 'closed' } & BridgeOutcome)
  /** There are `maxConnections` already, or this process may open no more sockets. */
  | { readonly kind: 'refused'; readonly reason: string }
)

export interface Bridge extends AsyncDisposable {
  /** Where it really listens. */
  readonly endpoint: string
  /** Can only this machine reach it? */
  readonly isLoopback: boolean
  /** Listens no more, and cuts what is open. Idempotent. */
  close(): Promise<void>
}

/**
 * Carries raw TCP connections of TLS tools to a szmq server and back, each by a szmq session and a ZeroMQ connection of its own, so that one
 * never waits for another. Terminates nothing: TLS is between the tool and the server.
 *
 * @throws ERR_SZMQ_INVALID_ENDPOINT · ERR_SZMQ_INVALID_ARGUMENT for a limit · ERR_SZMQ_ADDRESS_IN_USE · ERR_SZMQ_ADDRESS_UNAVAILABLE
 */
export async function openBridge({ listen, to, limits, onEvent = () => {} }: BridgeOptions): Promise<Bridge> {
  const resolved = resolveLimits(DEFAULT_BRIDGE_LIMITS, limits)
  if (resolved.maxConnections > MOST_CONNECTIONS) {
    throw new SzmqError(
      'ERR_SZMQ_INVALID_ARGUMENT',
      `maxConnections is ${resolved.maxConnections}; give at most ${MOST_CONNECTIONS}`,
    )
  }
  const target = formatTcpEndpoint(parseTcpEndpoint(to, 'connect'))
  const open = new Set<BridgeConnection>()
  let connection = 0
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true }, (socket) => {
    connection += 1
    const seen = { connection, from: `${socket.remoteAddress ?? 'unknown'}:${socket.remotePort ?? 0}` }
    // Tells of a cut, which `close` tells too.
    socket.on('error', () => {})
    try {
      if (open.size >= resolved.maxConnections) throw new SzmqError('ERR_SZMQ_LIMIT_EXCEEDED', 'as many as may be are open')
      const carried = carry(socket, target, resolved, (outcome) => {
        open.delete(carried)
        onEvent({ kind: 'closed', ...seen, ...outcome })
      })
      open.add(carried)
    } catch (error) {
      socket.resetAndDestroy()
      onEvent({ kind: 'refused', ...seen, reason: messageOf(error) })
    }
  })
  const { address, port } = await listenOn(server, parseTcpEndpoint(listen, 'listen'))
  const close = async (): Promise<void> => {
    const isClosed = new Promise((resolve) => server.close(resolve))
    for (const each of [...open]) each.stop()
    await isClosed
  }
  return {
    endpoint: formatTcpEndpoint({ host: address, port }),
    isLoopback: isLoopback(address),
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** Joins a paused TCP connection with a ZeroMQ connection of its own. */
function carry(
  socket: Socket,
  target: string,
  limits: BridgeLimits,
  onClosed: (outcome: BridgeOutcome) => void,
): BridgeConnection {
  const dealer = connectPacedDealer(target, SOCKET_OPTIONS, (event) => {
    if (event === 'ready') connection.serverReady()
    else connection.serverFailed()
  })
  const id = sessionIdOf(systemRandom.bytes(SESSION_ID_BYTES))
  const connection: BridgeConnection = new BridgeConnection(id, limits, systemClock, (effect) => {
    act(effect)
  })
  const outgoing = new Outgoing(dealer, connection)
  const incoming = new Incoming(dealer, connection)
  socket.on('data', (bytes) => {
    connection.fromTool(bytes)
  })
  socket.on('end', () => {
    connection.toolEnded()
  })
  socket.on('close', () => {
    connection.toolFailed()
  })
  return connection

  function act(effect: BridgeEffect): void {
    switch (effect.kind) {
      case 'send':
        outgoing.push(effect.parts)
        return
      case 'write':
        socket.write(effect.bytes, () => {
          connection.written(effect.bytes.length)
        })
        return
      case 'hold':
      case 'release':
        if (effect.side === 'server') incoming.setHeld(effect.kind === 'hold')
        else if (effect.kind === 'hold') socket.pause()
        else socket.resume()
        return
      case 'end':
        socket.end()
        return
      case 'closed':
        dealer.close()
        if (effect.isCut) socket.resetAndDestroy()
        else socket.destroySoon()
        onClosed(effect.outcome)
        return
      default:
        assertNever(effect)
    }
  }
}

type TlsMessage = readonly [header: Uint8Array, bytes: Uint8Array]

/** Messages for the server, one at a time as ZeroMQ takes them. */
class Outgoing {
  readonly #dealer: PacedDealer
  readonly #connection: BridgeConnection
  readonly #queue: TlsMessage[] = []
  #isSending = false

  constructor(dealer: PacedDealer, connection: BridgeConnection) {
    this.#dealer = dealer
    this.#connection = connection
  }

  push(parts: TlsMessage): void {
    this.#queue.push(parts)
    if (!this.#isSending) void this.#send()
  }

  async #send(): Promise<void> {
    this.#isSending = true
    try {
      for (let parts = this.#queue.shift(); parts !== undefined; parts = this.#queue.shift()) {
        await this.#dealer.send(parts)
        this.#connection.sent(parts[1].length)
      }
    } catch {
      // Closed, and then this is nothing new; or ZeroMQ itself fails.
      this.#connection.serverFailed()
    } finally {
      this.#isSending = false
    }
  }
}

/** Messages of the server, one at a time unless held. */
class Incoming {
  readonly #dealer: PacedDealer
  readonly #connection: BridgeConnection
  #isHeld = true
  #isReceiving = false

  constructor(dealer: PacedDealer, connection: BridgeConnection) {
    this.#dealer = dealer
    this.#connection = connection
  }

  setHeld(isHeld: boolean): void {
    this.#isHeld = isHeld
    if (!isHeld && !this.#isReceiving) void this.#receive()
  }

  async #receive(): Promise<void> {
    this.#isReceiving = true
    try {
      while (!this.#isHeld) {
        const parts = await this.#dealer.receive()
        if (parts === undefined) return
        this.#connection.fromServer(parts)
      }
    } catch {
      this.#connection.serverFailed()
    } finally {
      this.#isReceiving = false
    }
  }
}

function listenOn(server: Server, { host, port }: TcpEndpoint): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: Error & { readonly code?: string }) => {
      reject(listenError(formatTcpEndpoint({ host, port }), error))
    })
    server.listen({ host, port }, () => {
      const address = server.address()
      if (address !== null && typeof address === 'object') resolve(address)
    })
  })
}

function listenError(endpoint: string, error: Error & { readonly code?: string }): SzmqError {
  if (error.code === 'EADDRINUSE') {
    return new SzmqError(
      'ERR_SZMQ_ADDRESS_IN_USE',
      `cannot listen on ${endpoint}: another process already does; stop it, or choose another port (port * takes any free one)`,
      { cause: error },
    )
  }
  const hint = error.code === 'EACCES' ? 'ports below 1024 are for root: choose another' : 'is it an address of this machine?'
  return new SzmqError('ERR_SZMQ_ADDRESS_UNAVAILABLE', `cannot listen on ${endpoint}: ${messageOf(error)}; ${hint}`, {
    cause: error,
  })
}
