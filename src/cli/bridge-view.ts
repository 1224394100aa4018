import type { BridgeEvent } from '../transport/bridge.driver.ts'
import type { BridgeEnd } from '../transport/bridge.ts'
import { layOutFields } from './layout.ts'
import { printable, type Painter } from './terminal.ts'

export function viewListening(endpoint: string, to: string, paint: Painter): string {
  const authority = endpoint.replace(/^tcp:\/\//, '')
  return [
    `${paint('green', '✓')} ${printable(`listening on ${endpoint}, carrying TLS to ${to}`)}\n`,
    layOutFields(
      [
        ['try', `openssl s_client -connect ${authority} -alpn szmq-link/1 -CAfile CA.pem -cert NAME.pem -key NAME.key`],
        ['stop', 'Ctrl-C'],
      ],
      paint,
    ),
  ].join('')
}

export function viewExposed(endpoint: string, paint: Painter): string {
  return warning(`${endpoint} is open to other machines: whoever reaches it reaches the server behind it`, paint)
}

/** Told once for each time that the server goes away, whether or not somebody asked for a line a connection. */
export function viewUnreachable(to: string, paint: Painter): string {
  return warning(`no szmq server answers at ${to}: is it running, and is this its address?`, paint)
}

/** One line. */
export function viewConnection(event: BridgeEvent, to: string, paint: Painter): string {
  const who = `#${event.connection} ${printable(event.from)}`
  if (event.kind === 'refused') return `${paint('dim', who)}  ${paint('yellow', printable(`refused: ${event.reason}`))}\n`
  const { bytesToServer, bytesToTool, durationMs } = event
  const facts = `${bytesToServer} B to the server, ${bytesToTool} B back, ${(durationMs / 1_000).toFixed(2)} s`
  const isOrderly = event.end === 'tool.ended' || event.end === 'server.ended'
  const end = ENDS[event.end].replace('SERVER', to)
  return `${paint('dim', who)}  ${facts}: ${isOrderly ? end : paint('yellow', printable(end))}\n`
}

export function viewStopped({ connections, bytesToServer, bytesToTool }: BridgeTotals, paint: Painter): string {
  const count = connections === 1 ? '1 connection' : `${connections} connections`
  return `${paint('green', '✓')} stopped after ${count}: ${bytesToServer} B to the server, ${bytesToTool} B back\n`
}

export interface BridgeTotals {
  connections: number
  bytesToServer: number
  bytesToTool: number
}

const ENDS: Readonly<Record<BridgeEnd, string>> = {
  'tool.ended': 'ended by the tool',
  'tool.cut': 'cut by the tool',
  'server.ended': 'ended by the server',
  'server.unreachable': 'no szmq server answers at SERVER',
  'server.lost': 'the server went away',
  'stream.broken': 'a frame of the server was lost',
  idle: 'cut, nothing moved for too long',
  stopped: 'cut, the bridge stopped',
}

function warning(text: string, paint: Painter): string {
  return `${paint('yellow', '!')} ${printable(text)}\n`
}
