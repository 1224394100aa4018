import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ensureDevelopmentCredentials, startSystem } from 'szmq'
import type { Contender, Session } from '../contender.ts'
import { Target } from './szmq-actors.ts'
import { openSender } from './szmq-sender.ts'

export const szmqLink: Contender = {
  name: 'szmq',
  about: 'ref.tell.message(message) to an actor of another process over mutual TLS 1.3 inside ZeroMQ; round trips by ref.ask',
  setup: openSession,
}

async function openSession(): Promise<Session> {
  const folder = await mkdtemp(join(tmpdir(), 'szmq-bench-'))
  const files = await ensureDevelopmentCredentials({ folder, names: ['sender', 'receiver'] })
  const child = fork(new URL('./szmq-link.child.js', import.meta.url), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  child.send(files.receiver)
  const [address] = (await once(child, 'message')) as [string]
  const system = await startSystem({ name: 'bench', node: { tls: files.sender } })
  return openSender(system, await system.resolve(Target, address), async () => {
    const ended = once(child, 'exit')
    await system.stop()
    child.disconnect()
    await ended
    await rm(folder, { recursive: true })
  })
}
