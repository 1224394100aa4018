import { openBridge } from '../../src/transport/bridge.driver.ts'
import type { TlsEngineFactory } from '../../src/security/tls-engine.ts'
import { systemClock } from '../../src/shared/system-clock.driver.ts'
import { systemRandom } from '../../src/shared/system-random.driver.ts'
import { StreamServer } from '../../src/transport/stream-server.ts'
import { bindRouter, type LinkSocket } from '../../src/transport/zmq.driver.ts'

/** A szmq server that does nothing but hand-shake, and a bridge to it: `host:port` for tools. */
export interface BridgedServer extends AsyncDisposable {
  readonly authority: string
}

export async function startTlsServer(engine: TlsEngineFactory): Promise<BridgedServer> {
  const server: StreamServer = new StreamServer(
    { engine },
    { clock: systemClock, random: systemRandom },
    ({ envelope, parts }) => {
      socket.send([...envelope, ...parts])
    },
    () => () => {},
  )
  const socket: LinkSocket = await bindRouter(
    'tcp://127.0.0.1:*',
    { highWaterMark: 1_000, maxPartBytes: 1024 * 1024 },
    {
      onRefused: () => {},
      onMessage: (parts) => {
        server.receive(parts)
      },
    },
  )
  return bridgeTo(socket.lastEndpoint, () => {
    server.destroy()
    socket.close()
  })
}

/** A bridge to `endpoint`; `close` ends what is there. */
export async function bridgeTo(endpoint: string, close: () => void | Promise<void> = () => {}): Promise<BridgedServer> {
  const bridge = await openBridge({ listen: 'tcp://127.0.0.1:*', to: endpoint })
  return {
    authority: new URL(bridge.endpoint).host,
    async [Symbol.asyncDispose]() {
      await bridge.close()
      await close()
    },
  }
}
