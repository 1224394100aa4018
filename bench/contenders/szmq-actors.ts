import { ask, defineActor, refTo, tell, type ActorRef } from 'szmq'
import { z } from 'zod'
import { Counter, type Message } from '../payload.ts'
import type { Answer, Command } from '../protocol.ts'
import { Receiver } from '../receiver.ts'

const message = z.object({ payload: z.custom<Uint8Array>((value) => value instanceof Uint8Array) })

/** At the sender: hears what the target answers. Lives where the measuring code is, so it may call it. */
export const Sink = defineActor(import.meta, {
  name: 'sink',
  protocol: { answer: tell(z.custom<Answer>((value) => typeof value === 'object')) },
  state: () => ({ listen: heard }),
  on: {
    answer: ({ listen }, answer) => {
      listen(answer)
    },
  },
})

let listener: (answer: Answer) => void = () => {}

function heard(answer: Answer): void {
  listener(answer)
}

/** Everything that sinks of this thread hear goes to `to` from now on. */
export function listenAtSink(to: (answer: Answer) => void): void {
  listener = to
}

/** The receiving end, on another thread or node. */
export const Target = defineActor(import.meta, {
  name: 'target',
  protocol: {
    answerTo: tell(refTo(() => Sink)),
    command: tell(z.custom<Command>((value) => typeof value === 'object')),
    message: tell(message),
    echo: ask(message, message),
  },
  state: () => {
    const state = { sink: undefined as ActorRef<(typeof Sink)['protocol']> | undefined }
    const receiver = new Receiver(
      (answer) => state.sink?.tell.answer(answer),
      () => {},
    )
    return Object.assign(state, { receiver })
  },
  on: {
    answerTo: (state, sink) => {
      state.sink = sink
    },
    command: ({ receiver }, command) => {
      receiver.obey(command)
    },
    message: ({ receiver }, received) => {
      receiver.handle(received)
    },
    echo: (_state, received): Message => received,
  },
})

/** Within a thread: counts, and says when it has counted up to a number. */
export const LocalCounter = defineActor(import.meta, {
  name: 'local-counter',
  protocol: {
    message: tell(message),
    reached: ask(z.void(), z.void()),
    reset: ask(z.void(), z.void()),
    tally: ask(z.void(), z.custom<Counter['tally']>()),
  },
  state: () => ({ counter: new Counter() }),
  on: {
    message: ({ counter }, received) => {
      counter.handle(received)
    },
    reached: () => {},
    reset: (state) => {
      state.counter = new Counter()
    },
    tally: ({ counter }) => counter.tally,
  },
})
