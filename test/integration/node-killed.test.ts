import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { ensureDevelopmentCredentials, startSystem, type SystemEvent } from '../../src/index.ts'
import { Counter, Forwarder } from '../support/actors/counter.ts'

it('tells every thread when a node was killed, and links to its successor', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'szmq-killed-'))
  const files = await ensureDevelopmentCredentials({ folder, names: ['a', 'b'] })
  const startChild = async () => {
    const child = fork(new URL('../support/node-process.ts', import.meta.url), { execArgv: ['--import', 'tsx'] })
    child.send(files.b)
    const [address] = (await once(child, 'message')) as [string]
    return { child, address }
  }
  const events: SystemEvent[] = []
  const system = await startSystem({
    name: 'shop',
    threads: 1,
    onEvent: (event) => events.push(event),
    node: { name: 'a', tls: files.a, link: { heartbeatMs: 100, silenceMs: 1_000 } },
  })
  const first = await startChild()
  try {
    const far = await system.resolve(Counter, `${first.address}/there`)
    const forwarder = system.spawn(Forwarder, 'f', { thread: 1 })
    forwarder.tell.to(far)
    expect(await forwarder.ask.done()).toBe(0)
    const waitingHere = far.ask.slow(60_000)
    waitingHere.catch(() => {})
    first.child.kill('SIGKILL')
    // Asked on a worker thread, which hears of the loss through the host.
    await expect(forwarder.ask.done({ timeoutMs: 15_000 })).rejects.toMatchObject({ message: expect.stringContaining('lost') })
    await expect(waitingHere).rejects.toMatchObject({ code: 'ERR_SZMQ_NODE_LOST' })
    await expect(far.ask.total()).rejects.toMatchObject({ code: 'ERR_SZMQ_NODE_LOST' })
    expect(events.some((event) => event.kind === 'link.down' && event.peer === 'b')).toBe(true)

    const second = await startChild()
    const successor = await system.resolve(Counter, `${second.address}/there`)
    successor.tell.add(7)
    expect(await successor.ask.total()).toBe(7)
    second.child.kill('SIGKILL')
  } finally {
    first.child.kill('SIGKILL')
    await system.stop()
    await rm(folder, { recursive: true })
  }
}, 30_000)
