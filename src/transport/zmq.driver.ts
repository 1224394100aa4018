import { context, Dealer, Pair, Router, type Socket } from 'zeromq'
import { resolveLimits } from '../security/limits.ts'
import { messageOf, SzmqError } from '../shared/errors.ts'
import { enterNative, leaveNative, type NativeGate } from './native-gate.ts'
import { DEFAULT_SOCKET_LIMITS, type SocketLimits } from './socket-limits.ts'

/**
 * The only file that touches zeromq. A thread that ends while a native operation is pending aborts the whole process, so:
 * - sockets between threads never wait: with `sendTimeout` and `receiveTimeout` 0, zeromq.js completes within the call or
 *   rejects with EAGAIN. (With the default -1 even a call that could complete at once is put off now and then, to let the event
 *   loop breathe, and is pending until then.)
 * - they pass a gate for each call, which is barred before a thread is stopped from outside: see {@link NativeGate}.
 * - sockets between nodes wait for messages; they belong to the thread that started the system, and are closed when it exits.
 */

// A stuck peer must not hold the process at exit.
context.blocky = false

const NEVER_PENDING = { sendTimeout: 0, receiveTimeout: 0, linger: 0 } as const

/** One end of an inproc PAIR: whole frames, in order, tried at once or not at all. */
export interface PairSocket {
  /** Is there a frame to take? */
  readonly isReadable: boolean
  /** Is the other end there, with room for a frame? */
  readonly isWritable: boolean
  /** Puts `frame` on the socket if it has a peer with room; `frame` is copied. At most {@link MAX_PAIR_FRAME_BYTES}. */
  trySend(frame: Uint8Array): boolean
  /** Takes one frame. Call only when {@link isReadable}. */
  receive(): Promise<Uint8Array>
  close(): void
}

/**
 * zeromq.js sends anything longer without a copy, as a reference into the sending thread's heap. When that thread ends, the
 * receiver reads freed memory and the process dies (`test/integration/thread-death.test.ts`). Up to this length it copies.
 */
export const MAX_PAIR_FRAME_BYTES = 128

export interface PairOptions {
  readonly side: 'bind' | 'connect'
  readonly address: string
  /** High-water mark of this end; an inproc pipe holds the sum of both ends' marks. */
  readonly frames: number
  /** Passed for each call into zeromq.js. Once it is barred the socket seems empty and full. */
  readonly gate: NativeGate
}

/** @throws ERR_SZMQ_ADDRESS_UNAVAILABLE */
export function openPair({ side, address, frames, gate }: PairOptions): PairSocket {
  const native = <T>(call: () => T, whenBarred: T): T => {
    if (!enterNative(gate)) return whenBarred
    try {
      return call()
    } finally {
      leaveNative(gate)
    }
  }
  const socket = native(() => bindOrConnect({ side, address, frames }), undefined)
  if (socket === undefined) return BARRED
  return {
    get isReadable() {
      return native(() => socket.readable, false)
    },
    get isWritable() {
      return native(() => socket.writable, false)
    },
    trySend(frame) {
      if (frame.length > MAX_PAIR_FRAME_BYTES) throw new RangeError(`${frame.length} bytes would be sent by reference`)
      return native(() => {
        if (!socket.writable) return false
        // Writable was checked and timeouts are 0: the promise is settled. It can only be rejected when the other end closed in
        // between, and then no frame matters to it.
        socket.send(frame).catch(() => {})
        return true
      }, false)
    },
    async receive() {
      const [frame] = await native(() => socket.receive(), NEVER)
      return frame as Uint8Array
    },
    close: () => {
      native(() => {
        closeOnce(socket)
      }, undefined)
    },
  }
}

/** Of a thread that is about to be stopped: nothing more happens there. */
const NEVER: Promise<never> = new Promise(() => {})
const BARRED: PairSocket = {
  isReadable: false,
  isWritable: false,
  trySend: () => false,
  receive: () => NEVER,
  close: () => {},
}

