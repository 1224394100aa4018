import type { Delivery, Session, Tally, Work } from './contender.ts'
import { acknowledgeEvery, Flow } from './flow.ts'
import { payloadPool, type Message } from './payload.ts'
import type { Answer, Command } from './protocol.ts'

/** How a peer moves things. */
export interface Wire {
  command(command: Command): void
  send(message: Message): void
  /** After a burst of {@link send}: for what must be rung or flushed. */
  flush?(): void
  close(): Promise<void>
}

const ROUND_TRIP_BYTES = 64

/** The sending half of every peer: the loops that are measured are the same for all, only the wire differs. */
export class Sender implements Session {
  readonly #wire: Wire
  readonly #flow = new Flow()
  #ready: () => void = () => {}
  #done: (tally: Tally) => void = () => {}
  #echoed: () => void = () => {}

  constructor(wire: Wire) {
    this.#wire = wire
  }

  /** The wire hands every answer of the receiver here … */
  readonly answered = (answer: Answer): void => {
    switch (answer.kind) {
      case 'up':
        return
      case 'ready':
        this.#ready()
        return
      case 'handled':
        this.#flow.acknowledge(answer.messages)
        return
      case 'done':
        this.#flow.acknowledge(answer.tally.messages)
        this.#done(answer.tally)
    }
  }

  /** … and every message that comes back here. */
  readonly echoed = (_message: Message): void => {
    this.#echoed()
  }

  async run({ count, sizeBytes }: Work): Promise<Delivery> {
    const pool = payloadPool(sizeBytes)
    await this.#command({ kind: 'begin', count, acknowledgeEvery: acknowledgeEvery(sizeBytes) })
    const done = new Promise<Tally>((resolve) => {
      this.#done = resolve
    })
    const startedMs = performance.now()
    await this.#flow.send(
      count,
      sizeBytes,
      (n) => {
        this.#wire.send({ payload: pool[n % pool.length] as Uint8Array })
      },
      () => this.#wire.flush?.(),
    )
    const tally = await done
    return { tally, ms: performance.now() - startedMs }
  }

  async roundTrips(count: number): Promise<readonly number[]> {
    const pool = payloadPool(ROUND_TRIP_BYTES)
    await this.#command({ kind: 'echo' })
    const trips: number[] = []
    for (let n = 0; n < count; n += 1) {
      const startedMs = performance.now()
      const echoed = new Promise<void>((resolve) => {
        this.#echoed = resolve
      })
      this.#wire.send({ payload: pool[n % pool.length] as Uint8Array })
      this.#wire.flush?.()
      await echoed
      trips.push(performance.now() - startedMs)
    }
    return trips
  }

  teardown(): Promise<void> {
    return this.#wire.close()
  }

  #command(command: Command): Promise<void> {
    const ready = new Promise<void>((resolve) => {
      this.#ready = resolve
    })
    this.#wire.command(command)
    return ready
  }
}
