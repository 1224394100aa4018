import { SzmqError } from '../shared/errors.ts'
import { systemClock } from '../shared/system-clock.driver.ts'
import { systemRandom } from '../shared/system-random.driver.ts'
import { createInnerDoor, openGate, type GateCounters } from './gate.driver.ts'
import type { GateLimits } from './gate-limits.ts'
import { Link, type LinkEvent, type LinkLimits, type NodeIdentity } from './link.ts'
import type { NodeEngines } from './node-engines.driver.ts'
import type { SecureChannel } from './secure-channel.ts'
import type { FloodEvent } from './flood-watch.ts'
import type { StreamCounters } from './stream-counters.ts'
import { DEFAULT_STREAM_LIMITS, resolveStreamLimits, type StreamLimits } from './stream-limits.ts'
import { StreamClient, StreamServer } from './stream.ts'
import { bindRouter, connectDealer, type LinkSocket, type LinkSocketOptions } from './zmq.driver.ts'

/** How long an outgoing link may take until both sides know each other, in milliseconds. */
export const DEFAULT_CONNECT_TIMEOUT_MS = 10_000

/** Ciphertext and frames that crossed a socket, both ways, for people. */
export interface WireCounters {
  framesSent: number
  framesReceived: number
  bytesSent: number
  bytesReceived: number
  /** Sent, and lost at once because ZeroMQ's queue was full or the peer's connection gone; the session resets over it. */
  framesRefused: number
}

export interface NodeLink {
  readonly link: Link
  readonly wire: Readonly<WireCounters>
  /** Frees the socket of an outgoing link; after `down`. */
  dispose(): void
}

export interface NodeListenerOptions {
  /** `tcp://127.0.0.1:7000`; port `*` takes any free one. */
  readonly endpoint: string
  readonly engines: NodeEngines
  readonly local: NodeIdentity
  readonly limits?: Partial<LinkLimits>
  /** Bounds of what may come to the open door. */
  readonly streamLimits?: Partial<StreamLimits>
  readonly onFlood?: (event: FloodEvent) => void
  /**
   * true, or its limits: connections are looked at before ZeroMQ gets them. Default: true, unless only this machine can reach `endpoint`. What ZeroMQ
   * alone understands (`tcp://eth0:7000`) needs false.
   */
  readonly gate?: boolean | Partial<GateLimits>
  /** Called for each peer that knocks, before it has proved anything; its link's events go to what it returns. */
  readonly onLink: (link: NodeLink) => (event: LinkEvent) => void
}

export interface NodeListener {
  /** Where it really listens. */
  readonly endpoint: string
  /** What was dropped and refused, by reason, and answered. */
  readonly counters: Readonly<StreamCounters>
  /** Connections that were cut at the gate, by reason; undefined without one. */
  readonly gate: Readonly<GateCounters> | undefined
  close(): void
}

/** Listens for other nodes: TLS inside ZeroMQ. */
export async function listenForNodes({
  endpoint,
  engines,
  local,
  limits,
  streamLimits = {},
  onFlood = () => {},
  gate = needsGate(endpoint),
  onLink,
}: NodeListenerOptions): Promise<NodeListener> {
  const wire = createWireCounters()
  let socket: LinkSocket | undefined
  const { maxFrameBytes, maxEnvelopeParts, maxEnvelopeBytes } = resolveStreamLimits(streamLimits)
  const server: StreamServer = new StreamServer(
    { engine: engines.server, limits: streamLimits, onFlood },
    { clock: systemClock, random: systemRandom },
    ({ envelope, parts }) => {
      if (socket !== undefined) send(socket, wire, [...envelope, ...parts])
    },
    (channel: SecureChannel) => {
      let listener: ((event: LinkEvent) => void) | undefined
      const link = new Link(
        { local, ...(limits === undefined ? {} : { limits }) },
        { clock: systemClock, random: systemRandom },
        (event) => listener?.(event),
      )
      link.attach(channel)
      listener = onLink({ link, wire, dispose: () => {} })
      return (event) => {
        link.onChannelEvent(event)
      }
    },
  )
  const bind = async (at: string): Promise<LinkSocket> => {
    socket = await bindRouter(at, socketOptions(maxFrameBytes), {
      onRefused: () => {
        wire.framesRefused += 1
      },
      onMessage: (parts) => {
        count(wire, parts)
        server.receive(parts)
      },
    })
    return socket
  }
  // Whatever the door behind it may take, and a header.
  const widest = { maxParts: maxEnvelopeParts + 2, maxMessageBytes: maxFrameBytes + 2 * maxEnvelopeBytes }
  const gateLimits = gate === true ? widest : gate && { ...widest, ...gate }
  const door = await openDoor(endpoint, gateLimits, bind)
  return {
    endpoint: door.endpoint,
    counters: server.counters,
    gate: door.counters,
    close: () => {
      server.destroy()
      door.close()
    },
  }
}

