import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { createIncarnation } from '../../src/actors/node-links.driver.ts'
import { RUNTIME_ID, Signal } from '../../src/actors/signal.ts'
import {
  ensureDevelopmentCredentials,
  startSystem,
  SzmqError,
  type Access,
  type ActorSystem,
  type AuthorizePeer,
  type PeerIdentity,
  type SystemEvent,
} from '../../src/index.ts'
import {
  connectToNode,
  createMessageCodec,
  createNodeEngines,
  readNodeCredentials,
  type LinkEvent,
  type NodeEngines,
  type NodeLink,
} from '../../src/transport/index.ts'
import { Counter } from '../support/actors/counter.ts'
import { Witness } from '../support/actors/witness.ts'

type X509Credentials = Awaited<ReturnType<typeof readNodeCredentials>>
const codec = createMessageCodec()
type Name = 'host' | 'alice' | 'mallory'
let folder: string
let files: Awaited<ReturnType<typeof ensureDevelopmentCredentials<Name>>>

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'szmq-authorization-'))
  files = await ensureDevelopmentCredentials({ folder, names: ['host', 'alice', 'mallory'] })
})
afterAll(() => rm(folder, { recursive: true }))

interface Started {
  readonly system: ActorSystem
  readonly events: SystemEvent[]
  readonly address: string
  of<Kind extends SystemEvent['kind']>(kind: Kind): Extract<SystemEvent, { kind: Kind }>[]
}

async function start(name: Name, authorize?: AuthorizePeer, threads = 0): Promise<Started> {
  const events: SystemEvent[] = []
  const system = await startSystem({
    name: 'shop',
    threads,
    onEvent: (event) => events.push(event),
    node: { name, listen: 'tcp://127.0.0.1:*', tls: files[name], ...(authorize === undefined ? {} : { authorize }) },
  })
  return {
    system,
    events,
    address: system.address ?? '',
    of: <Kind extends SystemEvent['kind']>(kind: Kind) =>
      events.filter((event): event is Extract<SystemEvent, { kind: Kind }> => event.kind === kind),
  }
}

/** What each of them may do. */
function by(table: Partial<Record<Name, Access>>): AuthorizePeer {
  return ({ subject }) => table[subject as Name] ?? false
}

const refusedForUs = { code: 'ERR_SZMQ_NOT_AUTHORIZED' }

describe('the peer of a message', () => {
  for (const thread of [0, 1]) {
    it(`is who TLS says, for tells and asks, at an actor on thread ${thread}, also after an await`, async () => {
      const host = await start('host', undefined, 1)
      const alice = await start('alice', undefined, 1)
      const mallory = await start('mallory')
      await using _stop = stopping(alice, mallory, host)
      const own = host.system.spawn(Witness, 'w', { thread })
      const byAlice = await alice.system.resolve(Witness, `${host.address}/w`)
      const byMallory = await mallory.system.resolve(Witness, `${host.address}/w`)
      expect(await own.ask.who()).toBe('nobody')
      expect(await byAlice.ask.whoAfterwards()).toBe('alice')
      expect(await Promise.all([byAlice.ask.whoLater(30), byMallory.ask.whoLater(1), own.ask.whoLater(1)])).toEqual([
        'alice',
        'mallory',
        'nobody',
      ])
      byAlice.tell.note('a')
      expect(await byAlice.ask.who()).toBe('alice')
      byMallory.tell.note('m')
      expect(await byMallory.ask.who()).toBe('mallory')
      own.tell.note('o')
      await vi.waitUntil(async () => (await own.ask.notes()).length === 4)
      expect((await own.ask.notes()).toSorted()).toEqual(['a by alice', 'afterwards alice', 'm by mallory', 'o by nobody'])
      byMallory.tell.boom()
      await vi.waitUntil(() => host.of('actor.failed').length === 1)
      expect(host.of('actor.failed')[0]?.peer?.subject).toBe('mallory')
      byMallory.tell.note(5 as unknown as string)
      await vi.waitUntil(() => host.of('deadLetter').length === 1)
      expect(host.of('deadLetter')[0]?.letter).toMatchObject({
        reason: 'bad-message',
        peer: { verifiedBy: 'x509', subject: 'mallory' },
      })
    })
  }

  it('is forgotten with its link, and known again with the next one', async () => {
    const host = await start('host', undefined, 1)
    await using _stop = stopping(host)
    const own = host.system.spawn(Witness, 'w', { thread: 1 })
    for (const name of ['alice', 'mallory', 'alice'] as const) {
      const guest = await start(name)
      const far = await guest.system.resolve(Witness, `${host.address}/w`)
      expect(await far.ask.who()).toBe(name)
      await guest.system.stop()
    }
    expect(await own.ask.who()).toBe('nobody')
    await vi.waitUntil(() => host.of('link.down').length === 3)
    expect(host.of('link.down').map(({ identity }) => identity?.subject)).toEqual(['alice', 'mallory', 'alice'])
  })
})

