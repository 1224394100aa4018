import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Certificates } from './certificates.ts'
import type { Exchange } from './exchanges.ts'
import type { Absent, HandshakeContender, Handshaker, Sample } from './handshake-contender.ts'
import { end, outputOf, start } from './processes.ts'

/** `s_time` counts whole seconds. It runs until the clock has shown one more, so for 1 to 2 seconds. */
const LOOP_SECONDS = 1
const LOOP_DEADLINE_MS = 15_000
const UP_DEADLINE_MS = 5_000

/** The system's OpenSSL without Node. Two processes and a TCP connection for each handshake: says what the machine can do. */
export const opensslLoop: HandshakeContender = {
  name: 'openssl s_time',
  isSlow: true,
  about:
    'openssl s_time against openssl s_server: two processes, a TCP connection on loopback for each handshake, nothing else',
  prepare,
}

async function prepare(exchange: Exchange, certificates: Certificates): Promise<Handshaker | Absent> {
  if ((await outputOf('openssl', ['version'], LOOP_DEADLINE_MS)) === undefined) {
    return { kind: 'absent', reason: 'not installed (apt-get install openssl)' }
  }
  const folder = await mkdtemp(join(tmpdir(), 'szmq-bench-kx-'))
  for (const [role, { ca, certificate, privateKey }] of Object.entries(certificates)) {
    await writeFile(join(folder, `${role}.pem`), `${certificate}\n${privateKey}`, { mode: 0o600 })
    await writeFile(join(folder, 'ca.pem'), ca)
  }
  const port = await findFreePort()
  const server = start('openssl', serverArguments(exchange, folder, port))
  try {
    await untilUp(port)
  } catch (error) {
    await end(server)
    await rm(folder, { recursive: true })
    throw error
  }
  return {
    kind: 'ready',
    run: () => loop(exchange, folder, port),
    async dispose() {
      await end(server)
      await rm(folder, { recursive: true })
    },
  }
}

function serverArguments({ version, openssl, resumption }: Exchange, folder: string, port: number): readonly string[] {
  return [
    's_server',
    ...['-accept', `127.0.0.1:${port}`],
    ...['-cert', join(folder, 'server.pem'), '-CAfile', join(folder, 'ca.pem')],
    ...['-Verify', '2', '-verify_return_error'],
    // Reads and answers a request: a client of TLS 1.3 gets its ticket behind the handshake.
    '-www',
    ...(version === 'TLSv1.3' ? ['-tls1_3', '-ciphersuites', openssl.cipher] : ['-tls1_2', '-cipher', openssl.cipher]),
    ...['-groups', openssl.groups],
    ...(resumption === 'ticket' ? [] : ['-no_ticket']),
  ]
}

/** @throws Error when not all handshakes were full, or resumed, as the exchange says */
async function loop({ version, resumption }: Exchange, folder: string, port: number): Promise<Sample> {
  const output = await outputOf(
    'openssl',
    [
      's_time',
      ...['-connect', `127.0.0.1:${port}`, '-time', String(LOOP_SECONDS), '-verify', '2'],
      ...['-cert', join(folder, 'client.pem'), '-CAfile', join(folder, 'ca.pem')],
      version === 'TLSv1.3' ? '-tls1_3' : '-tls1_2',
      resumption === 'none' ? '-new' : '-reuse',
      ...(version === 'TLSv1.3' && resumption !== 'none' ? ['-www', '/'] : []),
    ],
    LOOP_DEADLINE_MS,
  )
  const { full, resumed, total } = readLoop(output?.stdout ?? '')
  const [right, wrong] = resumption === 'none' ? [full, resumed] : [resumed, full]
  if (right === 0 || wrong > 0 || right !== total) {
    throw new Error(`s_time made ${full} full and ${resumed} resumed handshakes, and says ${total}: ${resumption} was expected`)
  }
  return { handshakes: right, ms: output?.ms ?? Number.NaN }
}

/** It prints `*` for a full handshake, `r` for a resumed one, and a count at the end. */
function readLoop(text: string): { readonly full: number; readonly resumed: number; readonly total: number } {
  const line = text.split('\n').find((each) => /^[*rt]+$/.test(each)) ?? ''
  const total = Number(/^(\d+) connections in \d+ real seconds/m.exec(text)?.[1] ?? 0)
  const resumed = line.match(/r/g)?.length ?? 0
  return { full: line.length - resumed, resumed, total }
}

async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

async function untilUp(port: number): Promise<void> {
  const deadline = performance.now() + UP_DEADLINE_MS
  for (;;) {
    const socket = connect(port, '127.0.0.1')
    try {
      await once(socket, 'connect')
      return
    } catch (error) {
      if (performance.now() > deadline) throw new Error('openssl s_server does not come up', { cause: error })
      await sleep(50)
    } finally {
      socket.destroy()
    }
  }
}