function needsGate(endpoint: string): boolean {
  return endpoint.startsWith('tcp://') && !/^tcp:\/\/(?:127\.[\d.]+|\[::1\]|localhost):/i.test(endpoint)
}

/** What listens: a ROUTER, or a gate with a ROUTER behind it. */
interface Door {
  readonly endpoint: string
  readonly counters: Readonly<GateCounters> | undefined
  close(): void
}

async function openDoor(
  endpoint: string,
  gate: false | Partial<GateLimits>,
  bind: (endpoint: string) => Promise<LinkSocket>,
): Promise<Door> {
  if (gate === false) {
    const socket = await bind(endpoint)
    return { endpoint: socket.lastEndpoint, counters: undefined, close: () => socket.close() }
  }
  const inner = createInnerDoor()
  let socket: LinkSocket | undefined
  const closeInner = (): void => {
    socket?.close()
    inner.dispose()
  }
  try {
    socket = await bind(inner.endpoint)
    const outer = await openGate(endpoint.replace('tcp://*:', 'tcp://0.0.0.0:'), socket.lastEndpoint, gate)
    return {
      endpoint: outer.endpoint,
      counters: outer.counters,
      close: () => {
        outer.close()
        closeInner()
      },
    }
  } catch (error) {
    closeInner()
    throw error
  }
}

export interface NodeConnectOptions {
  readonly host: string
  readonly port: number
  readonly engines: NodeEngines
  readonly local: NodeIdentity
  /** The name that the other node's certificate must carry; default: `host`. */
  readonly serverName?: string | undefined
  readonly limits?: Partial<LinkLimits>
  readonly connectTimeoutMs?: number
}

/**
 * Links to a node that listens. Its events begin with `up`, or with `down` and the cause: certificate, name, silence.
 * @throws ERR_SZMQ_INVALID_ENDPOINT
 */
export function connectToNode(
  { host, port, engines, local, serverName = host, limits, connectTimeoutMs = DEFAULT_CONNECT_TIMEOUT_MS }: NodeConnectOptions,
  listener: (event: LinkEvent) => void,
): NodeLink {
  const endpoint = `tcp://${host.includes(':') ? `[${host}]` : host}:${port}`
  const wire = createWireCounters()
  let connection: 'connected' | 'disconnected' | 'retrying' = 'disconnected'
  const socket = connectDealer(endpoint, socketOptions(DEFAULT_STREAM_LIMITS.maxFrameBytes), {
    onRefused: () => {
      wire.framesRefused += 1
    },
    onMessage: (parts) => {
      count(wire, parts)
      client.receive(parts)
    },
    onConnection: (event) => {
      connection = event
    },
  })
  const link = new Link(
    { local, ...(limits === undefined ? {} : { limits }) },
    { clock: systemClock, random: systemRandom },
    (event) => {
      if (event.kind === 'down' && event.error?.code === 'ERR_SZMQ_HANDSHAKE_TIMEOUT' && connection !== 'connected') {
        listener({ ...event, error: nobodyThere(endpoint, connectTimeoutMs, event.error) })
      } else {
        listener(event)
      }
    },
  )
  const client: StreamClient = new StreamClient(
    {
      engine: engines.client(serverName),
      sessionLimits: { handshakeTimeoutMs: connectTimeoutMs },
    },
    { clock: systemClock, random: systemRandom },
    ({ parts }) => {
      send(socket, wire, parts)
    },
    (event) => {
      link.onChannelEvent(event)
    },
  )
  link.attach(client.channel)
  client.open()
  return {
    link,
    wire,
    dispose: () => {
      socket.close()
    },
  }
}

/** A header is shorter than any frame may be. */
function socketOptions(maxFrameBytes: number): LinkSocketOptions {
  return { maxPartBytes: maxFrameBytes }
}

function nobodyThere(endpoint: string, timeoutMs: number, cause: SzmqError): SzmqError {
  return new SzmqError(
    'ERR_SZMQ_CONNECT_TIMEOUT',
    `nobody answered at ${endpoint} within ${timeoutMs} ms: is the node running, and is this its address?`,
    { cause },
  )
}

function createWireCounters(): WireCounters {
  return { framesSent: 0, framesReceived: 0, bytesSent: 0, bytesReceived: 0, framesRefused: 0 }
}

function send(socket: LinkSocket, wire: WireCounters, parts: readonly Uint8Array[]): void {
  wire.framesSent += 1
  for (const part of parts) wire.bytesSent += part.length
  socket.send(parts)
}

function count(wire: WireCounters, parts: readonly Uint8Array[]): void {
  wire.framesReceived += 1
  for (const part of parts) wire.bytesReceived += part.length
}