describe('a peer that authorize refuses', () => {
  it('hears so instead of waiting, when it calls; and we hear why', async () => {
    const asked: PeerIdentity[] = []
    const host = await start('host', (identity) => {
      asked.push(identity)
      return identity.subject === 'alice' || 'its contract has ended'
    })
    const alice = await start('alice')
    const mallory = await start('mallory')
    await using _stop = stopping(alice, mallory, host)
    host.system.spawn(Counter, 'c')
    const far = await alice.system.resolve(Counter, `${host.address}/c`)
    for (let attempt = 0; attempt < 2; attempt += 1) {
      await expect(mallory.system.resolve(Counter, `${host.address}/c`, { timeoutMs: 10_000 })).rejects.toMatchObject(
        refusedForUs,
      )
    }
    expect(await far.ask.total()).toBe(0)
    expect(host.of('link.refused')[0]).toMatchObject({
      peer: 'mallory',
      identity: { subject: 'mallory', verifiedBy: 'x509' },
      code: 'ERR_SZMQ_NOT_AUTHORIZED',
      reason: expect.stringContaining('its contract has ended'),
    })
    const told = mallory.of('link.down').map(({ reason, code }) => `${reason} ${code}`)
    expect(told.join()).not.toContain('contract')
    expect(asked.map(({ subject }) => subject)).toEqual(['alice', ...asked.slice(1).map(() => 'mallory')])
    expect(host.system.links().map(({ peer, identity, access }) => [peer, identity.subject, access])).toEqual([
      ['alice', 'alice', 'everything'],
    ])
    await vi.waitUntil(() => host.of('link.down').length >= 1)
    expect(host.of('link.down')[0]).toMatchObject({ identity: { subject: 'mallory' }, code: 'ERR_SZMQ_NOT_AUTHORIZED' })
  })

  it('is not called either: the resolve fails with the reason', async () => {
    const mallory = await start('mallory')
    const host = await start('host', by({ mallory: 'not those' }))
    await using _stop = stopping(host, mallory)
    mallory.system.spawn(Counter, 'c')
    await expect(host.system.resolve(Counter, `${mallory.address}/c`)).rejects.toMatchObject({
      code: 'ERR_SZMQ_NOT_AUTHORIZED',
      message: expect.stringContaining('not those'),
    })
    expect(host.system.links()).toEqual([])
    expect(mallory.of('deadLetter')).toEqual([])
  })

  it.each<[string, unknown]>([
    ['with a bad rule', { allow: [{ path: 'shop/c*' }] }],
    ['later', Promise.resolve(true)],
    ['with nothing', undefined],
  ])('is one about whom it answers %s', async (_what, answer) => {
    const host = await start('host', () => answer as Access)
    const alice = await start('alice')
    await using _stop = stopping(alice, host)
    await expect(alice.system.resolve(Counter, `${host.address}/c`)).rejects.toMatchObject(refusedForUs)
    expect(host.of('link.refused')[0]).toMatchObject({ identity: { subject: 'alice' }, code: 'ERR_SZMQ_INVALID_ARGUMENT' })
  })
})

