import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { issueInPki } from '../../src/security/pki/issue.driver.ts'
import { initPki } from '../../src/security/pki/init.driver.ts'
import { startSystem, type ActorSystem, type NodeCredentials, type NodeOptions, type SystemEvent } from '../../src/index.ts'
import { Counter } from '../support/actors/counter.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'szmq-node-tls-'))
  await initPki({ folder })
  for (const name of ['a', 'b', 'c']) await issueInPki({ folder, name })
})
afterAll(() => rm(folder, { recursive: true }))

function filesOf(name: string): NodeCredentials & { readonly certFile: string; readonly keyFile: string } {
  return { caFile: join(folder, 'ca.pem'), certFile: join(folder, `${name}.pem`), keyFile: join(folder, `${name}.key`) }
}

/** A node, what it tells, and a way to wait for it. */
class Node {
  readonly events: SystemEvent[] = []
  #wake: () => void = () => {}

  readonly onEvent = (event: SystemEvent): void => {
    this.events.push(event)
    this.#wake()
  }

  async until<Kind extends SystemEvent['kind']>(kind: Kind): Promise<Extract<SystemEvent, { kind: Kind }>> {
    for (;;) {
      const event = this.events.find((each) => each.kind === kind)
      if (event !== undefined) return event as Extract<SystemEvent, { kind: Kind }>
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  start(name: string, options: Partial<NodeOptions> = {}): Promise<ActorSystem> {
    const node = { name, listen: 'tcp://127.0.0.1:*', tls: filesOf(name), ...options }
    return startSystem({ name: 'shop', onEvent: this.onEvent, node })
  }
}

/** What somebody may give who does not have the types. */
function untyped(options: object): Partial<NodeOptions> {
  return options
}

describe('a node', () => {
  // It listened on port 4464: ZeroMQ takes what is left of 16 bits. The others ended in a TypeError.
  it.each([
    ['a port that is none', { listen: 'tcp://127.0.0.1:70000' }, 'ERR_SZMQ_INVALID_ENDPOINT', /ports end at 65535/],
    ['an engine that is none', untyped({ engine: 'boringssl' }), 'ERR_SZMQ_INVALID_ARGUMENT', /give one of openssl, gnutls/],
    ['no credentials', untyped({ tls: undefined }), 'ERR_SZMQ_INVALID_ARGUMENT', /a node has no `tls`/],
  ] as const)('does not start with %s', async (_what, options, code, text) => {
    const start = new Node().start('a', options)
    await expect(start).rejects.toMatchObject({ code, message: expect.stringMatching(text) })
  })
})

describe('the engines of nodes', () => {
  it.each([
    ['openssl', 'gnutls'],
    ['gnutls', 'openssl'],
    ['gnutls', 'gnutls'],
  ] as const)('an %s node links to a %s node', async (ours, theirs) => {
    await using b = await new Node().start('b', { engine: theirs })
    await using a = await new Node().start('a', { engine: ours })
    b.spawn(Counter, 'c1')
    const far = await a.resolve(Counter, `${b.address}/c1`)
    for (let n = 0; n < 1_000; n += 1) far.tell.add(n)
    expect(await far.ask.total()).toBe(499_500)
    expect(a.links()[0]?.tls).toMatchObject({ engine: ours, version: 'TLSv1.3' })
    expect(b.links()[0]?.tls).toMatchObject({ engine: theirs, version: 'TLSv1.3' })
    expect(b.links()[0]?.identity).toMatchObject({ verifiedBy: 'x509', subject: 'a' })
  })

  it('keep to the priority', async () => {
    const priority = 'NORMAL:-CIPHER-ALL:+CHACHA20-POLY1305:-GROUP-ALL:+GROUP-SECP384R1'
    await using b = await new Node().start('b', { priority })
    await using a = await new Node().start('a')
    b.spawn(Counter, 'c1')
    await a.resolve(Counter, `${b.address}/c1`)
    expect(a.links()[0]?.tls).toMatchObject({ cipherSuite: 'TLS_CHACHA20_POLY1305_SHA256', group: 'secp384r1' })
  })

  it('refuse a priority that leaves no TLS 1.3', async () => {
    // A gnutls node began, and failed at each link.
    for (const engine of ['openssl', 'gnutls'] as const) {
      await expect(new Node().start('a', { engine, priority: 'NORMAL:-VERS-TLS1.3' })).rejects.toMatchObject({
        code: 'ERR_SZMQ_INVALID_ARGUMENT',
      })
    }
  })
})

describe.each(['openssl', 'gnutls'] as const)('a certificate that is renewed on disk (%s)', (engine) => {
  it('is shown to new peers, while old links live on; a broken one keeps the last good one and says so', async () => {
    const [server, first] = [new Node(), new Node()]
    await using b = await server.start('b', { engine })
    b.spawn(Counter, 'c1')
    await using a = await first.start('a', { engine })
    const far = await a.resolve(Counter, `${b.address}/c1`)
    const before = a.links()[0]?.identity

    await issueInPki({ folder, name: 'b', force: true })
    const rotated = await server.until('credentials.rotated')
    expect(rotated).toMatchObject({ trustChanged: false, to: { subject: 'b' } })
    far.tell.add(1)
    expect(await far.ask.total()).toBe(1)
    expect(a.links()[0]?.identity).toEqual(before)

    await using c = await new Node().start('c', { engine })
    await c.resolve(Counter, `${b.address}/c1`)
    const shown = c.links()[0]?.identity
    expect(shown).toEqual(rotated.to)
    expect(shown).not.toEqual(before)

    // Half a file, as a writer leaves it that does not write aside.
    const { certFile } = filesOf('b')
    const whole = await readFile(certFile, 'latin1')
    await writeFile(certFile, whole.slice(0, whole.length / 2))
    const refused = await server.until('credentials.refused')
    expect(refused.error).toMatchObject({ code: 'ERR_SZMQ_BAD_CREDENTIALS' })
    await using d = await new Node().start('a', { engine, name: 'd' })
    await d.resolve(Counter, `${b.address}/c1`)
    expect(d.links()[0]?.identity).toEqual(shown)
    far.tell.add(1)
    expect(await far.ask.total()).toBe(2)
    await writeFile(`${certFile}.new`, whole)
    await rename(`${certFile}.new`, certFile)
  })
})