function bindOrConnect({ side, address, frames }: Omit<PairOptions, 'gate'>): Pair {
  const socket = new Pair({ ...NEVER_PENDING, sendHighWaterMark: frames, receiveHighWaterMark: frames })
  try {
    if (side === 'bind') socket.bindSync(address)
    else socket.connect(address)
  } catch (error) {
    socket.close()
    throw new SzmqError('ERR_SZMQ_ADDRESS_UNAVAILABLE', `cannot ${side} ${address}: ${messageOf(error)}`, { cause: error })
  }
  return socket
}

/** A ROUTER or DEALER between nodes. */
export interface LinkSocket {
  /** Where a bound socket really listens: the port that the system chose for `tcp://127.0.0.1:*`. */
  readonly lastEndpoint: string
  /**
   * Queues one message of these parts, by reference: they are not written to again. A message that ZeroMQ refuses (queue full,
   * ROUTER without that peer) is lost and told to {@link LinkSocketListener.onRefused}; the session above sees a gap and resets.
   */
  send(parts: readonly Uint8Array[]): void
  close(): void
}

export interface LinkSocketListener {
  /** One message, all its parts. */
  onMessage(parts: readonly Uint8Array[]): void
  /** A message that was to be sent is lost. */
  onRefused(): void
  /** ZeroMQ's view of the connection below. A hint only: it carries no promise. */
  onConnection?(event: 'connected' | 'disconnected' | 'retrying'): void
}

/** Options shared by both kinds: bounded queues, no waiting at close, and frames no longer than a peer may send. */
export interface LinkSocketOptions {
  /** Messages queued per peer and direction before ZeroMQ refuses (DEALER) or reports (ROUTER); `limits` may tell the directions apart. */
  readonly highWaterMark?: number
  /** Longest part that ZeroMQ takes from the network, in bytes; it cuts the connection of whoever announces more. */
  readonly maxPartBytes: number
  readonly limits?: Partial<SocketLimits>
}

export async function bindRouter(
  endpoint: string,
  options: LinkSocketOptions,
  listener: LinkSocketListener,
): Promise<LinkSocket> {
  const socket = new Router({ ...socketOptions(options), mandatory: true, handover: false })
  try {
    await socket.bind(endpoint)
  } catch (error) {
    socket.close()
    throw bindError(endpoint, error)
  }
  return linkSocket(socket, listener)
}

export function connectDealer(endpoint: string, options: LinkSocketOptions, listener: LinkSocketListener): LinkSocket {
  const socket = new Dealer({ ...socketOptions(options), reconnectInterval: 50, reconnectMaxInterval: 2_000 })
  connectOrClose(socket, endpoint)
  return linkSocket(socket, listener)
}

/** A DEALER that waits: it is written and read one message at a time, so whoever is slow slows the other end. Connects once. */
export interface PacedDealer {
  /** Settles once ZeroMQ took the message, by reference. One at a time. Rejected when the socket closes. */
  send(parts: readonly Uint8Array[]): Promise<void>
  /** The next message, all its parts; undefined once closed. One call at a time. */
  receive(): Promise<readonly Uint8Array[] | undefined>
  close(): void
}

/**
 * @param onConnection Later: `ready`: a ZeroMQ peer answered. `failed`: nobody did, somebody else did, or the connection broke; close the
 *   socket then.
 * @throws ERR_SZMQ_INVALID_ENDPOINT, or zeromq's own error when the process may open no more sockets
 */
export function connectPacedDealer(
  endpoint: string,
  options: LinkSocketOptions,
  onConnection: (event: 'ready' | 'failed') => void,
): PacedDealer {
  const socket = new Dealer({ ...socketOptions(options), sendTimeout: -1, reconnectInterval: 60_000 })
  // Before it connects: what happens while nobody watches is never told.
  socket.events.on('handshake', () => {
    onConnection('ready')
  })
  for (const event of ['disconnect', 'connect:retry', 'handshake:error:protocol', 'handshake:error:other'] as const) {
    socket.events.on(event, () => {
      onConnection('failed')
    })
  }
  connectOrClose(socket, endpoint)
  closeAtExit(socket)
  return {
    send: (parts) => socket.send(parts as Uint8Array[]),
    async receive() {
      try {
        return await socket.receive()
      } catch (error) {
        if (socket.closed) return undefined
        throw error
      }
    },
    close() {
      openLinkSockets.delete(socket)
      closeOnce(socket)
    },
  }
}

