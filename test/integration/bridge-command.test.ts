import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { connect, createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
import { startSystem } from '../../src/index.ts'
import { startFrameServer } from '../support/frame-server.ts'
import { expectFailure, filesOf, MAIN, run, szmq, TSX } from '../support/szmq-command.ts'
import { bridgeTo } from '../support/tls-server.ts'

const TO = ['--to', 'tcp://127.0.0.1:7000']

describe('szmq bridge, used wrongly', () => {
  it.each([
    [[], /^szmq: required option '--to <endpoint>' not specified: see szmq bridge --help\n$/],
    [['--to', 'localhost:7000'], /Give tcp:\/\/HOST:PORT, such as tcp:\/\/127\.0\.0\.1:7000: see szmq bridge --help/],
    [['--to', 'tcp://127.0.0.1:*'], /Give tcp:\/\/HOST:PORT/],
    [[...TO, '--listen', 'tcp://*:8443'], /Give tcp:\/\/HOST:PORT, such as tcp:\/\/127\.0\.0\.1:8443/],
    [[...TO, '--max-connections', '0'], /Give a whole number from 1 to 250/],
    [[...TO, '--idle-timeout', '1.5'], /Give a whole number from 1 to 86400/],
    [[...TO, '--connect-timeout', 'soon'], /Give a whole number/],
    [[...TO, '--max-held', '-1'], /Give a whole number/],
    [[...TO, 'more'], /too many arguments/],
  ])('%j says so in one line', async (args, text) => {
    expectFailure(await szmq('bridge', ...args), 2, text)
  })

  it('names a port that is taken, and an address that is nobody’s', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    expectFailure(
      await szmq('bridge', ...TO, '--listen', `tcp://127.0.0.1:${port}`),
      1,
      /another process already does; stop it, or choose another port/,
    )
    server.close()
    expectFailure(await szmq('bridge', ...TO, '--listen', 'tcp://192.0.2.1:0'), 1, /is it an address of this machine\?/)
  })

  it('explains itself', async () => {
    const { code, out } = await szmq('bridge', '--help')
    expect(code).toBe(0)
    for (const each of ['--to', '--listen', '--verbose', 'default: 100', 'Examples:', 'openssl s_client']) {
      expect(out).toContain(each)
    }
  })
})

/** The command as a process, and what it wrote. */
class Running {
  readonly child: ChildProcess
  out = ''
  err = ''