describe('a peer whose certificate is renewed while it is linked', () => {
  it.each<[string, Access, string]>([
    ['less', { allow: [] }, 'ERR_SZMQ_NOT_AUTHORIZED'],
    ['nothing', 'the new one is not registered', 'link.refused'],
  ])('is judged anew after the reset that brings it, and may reach %s', async (_what, second, expected) => {
    const [before, after] = await renewedCredentials()
    const fingerprints: string[] = []
    const host = await start('host', (identity) => {
      fingerprints.push(identity.verifiedBy === 'x509' ? identity.fingerprint256 : '')
      return fingerprints.length === 1 || second
    })
    await using _stop = stopping(host)
    const { id } = host.system.spawn(Counter, 'c').address
    let breakOff: () => void = () => {}
    let epochs = 0
    const first = createNodeEngines(before)
    const engines: NodeEngines = {
      server: first.server,
      client: (serverName) => (listener) => {
        breakOff = () => {
          listener({ kind: 'failed', error: new SzmqError('ERR_SZMQ_BAD_RECORD', 'broken off for a test') })
        }
        epochs += 1
        return (epochs === 1 ? first : createNodeEngines(after)).client(serverName)(listener)
      },
    }
    const { nodeLink, answers, isDown } = await connectHostile(host, 'mallory', undefined, engines)
    const askTotal = [id, 33 + 2, undefined, 7]
    nodeLink.link.send(0, 0, codec.encode(askTotal))
    await vi.waitUntil(() => answers.length === 1)
    breakOff()
    await vi.waitUntil(() => fingerprints.length === 2, { timeout: 10_000 })
    expect(fingerprints[0]).not.toBe(fingerprints[1])
    if (expected === 'link.refused') {
      await vi.waitUntil(isDown, { timeout: 10_000 })
      expect(host.of('link.refused')).toMatchObject([{ identity: { fingerprint256: fingerprints[1] } }])
      expect(host.system.links()).toEqual([])
    } else {
      await vi.waitUntil(() => nodeLink.link.send(0, 0, codec.encode(askTotal)))
      await vi.waitUntil(() => answers.length === 2)
      expect(answers.map(({ code }) => code)).toEqual([undefined, expected])
      expect(host.system.links()).toMatchObject([{ identity: { fingerprint256: fingerprints[1] }, access: [] }])
      expect(host.of('link.resumed')).toMatchObject([{ identity: { fingerprint256: fingerprints[1] } }])
      nodeLink.link.close()
      await vi.waitUntil(isDown)
    }
    expect((await host.system.stats()).handled).toBe(1)
    nodeLink.dispose()
  })
})

describe('a peer with rules', () => {
  for (const thread of [0, 1]) {
    it(`reaches what they allow on thread ${thread}, and learns nothing about the rest`, async () => {
      const allow = [{ path: 'shop/open' }, { path: 'shop/some', messages: ['add'] }]
      const host = await start('host', by({ alice: { allow } }), 1)
      const alice = await start('alice')
      await using _stop = stopping(alice, host)
      for (const name of ['open', 'some', 'closed']) host.system.spawn(Counter, name, { thread })
      const open = await alice.system.resolve(Counter, `${host.address}/open`)
      const some = await alice.system.resolve(Counter, `${host.address}/some`)
      const answers = []
      for (const path of ['closed', 'nobody']) {
        const failure = await alice.system.resolve(Counter, `${host.address}/${path}`).catch((error: unknown) => error)
        expect(failure).toMatchObject(refusedForUs)
        answers.push((failure as Error).message)
      }
      expect(answers[0]).toBe(answers[1])
      for (const ref of [open, some]) ref.tell.add(1)
      expect(await open.ask.total()).toBe(1)
      await expect(some.ask.total()).rejects.toMatchObject(refusedForUs)
      some.tell.note('x')
      await vi.waitUntil(() => host.of('deadLetter').length === 2)
      for (const { letter } of host.of('deadLetter')) {
        expect(letter).toMatchObject({ reason: 'not-authorized', to: '/some', peer: { subject: 'alice' } })
      }
      const [there, here] = await Promise.all([host.system.stats(), alice.system.stats()])
      expect(there.deadLettersByReason).toEqual({ 'not-authorized': 2 })
      expect(here.sent + there.sent).toBe(here.handled + there.handled + here.deadLetters + there.deadLetters)
      expect(host.system.links()[0]).toMatchObject({ identity: { subject: 'alice' }, access: allow })
    })
  }

  it('gains nothing by a ref that travels to it, and still answers us', async () => {
    const host = await start('host', by({ alice: { allow: [] } }), 1)
    const alice = await start('alice')
    await using _stop = stopping(alice, host)
    const witness = alice.system.spawn(Witness, 'w')
    const secret = host.system.spawn(Counter, 'secret', { thread: 1 })
    const far = await host.system.resolve(Witness, `${alice.address}/w`)
    expect(await far.ask.who()).toBe('host')
    far.tell.use(secret)
    await expect(far.ask.used()).rejects.toMatchObject({ code: 'ERR_SZMQ_HANDLER_FAILED' })
    expect(await secret.ask.total()).toBe(0)
    expect(await witness.ask.who()).toBe('nobody')
    expect((await host.system.stats()).deadLettersByReason).toEqual({ 'not-authorized': 1 })
  })
})

