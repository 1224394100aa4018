import { insecureCleartextEngine } from '../../src/testing/cleartext-engine.ts'
import type { FakeClock } from '../../src/testing/fake-clock.ts'
import { SeededRandom } from '../../src/testing/seeded-random.ts'
import { Link, type LinkEvent, type LinkLimits } from '../../src/transport/link.ts'
import type { SecureChannel } from '../../src/transport/secure-channel.ts'
import { StreamClient, StreamServer } from '../../src/transport/stream.ts'

export type Side = 'client' | 'server'

interface InFlight {
  readonly to: Side
  readonly parts: readonly Uint8Array[]
}

/** One link's life, from its channel to `down`. */
export class Recorded {
  readonly events: LinkEvent[] = []
  readonly link: Link
  readonly #undelivered: number[] = []

  constructor(makeLink: (listener: (event: LinkEvent) => void) => Link) {
    this.link = makeLink((event) => {
      this.events.push(event)
      if (event.kind === 'batch') this.#undelivered.push(event.sequence)
    })
  }

  count(kind: LinkEvent['kind']): number {
    return this.events.filter((event) => event.kind === kind).length
  }

  get bodies(): readonly string[] {
    return this.events.flatMap((event) => (event.kind === 'batch' ? [Buffer.from(event.body).toString()] : []))
  }

  get down(): Extract<LinkEvent, { kind: 'down' }> | undefined {
    return this.events.find((event) => event.kind === 'down')
  }

  /** Hands on the oldest `count` batches that wait for it. */
  deliver(count: number): void {
    for (const sequence of this.#undelivered.splice(0, count)) this.link.delivered(sequence)
  }
}

/** Two nodes in memory: real links over real streams with the clear-text engine. ZeroMQ messages wait until {@link run}. */
export class LinkNetwork {
  readonly client: Recorded
  /** Of each session that the server has seen, oldest first. */
  readonly servers: Recorded[] = []
  readonly #queue: InFlight[] = []
  readonly #client: StreamClient
  readonly #server: StreamServer

  constructor(clock: FakeClock, limits: Partial<LinkLimits>) {
    const random = new SeededRandom(1)
    const record = (side: Side) =>
      new Recorded(
        (listener) => new Link({ local: { name: side, incarnation: `${side}-1` }, limits }, { clock, random }, listener),
      )
    this.#server = new StreamServer(
      { engine: insecureCleartextEngine({ role: 'server', name: 'server' }) },
      { clock, random },
      ({ parts }) => this.#queue.push({ to: 'client', parts }),
      (channel: SecureChannel) => {
        const recorded = record('server')
        recorded.link.attach(channel)
        this.servers.push(recorded)
        return (event) => {
          recorded.link.onChannelEvent(event)
        }
      },
    )
    this.client = record('client')
    this.#client = new StreamClient(
      { engine: insecureCleartextEngine({ role: 'client', name: 'client' }) },
      { clock, random },
      ({ parts }) => this.#queue.push({ to: 'server', parts }),
      (event) => {
        this.client.link.onChannelEvent(event)
      },
    )
    this.client.link.attach(this.#client.channel)
    this.#client.open()
  }

  get links(): readonly Recorded[] {
    return [this.client, ...this.servers]
  }

  /** The newest link of that side. */
  of(side: Side): Recorded | undefined {
    return side === 'client' ? this.client : this.servers.at(-1)
  }

  /** Delivers until nothing is on its way, or `maxMessages` were. */
  run(maxMessages = 10_000): void {
    for (let count = 0; count < maxMessages; count += 1) {
      const message = this.#queue.shift()
      if (message === undefined) return
      const copy = message.parts.map((part) => part.slice())
      if (message.to === 'server') this.#server.receive([Buffer.from('client'), ...copy])
      else this.#client.receive(copy)
    }
  }

  /** The next message never comes. */
  drop(): void {
    this.#queue.shift()
  }

  /** The next message comes twice. */
  repeat(): void {
    const [first] = this.#queue
    if (first !== undefined) this.#queue.unshift(first)
  }

  /** The next message comes after the one behind it. */
  swap(): void {
    const [first, second] = this.#queue.splice(0, 2)
    if (second !== undefined) this.#queue.unshift(second)
    if (first !== undefined) this.#queue.splice(1, 0, first)
  }

  /** Everything on its way is lost. */
  cut(): void {
    this.#queue.length = 0
  }
}
