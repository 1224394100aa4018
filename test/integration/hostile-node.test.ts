import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { createIncarnation } from '../../src/actors/node-links.driver.ts'
import { ensureDevelopmentCredentials, startSystem, type SystemEvent } from '../../src/index.ts'
import { systemRandom } from '../../src/shared/system-random.driver.ts'
import {
  connectToNode,
  createNodeEngines,
  readNodeCredentials,
  type LinkEvent,
  type NodeLink,
} from '../../src/transport/index.ts'
import { Counter } from '../support/actors/counter.ts'

let folder: string
let files: Awaited<ReturnType<typeof ensureDevelopmentCredentials<'honest' | 'hostile' | 'victim'>>>

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'szmq-hostile-'))
  files = await ensureDevelopmentCredentials({ folder, names: ['honest', 'hostile', 'victim'] })
})
afterAll(() => rm(folder, { recursive: true }))

/** A peer with a good certificate that then sends whatever it likes over its link. */
async function connectHostile(port: number, incarnation?: string): Promise<{ nodeLink: NodeLink; down: Promise<LinkEvent> }> {
  const credentials = await readNodeCredentials(files.hostile)
  const own = createIncarnation('h'.repeat(24), credentials.identity)
  let isDown: (event: LinkEvent) => void
  const down = new Promise<LinkEvent>((resolve) => {
    isDown = resolve
  })
  const nodeLink = await new Promise<NodeLink>((resolve) => {
    const made = connectToNode(
      {
        host: '127.0.0.1',
        port,
        engines: createNodeEngines(credentials),
        local: { name: 'hostile', incarnation: incarnation ?? own },
      },
      (event) => {
        if (event.kind === 'up') resolve(made)
        if (event.kind === 'down') isDown(event)
      },
    )
  })
  return { nodeLink, down }
}

describe('a node with a good certificate and bad manners', () => {
  for (const thread of [0, 1]) {
    it(`loses its link for garbage to thread ${thread}, and nobody else notices`, async () => {
      const events: SystemEvent[] = []
      await using victim = await startSystem({
        name: 'shop',
        threads: 1,
        onEvent: (event) => events.push(event),
        node: { name: 'victim', listen: 'tcp://127.0.0.1:*', tls: files.victim },
      })
      victim.spawn(Counter, 'c', { thread })
      await using honest = await startSystem({ name: 'shop', node: { name: 'honest', tls: files.honest } })
      const far = await honest.resolve(Counter, `${victim.address}/c`)
      const port = Number(new URL(victim.address ?? '').port)
      const garbage = [
        Uint8Array.of(0xdd, 0xff, 0xff, 0xff, 0xff),
        Uint8Array.of(0xc1),
        systemRandom.bytes(1_000),
        new Uint8Array(0),
      ]
      for (const body of garbage) {
        const { nodeLink, down } = await connectHostile(port)
        expect(nodeLink.link.send(thread, 0, body)).toBe(true)
        expect((await down).kind).toBe('down')
        nodeLink.dispose()
        far.tell.add(1)
      }
      expect(await far.ask.total()).toBe(garbage.length)
      expect(events.filter(({ kind }) => kind === 'thread.lost')).toEqual([])
    }, 20_000)
  }

  it('cannot speak for another node: an incarnation belongs to its certificate', async () => {
    const events: SystemEvent[] = []
    await using victim = await startSystem({
      name: 'shop',
      onEvent: (event) => events.push(event),
      node: { listen: 'tcp://127.0.0.1:*', tls: files.victim },
    })
    victim.spawn(Counter, 'c')
    await using honest = await startSystem({ name: 'shop', node: { name: 'honest', tls: files.honest } })
    const ref = honest.spawn(Counter, 'mine')
    const far = await honest.resolve(Counter, `${victim.address}/c`)
    const { nodeLink, down } = await connectHostile(Number(new URL(victim.address ?? '').port), ref.address.node)
    await down
    nodeLink.dispose()
    await vi.waitUntil(() => events.some((event) => event.kind === 'link.down' && event.code === 'ERR_SZMQ_WRONG_NAME'))
    expect(await far.ask.total()).toBe(0)
    expect(victim.links().map(({ peer }) => peer)).toEqual(['honest'])
  }, 20_000)

  it('gets an answer, not silence, from refs to nodes that are not there', async () => {
    await using victim = await startSystem({ name: 'shop', node: { listen: 'tcp://127.0.0.1:*', tls: files.victim } })
    victim.spawn(Counter, 'c')
    const honest = await startSystem({ name: 'shop', node: { tls: files.honest } })
    const far = await honest.resolve(Counter, `${victim.address}/c`)
    expect(await far.ask.total()).toBe(0)
    await victim.stop()
    for (let attempt = 0; attempt < 2; attempt += 1) {
      await expect(far.ask.total({ timeoutMs: 15_000 })).rejects.toMatchObject({ code: 'ERR_SZMQ_NODE_LOST' })
    }
    await honest.stop()
  }, 30_000)
})