describe('a hostile peer with rules', () => {
  it('reaches no actor by guessing ids, no thread and no runtime by signals, and gets the same answer from all', async () => {
    const host = await start('host', by({ mallory: { allow: [{ path: 'shop/open', messages: ['total'] }] } }), 1)
    await using _stop = stopping(host)
    const ids = []
    for (const [at, thread] of [0, 1].entries()) {
      ids.push(
        host.system.spawn(Counter, `closed${at}`, { thread }).address.id,
        host.system.spawn(Counter, `open${at}`, { thread }).address.id,
      )
    }
    const { nodeLink, answers, isDown } = await connectHostile(host, 'mallory')
    const targets = [...ids, 1, 999_999, 2 ** 40]
    for (const thread of [0, 1]) {
      for (const target of targets) {
        // A tell and an ask of each selector, whatever they mean there.
        const batch = [16, 17, 18, 25, 999].flatMap((selector) => [target, selector * 2, 1, target, selector * 2 + 1, 1, 7])
        expect(nodeLink.link.send(thread, 3, codec.encode(batch))).toBe(true)
      }
      const signals = Object.values(Signal).filter((signal) => signal !== Signal.answer && signal !== Signal.failure)
      const payload = {
        id: 6400,
        path: '/x',
        moduleUrl: Counter.moduleUrl,
        name: 'counter',
        node: 'x',
        reason: 'x',
        system: 'shop',
      }
      const forged = signals.flatMap((signal) => [RUNTIME_ID, signal * 2, payload, RUNTIME_ID, signal * 2 + 1, payload, 8])
      expect(nodeLink.link.send(thread, 3, codec.encode(forged))).toBe(true)
    }
    const expected = 2 * (targets.length * 5 + Object.values(Signal).length - 2)
    await vi.waitUntil(() => answers.length === expected)
    expect([...new Set(answers.filter(({ id }) => id === 7).map((answer) => JSON.stringify(answer)))]).toHaveLength(1)
    expect(answers.find(({ id }) => id === 7)?.code).toBe('ERR_SZMQ_NOT_AUTHORIZED')
    expect(new Set(answers.filter(({ id }) => id === 8).map(({ code }) => code))).toEqual(
      new Set(['ERR_SZMQ_UNKNOWN_MESSAGE', 'ERR_SZMQ_NOT_AUTHORIZED']),
    )
    const { handled, actors, deadLetters } = await host.system.stats()
    expect([handled, actors, deadLetters]).toEqual([0, 4, 2 * targets.length * 10])
    expect(host.of('deadLetter').every(({ letter }) => letter.peer?.subject === 'mallory')).toBe(true)
    expect(isDown()).toBe(false)
    nodeLink.link.close()
    await vi.waitUntil(isDown)
    nodeLink.dispose()
  })

  it('borrows nobody by naming another node: neither its rules nor its name', async () => {
    const asked: string[] = []
    const host = await start('host', ({ subject }) => {
      asked.push(subject)
      return subject === 'alice' || { allow: [] }
    })
    const alice = await start('alice')
    await using _stop = stopping(alice, host)
    const witness = host.system.spawn(Witness, 'w')
    const far = await alice.system.resolve(Witness, `${host.address}/w`)
    const aliceNode = alice.system.spawn(Counter, 'c').address.node
    const digest = aliceNode.slice(aliceNode.indexOf('.'))
    // What is sent in front of the link's end must not arrive either.
    for (const incarnation of [aliceNode, `x${digest}`, 'plain', `/0${digest}`]) {
      const { nodeLink, isDown } = await connectHostile(host, 'mallory', incarnation)
      nodeLink.link.send(0, 0, codec.encode([witness.address.id, 32, 'forged']))
      await vi.waitUntil(isDown)
      nodeLink.dispose()
    }
    expect(host.of('link.refused').map(({ code, identity }) => `${code} ${identity.subject}`)).toEqual(
      Array.from({ length: 4 }, () => 'ERR_SZMQ_WRONG_NAME mallory'),
    )
    expect(asked).toEqual(['alice'])
    expect(await far.ask.notes()).toEqual([])
    expect(await far.ask.who()).toBe('alice')
  })

  it('that says it refuses us loses its own link, and nobody else notices', async () => {
    const host = await start('host')
    const alice = await start('alice')
    await using _stop = stopping(alice, host)
    host.system.spawn(Counter, 'c')
    const far = await alice.system.resolve(Counter, `${host.address}/c`)
    const { nodeLink, isDown } = await connectHostile(host, 'mallory')
    nodeLink.link.send(255, 0, codec.encode([1, 32, 'whatever']))
    await vi.waitUntil(isDown)
    nodeLink.dispose()
    expect(await far.ask.total()).toBe(0)
    expect(host.system.links().map(({ peer }) => peer)).toEqual(['alice'])
  })
})