function connectOrClose(socket: Dealer, endpoint: string): void {
  try {
    socket.connect(endpoint)
  } catch (error) {
    socket.close()
    throw new SzmqError(
      'ERR_SZMQ_INVALID_ENDPOINT',
      `cannot connect to ${endpoint}: ${messageOf(error)}; expected something like tcp://host:7000`,
      { cause: error },
    )
  }
}

function socketOptions({ highWaterMark, maxPartBytes, limits = {} }: LinkSocketOptions) {
  const queues = highWaterMark === undefined ? {} : { sendQueueMessages: highWaterMark, receiveQueueMessages: highWaterMark }
  const resolved = resolveLimits(DEFAULT_SOCKET_LIMITS, { ...queues, ...limits })
  return {
    sendTimeout: 0,
    linger: 0,
    sendHighWaterMark: resolved.sendQueueMessages,
    receiveHighWaterMark: resolved.receiveQueueMessages,
    maxMessageSize: maxPartBytes,
    handshakeInterval: resolved.greetingTimeoutMs,
    backlog: resolved.backlog,
    heartbeatInterval: resolved.heartbeatMs,
    heartbeatTimeout: resolved.heartbeatTimeoutMs,
  }
}

export function bindError(endpoint: string, error: unknown): SzmqError {
  const code = (error as { code?: unknown }).code
  if (code === 'EADDRINUSE') {
    return new SzmqError(
      'ERR_SZMQ_ADDRESS_IN_USE',
      `cannot listen on ${endpoint}: another process already does; stop it, or choose another port (port * takes any free one)`,
      { cause: error },
    )
  }
  if (code === 'EINVAL' || code === 'EPROTONOSUPPORT') {
    return new SzmqError(
      'ERR_SZMQ_INVALID_ENDPOINT',
      `cannot listen on ${endpoint}: not an endpoint; expected something like tcp://127.0.0.1:7000`,
      { cause: error },
    )
  }
  return new SzmqError(
    'ERR_SZMQ_ADDRESS_UNAVAILABLE',
    `cannot listen on ${endpoint}: ${messageOf(error)}; is it an address of this machine?`,
    { cause: error },
  )
}

/** One listener for all of them, however many nodes there are. */
const openLinkSockets = new Set<Socket>()

function closeAtExit(socket: Socket): void {
  if (openLinkSockets.size === 0 && !process.listeners('exit').includes(closeLinkSockets))
    process.once('exit', closeLinkSockets)
  openLinkSockets.add(socket)
}

function closeLinkSockets(): void {
  for (const socket of openLinkSockets) closeOnce(socket)
}

function linkSocket(socket: Dealer | Router, listener: LinkSocketListener): LinkSocket {
  const close = (): void => {
    openLinkSockets.delete(socket)
    closeOnce(socket)
  }
  closeAtExit(socket)
  socket.events.on('connect', () => listener.onConnection?.('connected'))
  socket.events.on('disconnect', () => listener.onConnection?.('disconnected'))
  socket.events.on('connect:retry', () => listener.onConnection?.('retrying'))
  void receiveUntilClosed(socket, listener)
  return {
    get lastEndpoint() {
      return socket.lastEndpoint ?? ''
    },
    send(parts) {
      if (socket.closed) return
      socket.send(parts as Uint8Array[]).catch(() => {
        listener.onRefused()
      })
    },
    close,
  }
}

async function receiveUntilClosed(socket: Dealer | Router, listener: LinkSocketListener): Promise<void> {
  try {
    for await (const parts of socket) listener.onMessage(parts)
  } catch (error) {
    // Closing the socket ends the pending receive with an error; anything else is a fault of ours and must be seen.
    if (!socket.closed) throw error
  }
}

function closeOnce(socket: Socket): void {
  if (!socket.closed) socket.close()
}
