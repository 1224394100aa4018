import type { ActorRef, ActorSystem } from 'szmq'
import { Sender } from '../sender.ts'
import { listenAtSink, Sink, type Target } from './szmq-actors.ts'

/** The sending half for an actor far away: tells for the stream, asks for the round trips. */
export function openSender(
  system: ActorSystem,
  target: ActorRef<(typeof Target)['protocol']>,
  close: () => Promise<void>,
): Sender {
  let isEchoing = false
  const sender: Sender = new Sender({
    command: (command) => {
      isEchoing = command.kind === 'echo'
      listenAtSink(sender.answered)
      target.tell.command(command)
    },
    send: (message) => {
      if (isEchoing) void target.ask.echo(message).then(sender.echoed)
      else target.tell.message(message)
    },
    close,
  })
  target.tell.answerTo(system.spawn(Sink, 'sink'))
  return sender
}