interface Answer {
  readonly id: unknown
  readonly code: unknown
  readonly message: unknown
}

/** A peer with a good certificate that then sends whatever it likes over its link, and what it is answered. */
async function connectHostile(
  { address }: Started,
  name: Name,
  incarnation?: string,
  engines?: NodeEngines,
): Promise<{ nodeLink: NodeLink; answers: Answer[]; isDown: () => boolean }> {
  const credentials = await readNodeCredentials(files[name])
  const answers: Answer[] = []
  let hasEnded = false
  const own = createIncarnation('h'.repeat(24), credentials.identity)
  const nodeLink = await new Promise<NodeLink>((resolve) => {
    const options = {
      host: '127.0.0.1',
      port: Number(new URL(address).port),
      engines: engines ?? createNodeEngines(credentials),
      local: { name: 'hostile', incarnation: incarnation ?? own },
    }
    const made = connectToNode(options, (event: LinkEvent) => {
      if (event.kind === 'up') resolve(made)
      else if (event.kind === 'down') hasEnded = true
      else if (event.kind === 'batch') {
        const values = codec.decode(event.body)
        for (let at = 0; at + 3 < values.length; at += 4) {
          const { code, message } = (values[at + 2] ?? {}) as { code?: unknown; message?: unknown }
          answers.push({ id: values[at + 3], code, message })
        }
        made.link.delivered(event.sequence)
      }
    })
  })
  return { nodeLink, answers, isDown: () => hasEnded }
}

/** Two certificates of mallory, one after the other: another key, the same names. */
async function renewedCredentials(): Promise<[X509Credentials, X509Credentials]> {
  const before = await readNodeCredentials(files.mallory)
  await Promise.all([rm(files.mallory.certFile), rm(files.mallory.keyFile)])
  await ensureDevelopmentCredentials({ folder, names: ['mallory'] })
  return [before, await readNodeCredentials(files.mallory)]
}

/** Stops them in that order. */
function stopping(...started: readonly Started[]): AsyncDisposable {
  return {
    [Symbol.asyncDispose]: async () => {
      for (const { system } of started) await system.stop()
    },
  }
}
