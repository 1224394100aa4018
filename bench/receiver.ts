import { Counter, type Message } from './payload.ts'
import type { Answer, Command } from './protocol.ts'

/** The receiving half of every peer: the handler, and what it reports about it. */
export class Receiver {
  readonly #answer: (answer: Answer) => void
  readonly #echo: (message: Message) => void
  #counter = new Counter()
  #target = 0
  #acknowledgeEvery = 1
  #isEchoing = false

  constructor(answer: (answer: Answer) => void, echo: (message: Message) => void) {
    this.#answer = answer
    this.#echo = echo
  }

  obey(command: Command): void {
    this.#isEchoing = command.kind === 'echo'
    if (command.kind === 'begin') {
      this.#counter = new Counter()
      this.#target = command.count
      this.#acknowledgeEvery = command.acknowledgeEvery
    }
    this.#answer({ kind: 'ready' })
  }

  readonly handle = (message: Message): void => {
    if (this.#isEchoing) {
      this.#echo(message)
      return
    }
    const counter = this.#counter
    counter.handle(message)
    if (counter.messages === this.#target) this.#answer({ kind: 'done', tally: counter.tally })
    else if (counter.messages % this.#acknowledgeEvery === 0) this.#answer({ kind: 'handled', messages: counter.messages })
  }
}
