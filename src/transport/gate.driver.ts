import { createServer, connect, type AddressInfo, type Socket } from 'node:net'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { resolveLimits } from '../security/limits.ts'
import { formatTcpEndpoint, parseTcpEndpoint } from './bridge-endpoint.ts'
import { DEFAULT_GATE_LIMITS, type GateLimits } from './gate-limits.ts'
import { PathTally } from './path-tally.ts'
import { bindError } from './zmq.driver.ts'
import { ZmtpInspector, type ZmtpViolation } from './zmtp-inspector.ts'

/** Connections that a gate cut, by reason. */
export interface GateCounters {
  /** At `maxConnections`. */
  connections: number
  /** At `maxConnectionsPerAddress`. */
  connectionsOfAddress: number
  /** What it says is not ZMTP 3 with the NULL mechanism: HTTP, TLS, CURVE, garbage. */
  greeting: number
  /** It named itself. */
  identity: number
  /** A message of too many parts or bytes. */
  oversized: number
}

/** A place for a ROUTER that only this user can reach, before anybody listens there. */
export interface InnerDoor {
  /** For the ROUTER to bind. */
  readonly endpoint: string
  dispose(): void
}

export interface Gate {
  /** Where it really listens. */
  readonly endpoint: string
  readonly counters: Readonly<GateCounters>
  close(): void
}

/** A socket file in a folder of its own that nobody else may enter; where there is none, a port of the loopback. */
export function createInnerDoor(): InnerDoor {
  if (process.platform === 'win32') return { endpoint: 'tcp://127.0.0.1:*', dispose: () => {} }
  const folder = mkdtempSync(join(tmpdir(), 'szmq-gate-'))
  const remove = (): void => {
    rmSync(folder, { recursive: true, force: true })
  }
  process.once('exit', remove)
  return {
    endpoint: `ipc://${join(folder, 'door')}`,
    dispose: () => {
      process.off('exit', remove)
      remove()
    },
  }
}

/**
 * Listens in front of a ROUTER, and passes on only connections that keep to {@link GateLimits}: what libzmq does not bound by itself. Whoever
 * does not is cut. Slow readers are waited for, both ways.
 *
 * @param inner where the ROUTER really listens
 * @throws ERR_SZMQ_INVALID_ENDPOINT · ERR_SZMQ_INVALID_ARGUMENT for a limit · ERR_SZMQ_ADDRESS_IN_USE · ERR_SZMQ_ADDRESS_UNAVAILABLE
 */
export async function openGate(listen: string, inner: string, limits: Partial<GateLimits> = {}): Promise<Gate> {
  const resolved = resolveLimits(DEFAULT_GATE_LIMITS, limits)
  const counters: GateCounters = { connections: 0, connectionsOfAddress: 0, greeting: 0, identity: 0, oversized: 0 }
  const perAddress = new PathTally()
  const open = new Set<Socket>()
  const server = createServer({ noDelay: true }, (socket) => {
    // Tells of a cut, which `close` tells too.
    socket.on('error', () => {})
    const address = sourceOf(socket.remoteAddress ?? '')
    const isFull = open.size >= resolved.maxConnections
    if (isFull || perAddress.of(address) >= resolved.maxConnectionsPerAddress) {
      counters[isFull ? 'connections' : 'connectionsOfAddress'] += 1
      socket.resetAndDestroy()
      return
    }
    open.add(socket)
    perAddress.add(address)
    socket.on('close', () => {
      open.delete(socket)
      perAddress.remove(address)
    })
    carry(socket, connectTo(inner), new ZmtpInspector(resolved), (violation) => {
      counters[violation] += 1
    })
  })
  const where = parseTcpEndpoint(listen, 'listen')
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => {
      reject(bindError(listen, error))
    })
    server.listen({ host: where.host, port: where.port }, resolve)
  })
  const { address, port } = server.address() as AddressInfo
  return {
    endpoint: formatTcpEndpoint({ host: address, port }),
    counters,
    close: () => {
      server.close()
      for (const socket of [...open]) socket.destroy()
    },
  }
}

function carry(
  socket: Socket,
  router: Socket,
  inspector: ZmtpInspector,
  onViolation: (violation: ZmtpViolation) => void,
): void {
  router.on('error', () => {})
  socket.on('data', (chunk) => {
    const violation = inspector.inspect(chunk)
    if (violation !== undefined) {
      onViolation(violation)
      socket.removeAllListeners('data')
      socket.resetAndDestroy()
    } else if (!router.write(chunk)) {
      socket.pause()
      router.once('drain', () => socket.resume())
    }
  })
  router.pipe(socket)
  socket.on('close', () => router.destroy())
  router.on('close', () => socket.destroy())
}

function connectTo(inner: string): Socket {
  const url = new URL(inner)
  if (url.protocol === 'ipc:') return connect({ path: inner.slice('ipc://'.length) })
  return connect({ host: url.hostname, port: Number(url.port), noDelay: true })
}

/** Whoever has one IPv6 address has the 2⁶⁴ beside it. */
function sourceOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(address)?.[1]
  if (mapped !== undefined || !address.includes(':')) return mapped ?? address
  const [head = '', tail = ''] = address.split('::')
  const front = head === '' ? [] : head.split(':')
  const back = tail === '' ? [] : tail.split(':')
  const zeros = address.includes('::') ? Array.from({ length: 8 - front.length - back.length }, () => '0') : []
  return [...front, ...zeros, ...back].slice(0, 4).join(':')
}
