import { SzmqError } from '../../src/shared/errors.ts'
import { decodeFrame, encodeFrame, type SessionId } from '../../src/transport/frame.codec.ts'
import { bindRouter } from '../../src/transport/zmq.driver.ts'

/** One session as the frame server sees it: bytes, without TLS. */
export interface FrameSession {
  say(bytes: Uint8Array): void
  reset(): void
  /** Leaves a number out: the stream is broken. */
  skip(): void
}

export interface FrameServer extends AsyncDisposable {
  readonly endpoint: string
  close(): void
}

/** A szmq server that speaks frames and whatever `onBytes` says, at a ZeroMQ ROUTER. */
export async function startFrameServer(
  onBytes: (session: FrameSession, bytes: Uint8Array) => void,
  endpoint = 'tcp://127.0.0.1:*',
): Promise<FrameServer> {
  const sessions = new Map<SessionId, FrameSession>()
  const socket = await bindRouter(
    endpoint,
    { highWaterMark: 8_192, maxPartBytes: 1024 * 1024 },
    {
      onRefused: () => {},
      onMessage: ([route = new Uint8Array(), header, bytes]) => {
        const frame = decodeFrame(header, bytes)
        if (frame instanceof SzmqError || frame.kind !== 'tls') throw new Error('the bridge sent what is no tls frame')
        const session = sessions.get(frame.sessionId) ?? open(route, frame.sessionId)
        onBytes(session, frame.bytes)
      },
    },
  )
  return {
    endpoint: socket.lastEndpoint,
    close: () => {
      socket.close()
    },
    [Symbol.asyncDispose]: () => Promise.resolve(socket.close()),
  }

  function open(route: Uint8Array, sessionId: SessionId): FrameSession {
    let sequence = 0
    const sender = { from: 'server', sessionId, epoch: 1 } as const
    const session: FrameSession = {
      say: (bytes) => {
        socket.send([route, ...encodeFrame({ kind: 'tls', ...sender, sequence, bytes })])
        sequence += 1
      },
      reset: () => {
        socket.send([route, ...encodeFrame({ kind: 'reset', ...sender })])
      },
      skip: () => {
        sequence += 1
      },
    }
    sessions.set(sessionId, session)
    return session
  }
}
