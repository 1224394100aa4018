import { startSystem } from 'szmq'
import type { Contender, Session } from '../contender.ts'
import { Target } from './szmq-actors.ts'
import { openSender } from './szmq-sender.ts'

export const szmqThread: Contender = {
  name: 'szmq',
  about: 'ref.tell.message(message) to an actor on a worker thread; round trips by ref.ask',
  setup: openSession,
}

async function openSession(): Promise<Session> {
  const system = await startSystem({ name: 'bench', threads: 1 })
  return openSender(system, system.spawn(Target, 'target', { thread: 1 }), () => system.stop())
}
