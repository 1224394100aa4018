import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ensureDevelopmentCredentials, startSystem, type ActorSystem, type SystemEvent } from '../../src/index.ts'
import { Counter, Forwarder } from '../support/actors/counter.ts'

let folder: string
let files: Awaited<ReturnType<typeof ensureDevelopmentCredentials<'a' | 'b'>>>

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'szmq-nodes-'))
  files = await ensureDevelopmentCredentials({ folder, names: ['a', 'b'] })
})
afterAll(() => rm(folder, { recursive: true }))

function startNode(name: 'a' | 'b', threads = 0, onEvent: (event: SystemEvent) => void = () => {}): Promise<ActorSystem> {
  return startSystem({ name: 'shop', threads, onEvent, node: { name, listen: 'tcp://127.0.0.1:*', tls: files[name] } })
}

describe('actors on two nodes', () => {
  it('tells and asks over mutual TLS 1.3', async () => {
    await using b = await startNode('b')
    await using a = await startNode('a')
    b.spawn(Counter, 'c1')
    const far = await a.resolve(Counter, `${b.address}/c1`)
    far.tell.add(2)
    far.tell.add(3)
    expect(await far.ask.total({ timeoutMs: 5_000 })).toBe(5)
    const [link] = a.links()
    expect(link).toMatchObject({ peer: 'b', tls: { version: 'TLSv1.3' } })
    expect(link?.tls.peer.names).toContain('IP Address:127.0.0.1')
    expect(b.links()[0]).toMatchObject({ peer: 'a', tls: { version: 'TLSv1.3' } })
  })

  it('goes from a thread of one node to a thread of the other, in order, and refs travel in messages', async () => {
    await using b = await startNode('b', 1)
    await using a = await startNode('a', 1)
    b.spawn(Counter, 'c1', { thread: 1 })
    const far = await a.resolve(Counter, `${b.address}/c1`)
    const forwarder = a.spawn(Forwarder, 'f', { thread: 1 })
    forwarder.tell.to(far)
    forwarder.tell.burst(30_000)
    expect(await forwarder.ask.done()).toBe(30_000)
    expect((await far.ask.notes()).every((note, at) => note === `${at}`)).toBe(true)
    const [counted, there] = await Promise.all([a.stats(), b.stats()])
    expect(counted.sent + there.sent).toBe(counted.handled + there.handled + counted.deadLetters + there.deadLetters)
  })

  it('says what is wrong with an address', async () => {
    await using b = await startNode('b')
    await using a = await startNode('a')
    await expect(a.resolve(Counter, `${b.address}/nobody`)).rejects.toMatchObject({ code: 'ERR_SZMQ_NO_SUCH_ACTOR' })
    await expect(a.resolve(Counter, 'http://x')).rejects.toMatchObject({ code: 'ERR_SZMQ_INVALID_ENDPOINT' })
    b.spawn(Forwarder, 'f')
    await expect(a.resolve(Counter, `${b.address}/f`)).rejects.toMatchObject({ code: 'ERR_SZMQ_PROTOCOL_MISMATCH' })
    await expect(a.resolve(Counter, `${b.address?.replace('shop', 'other')}/f`)).rejects.toMatchObject({
      code: 'ERR_SZMQ_NO_SUCH_ACTOR',
    })
  })

  it('refuses a message that does not fit its schema where it enters the process', async () => {
    await using b = await startNode('b')
    await using a = await startNode('a')
    b.spawn(Counter, 'c1')
    const far = await a.resolve(Counter, `${b.address}/c1`)
    far.tell.add('two' as unknown as number)
    expect(await far.ask.total()).toBe(0)
    await expect(far.ask.slow('x' as unknown as number)).rejects.toMatchObject({ code: 'ERR_SZMQ_BAD_MESSAGE' })
    expect((await b.stats()).deadLettersByReason).toEqual({ 'bad-message': 2 })
  })

  it('tells who waits when the other node goes', async () => {
    const events: SystemEvent[] = []
    const b = await startNode('b')
    await using a = await startNode('a', 1, (event) => events.push(event))
    b.spawn(Counter, 'c1')
    const far = await a.resolve(Counter, `${b.address}/c1`)
    const waiting = far.ask.slow(60_000)
    waiting.catch(() => {})
    await b.stop()
    await expect(waiting).rejects.toMatchObject({ code: expect.stringMatching(/NODE_LOST|STOPPED/) })
    await expect(far.ask.total()).rejects.toMatchObject({ code: 'ERR_SZMQ_NODE_LOST' })
    far.tell.add(1)
    expect(events.map(({ kind }) => kind)).toContain('link.down')
  }, 20_000)

  it('refuses a port in use, and certificates of another CA, with one error that names it', async () => {
    await using b = await startNode('b')
    const endpoint = `tcp://${new URL(b.address ?? '').host}`
    await expect(startSystem({ name: 'x', node: { listen: endpoint, tls: files.a } })).rejects.toMatchObject({
      code: 'ERR_SZMQ_ADDRESS_IN_USE',
    })
    const stranger = await ensureDevelopmentCredentials({ folder: join(folder, 'strangers'), names: ['s'] })
    await using s = await startSystem({ name: 's', node: { tls: stranger.s } })
    await expect(s.resolve(Counter, `${b.address}/c1`)).rejects.toMatchObject({ code: 'ERR_SZMQ_UNKNOWN_CA' })
    await using mixed = await startSystem({ name: 'm', node: { tls: { ...stranger.s, caFile: files.a.caFile } } })
    await expect(mixed.resolve(Counter, `${b.address}/c1`)).rejects.toMatchObject({ code: 'ERR_SZMQ_REFUSED_BY_PEER' })
    await using a = await startNode('a')
    b.spawn(Counter, 'c1')
    expect(await (await a.resolve(Counter, `${b.address}/c1`)).ask.total()).toBe(0)
  })

  it('keeps talking when both nodes linked to each other, and when one link goes by another address', async () => {
    await using b = await startNode('b')
    await using a = await startNode('a')
    a.spawn(Counter, 'c')
    b.spawn(Counter, 'c')
    const farB = await a.resolve(Counter, `${b.address}/c`)
    const farA = await b.resolve(Counter, `${a.address}/c`)
    const alsoB = await a.resolve(Counter, `${b.address?.replace('127.0.0.1', 'localhost')}/c`)
    for (const far of [farA, farB, alsoB]) far.tell.add(1)
    expect(await farA.ask.total()).toBe(1)
    expect(await alsoB.ask.total()).toBe(2)
    expect(await farB.ask.total()).toBe(2)
  })

  it('gives a resolve up at its deadline and its signal, and refuses a wrong limit before it listens', async () => {
    await using a = await startNode('a')
    const nobody = 'szmq://127.0.0.1:9/shop/c'
    await expect(a.resolve(Counter, nobody, { timeoutMs: 50 })).rejects.toMatchObject({ code: 'ERR_SZMQ_ASK_TIMEOUT' })
    await expect(a.resolve(Counter, nobody, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'ERR_SZMQ_ABORTED',
    })
    await expect(startSystem({ name: 'x', node: { tls: files.a, link: { silenceMs: 0 } } })).rejects.toMatchObject({
      code: 'ERR_SZMQ_INVALID_ARGUMENT',
    })
  })
})