  constructor(args: readonly string[]) {
    const child = spawn(process.execPath, ['--import', TSX, MAIN, 'bridge', ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
    child.stdout.setEncoding('utf8').on('data', (text: string) => (this.out += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (this.err += text))
    this.child = child
    onTestFinished(() => {
      child.kill('SIGKILL')
    })
  }

  /** Until a stream has a match, of which it gives the first group. */
  async writes(stream: 'out' | 'err', text: RegExp): Promise<string> {
    for (;;) {
      const match = text.exec(this[stream])
      if (match !== null) return match[1] ?? ''
      const source = stream === 'out' ? this.child.stdout : this.child.stderr
      if (source === null) throw new Error('no such stream')
      await once(source, 'data', { signal: AbortSignal.timeout(10_000) })
    }
  }

  async exits(): Promise<readonly [code: number | null, signal: string | null]> {
    if (this.child.exitCode !== null) return [this.child.exitCode, this.child.signalCode]
    return (await once(this.child, 'close', { signal: AbortSignal.timeout(10_000) })) as [number | null, string | null]
  }
}

const LISTENING = /^✓ listening on tcp:\/\/127\.0\.0\.1:(\d+), carrying TLS to tcp:/

describe('szmq bridge', () => {
  it.each(['SIGINT', 'SIGTERM'] as const)('carries, tells with --verbose, and stops by %s with 0', async (signal) => {
    await using server = await startFrameServer((session, bytes) => {
      session.say(bytes)
      session.reset()
    })
    const running = new Running(['--to', server.endpoint, '--listen', 'tcp://127.0.0.1:*', '--verbose'])
    const port = Number(await running.writes('out', LISTENING))
    const tool = connect({ host: '127.0.0.1', port })
    tool.end('hello')
    const [heard] = (await once(tool, 'data')) as [Buffer]
    expect(heard.toString()).toBe('hello')
    await running.writes('err', /\n/)
    expect(running.err).toMatch(
      /^#1 127\.0\.0\.1:\d+ {2}5 B to the server, 5 B back, \d+\.\d\d s: ended by the (?:tool|server)\n$/,
    )
    // A connection that is open does not hold it.
    const open = connect({ host: '127.0.0.1', port })
    await once(open, 'connect')
    open.on('error', () => {})
    running.child.kill(signal)
    expect(await running.exits()).toEqual([0, null])
    expect(running.out).toMatch(/\n✓ stopped after \d connections?: 5 B to the server, 5 B back\n$/)
  })

  it('says once, unasked, that the server is not there', async () => {
    const free = createServer().listen(0, '127.0.0.1')
    await once(free, 'listening')
    const { port: nobody } = free.address() as AddressInfo
    free.close()
    await once(free, 'close')
    const running = new Running(['--to', `tcp://127.0.0.1:${nobody}`, '--listen', 'tcp://127.0.0.1:*'])
    const port = Number(await running.writes('out', LISTENING))
    for (let n = 0; n < 2; n += 1) {
      const tool = connect({ host: '127.0.0.1', port })
      const isCut = new Promise((resolve) => tool.once('close', resolve))
      tool.on('error', () => {})
      await isCut
    }
    running.child.kill('SIGTERM')
    expect(await running.exits()).toEqual([0, null])
    expect(running.err).toBe(`! no szmq server answers at tcp://127.0.0.1:${nobody}: is it running, and is this its address?\n`)
  })

  it('warns when other machines can reach it', async () => {
    const running = new Running([...TO, '--listen', 'tcp://0.0.0.0:*'])
    await running.writes('err', /! tcp:\/\/0\.0\.0\.0:\d+ is open to other machines/)
    running.child.kill('SIGINT')
    expect(await running.exits()).toEqual([0, null])
  })
})

describe('docs/bridge.md', () => {
  const page = readFile(fileURLToPath(new URL('../../docs/bridge.md', import.meta.url)), 'utf8')

  it('has a row for each option', async () => {
    const { out } = await szmq('bridge', '--help')
    const options = [...out.matchAll(/^ {2}(--[a-z-]+(?: <\w+>)?)/gm)].map(([, option = '']) => option)
    expect(options).toHaveLength(7)
    for (const option of options) expect(await page).toContain(`| \`${option}\``)
  })

  it('shows what its commands show', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'szmq-bridge-docs-'))
    onTestFinished(() => rm(folder, { recursive: true }))
    const pki = join(folder, 'pki')
    await szmq('pki', 'init', '--folder', pki)
    for (const name of ['node-a', 'node-b']) await szmq('pki', 'issue', name, '--folder', pki)
    const node = { name: 'node-a', listen: 'tcp://127.0.0.1:*', tls: filesOf(pki, 'node-a') }
    await using system = await startSystem({ name: 'shop', onEvent: () => {}, node })
    await using bridge = await bridgeTo(`tcp://${new URL(system.address ?? '').host}`)
    const shown = [...(await page).matchAll(/^```sh\n(.*?)^```\n\n```text\n(.*?)^```/gms)]
    expect(shown).toHaveLength(3)
    for (const [, commands = '', lines = ''] of shown) {
      const [host, port = ''] = bridge.authority.split(':')
      const script = commands.trim().replaceAll('127.0.0.1:8443', bridge.authority).replaceAll('-p 8443', `-p ${port}`)
      expect(host).toBe('127.0.0.1')
      // Who is let in stays until its input ends; who is refused ends by itself.
      const input = commands.includes(' -cert ') ? ' </dev/null' : ''
      const ran = await run('sh', ['-c', script.replaceAll(/$/gm, `${input} 2>&1`)], { cwd: folder })
      for (const line of lines.trim().split('\n')) expect(ran.out).toContain(line)
    }
  })
})
