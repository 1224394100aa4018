import { InvalidArgumentError, Option, type Command } from 'commander'
import { parseTcpEndpoint } from '../transport/bridge-endpoint.ts'
import { DEFAULT_BRIDGE_LIMITS, MOST_CONNECTIONS } from '../transport/bridge-limits.ts'
import { openBridge, type BridgeEvent } from '../transport/bridge.driver.ts'
import { viewConnection, viewExposed, viewListening, viewStopped, viewUnreachable, type BridgeTotals } from './bridge-view.ts'
import { untilInterrupted } from './interrupt.driver.ts'
import { createPainter, type Terminal } from './terminal.ts'

const DEFAULT_LISTEN = 'tcp://127.0.0.1:8443'
const MOST_SECONDS = 86_400
const MOST_HELD_BYTES = 64 * 1024 * 1024

interface BridgeCommandOptions {
  readonly listen: string
  readonly to: string
  readonly maxConnections: number
  readonly idleTimeout: number
  readonly connectTimeout: number
  readonly maxHeld: number
  readonly verbose?: true
}

/** `szmq bridge`: lets standard TLS tools reach a szmq server. */
export function addBridgeCommand(program: Command, terminal: Terminal): void {
  const { maxConnections, idleTimeoutMs, connectTimeoutMs, maxHeldBytes } = DEFAULT_BRIDGE_LIMITS
  program
    .command('bridge')
    .description(
      'Let standard TLS tools reach a szmq server: carry their TCP bytes in szmq frames, and back. Decrypts nothing.',
    )
    .addOption(
      endpointOption('--to <endpoint>', 'the szmq server, such as tcp://127.0.0.1:7000', 'connect').makeOptionMandatory(),
    )
    .addOption(endpointOption('--listen <endpoint>', 'where tools connect; port * takes any', 'listen').default(DEFAULT_LISTEN))
    .addOption(numberOption('--max-connections <n>', 'at one time', maxConnections, MOST_CONNECTIONS))
    .addOption(
      numberOption(
        '--idle-timeout <seconds>',
        'a connection on which nothing moves is cut',
        idleTimeoutMs / 1_000,
        MOST_SECONDS,
      ),
    )
    .addOption(numberOption('--connect-timeout <seconds>', 'for the server to answer', connectTimeoutMs / 1_000, MOST_SECONDS))
    .addOption(numberOption('--max-held <bytes>', 'of a connection, each way', maxHeldBytes, MOST_HELD_BYTES))
    .option('--verbose', 'a line on stderr for each connection')
    .addHelpText('after', EXAMPLES)
    .action((options: BridgeCommandOptions) => runBridge(options, terminal))
}

const EXAMPLES = `
Examples:
  szmq bridge --to tcp://127.0.0.1:7000 --verbose
  openssl s_client -connect 127.0.0.1:8443 -alpn szmq-link/1 -CAfile pki/ca.pem -cert pki/node-a.pem -key pki/node-a.key
  sslscan 127.0.0.1:8443`

async function runBridge(options: BridgeCommandOptions, terminal: Terminal): Promise<void> {
  const { listen, to, maxConnections, idleTimeout, connectTimeout, maxHeld, verbose } = options
  const [paint, paintErr] = [createPainter(terminal.isColourful), createPainter(terminal.isErrColourful)]
  const totals: BridgeTotals = { connections: 0, bytesToServer: 0, bytesToTool: 0 }
  const isUnreachable = createUnreachableWatch()
  const bridge = await openBridge({
    listen,
    to,
    limits: {
      maxConnections,
      idleTimeoutMs: idleTimeout * 1_000,
      connectTimeoutMs: connectTimeout * 1_000,
      maxHeldBytes: maxHeld,
    },
    onEvent: (event) => {
      add(totals, event)
      if (isUnreachable(event)) terminal.err(viewUnreachable(to, paintErr))
      if (verbose === true) terminal.err(viewConnection(event, to, paintErr))
    },
  })
  // Before anything is told, so that whoever reads it may already stop us.
  const interrupted = untilInterrupted()
  terminal.out(viewListening(bridge.endpoint, to, paint))
  if (!bridge.isLoopback) terminal.err(viewExposed(bridge.endpoint, paintErr))
  await interrupted
  await bridge.close()
  terminal.out(viewStopped(totals, paint))
}

/** Is `event` the first to tell that the server is away? */
function createUnreachableWatch(): (event: BridgeEvent) => boolean {
  let isAway = false
  return (event) => {
    if (event.kind === 'refused') return false
    const wasAway = isAway
    isAway = event.end === 'server.unreachable'
    return isAway && !wasAway
  }
}

function add(totals: BridgeTotals, event: BridgeEvent): void {
  totals.connections += 1
  if (event.kind === 'refused') return
  totals.bytesToServer += event.bytesToServer
  totals.bytesToTool += event.bytesToTool
}

function endpointOption(flags: string, what: string, use: 'listen' | 'connect'): Option {
  return new Option(flags, what).argParser((text: string) => {
    try {
      parseTcpEndpoint(text, use)
    } catch {
      throw new InvalidArgumentError(
        `Give tcp://HOST:PORT, such as ${use === 'listen' ? DEFAULT_LISTEN : 'tcp://127.0.0.1:7000'}.`,
      )
    }
    return text
  })
}

/** Whole, from 1 to `most`. */
function numberOption(flags: string, what: string, standard: number, most: number): Option {
  const parse = (text: string): number => {
    const number = /^\d{1,9}$/.test(text) ? Number(text) : 0
    if (number >= 1 && number <= most) return number
    throw new InvalidArgumentError(`Give a whole number from 1 to ${most}.`)
  }
  return new Option(flags, what).argParser(parse).default(standard)
}
