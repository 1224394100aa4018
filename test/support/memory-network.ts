import type { SessionLimits } from '../../src/security/limits.ts'
import type { TlsEngineFactory } from '../../src/security/tls-engine.ts'
import type { Clock } from '../../src/shared/clock.ts'
import type { SzmqError } from '../../src/shared/errors.ts'
import { insecureCleartextEngine } from '../../src/testing/cleartext-engine.ts'
import { SeededRandom } from '../../src/testing/seeded-random.ts'
import type { ChannelEvent, ChannelObservation, SecureChannel } from '../../src/transport/secure-channel.ts'
import { StreamClient, StreamServer } from '../../src/transport/stream.ts'
import type { StreamLimits } from '../../src/transport/stream-limits.ts'
import type { FrameOutput } from '../../src/transport/stream-session.ts'

/** One ZeroMQ message on its way; `index` counts all messages of the network in the order they were sent. */
export interface InFlight {
  readonly to: 'client' | 'server'
  /** Which client sent it or gets it. */
  readonly client: string
  readonly index: number
  readonly parts: readonly Uint8Array[]
}

/** What becomes of a message: itself, nothing, several, others. */
export type Fault = (message: InFlight) => readonly InFlight[]

export interface StreamNetworkOptions {
  readonly clock: Clock
  readonly seed?: number
  readonly serverEngine?: TlsEngineFactory
  /** Set: the default engines answer in later turns of this clock. */
  readonly laterBy?: Clock
  readonly limits?: Partial<StreamLimits>
  readonly sessionLimits?: Partial<SessionLimits>
}

/** One side of a session, with everything it told. */
export class Recorder {
  readonly events: ChannelEvent[] = []
  channel: SecureChannel | undefined
  /** Where each chart stands, as its transitions told. */
  readonly charts = new Map<string, string>()

  readonly listener = (event: ChannelEvent): void => {
    this.events.push(event)
  }

  readonly observe = (_id: string, observation: ChannelObservation): void => {
    if (observation.kind === 'transition') this.charts.set(observation.chart, observation.to)
  }

  get kinds(): readonly ChannelEvent['kind'][] {
    return this.events.map((event) => event.kind)
  }

  /** Messages as text. */
  get messages(): readonly string[] {
    return this.events.flatMap((event) => (event.kind === 'message' ? [new TextDecoder().decode(event.bytes)] : []))
  }

  get error(): SzmqError | undefined {
    return this.events.flatMap((event) => (event.kind === 'failed' ? [event.error] : [])).at(0)
  }

  count(kind: ChannelEvent['kind']): number {
    return this.events.filter((event) => event.kind === kind).length
  }
}

/**
 * A ROUTER with a stream server and any number of DEALERs with a stream client each, in memory. Messages wait until {@link run}
 * delivers them one by one; a {@link Fault} may change each on the way.
 */
export class StreamNetwork {
  readonly server: StreamServer
  /** The server's side of each session, in the order they came. */
  readonly channels: Recorder[] = []
  fault: Fault = (message) => [message]
  readonly #options: StreamNetworkOptions
  readonly #random: SeededRandom
  readonly #later: { readonly laterBy?: Clock }
  readonly #clients = new Map<string, StreamClient>()
  readonly #queue: InFlight[] = []
  #sent = 0

  constructor(options: StreamNetworkOptions) {
    this.#options = options
    this.#random = new SeededRandom(options.seed ?? 1)
    const later = options.laterBy === undefined ? {} : { laterBy: options.laterBy }
    this.#later = later
    const {
      clock,
      limits = {},
      sessionLimits = {},
      serverEngine = insecureCleartextEngine({ role: 'server', name: 'server', ...later }),
    } = options
    this.server = new StreamServer(
      { engine: serverEngine, limits, sessionLimits },
      {
        clock,
        random: this.#random,
        observe: (id, observation) => this.channels.findLast(({ channel }) => channel?.id === id)?.observe(id, observation),
      },
      (frame) => {
        this.#sendToClient(frame)
      },
      (channel) => {
        const recorder = new Recorder()
        recorder.channel = channel
        this.channels.push(recorder)
        return recorder.listener
      },
    )
  }

  /** A client that began its handshake; nothing is delivered before {@link run}. */
  connect(
    name: string,
    engine: TlsEngineFactory = insecureCleartextEngine({ role: 'client', name, ...this.#later }),
  ): Recorder & { stream: StreamClient } {
    const recorder = new Recorder()
    const stream = new StreamClient(
      { engine, sessionLimits: this.#options.sessionLimits ?? {} },
      { clock: this.#options.clock, random: this.#random, observe: recorder.observe },
      ({ parts }) => {
        this.#push({ to: 'server', client: name, parts })
      },
      recorder.listener,
    )
    recorder.channel = stream.channel
    this.#clients.set(name, stream)
    stream.open()
    return Object.assign(recorder, { stream })
  }

  get inFlight(): readonly InFlight[] {
    return this.#queue
  }

  /** Puts a message of anybody's making on the wire. */
  inject(message: Omit<InFlight, 'index'>): void {
    this.#push(message)
  }

  /** Delivers until nothing is on its way, or `maxMessages` were. */
  run(maxMessages = 10_000): number {
    let delivered = 0
    for (let message = this.#queue.shift(); message !== undefined; message = this.#queue.shift()) {
      for (const survivor of this.fault(message)) this.#deliver(survivor)
      delivered += 1
      if (delivered >= maxMessages) break
    }
    return delivered
  }

  #deliver({ to, client, parts }: InFlight): void {
    const copy = parts.map((part) => part.slice())
    if (to === 'server') this.server.receive([new TextEncoder().encode(client), ...copy])
    else this.#clients.get(client)?.receive(copy)
  }

  #sendToClient({ envelope: [routingId], parts }: FrameOutput): void {
    this.#push({ to: 'client', client: new TextDecoder().decode(routingId), parts })
  }

  #push(message: Omit<InFlight, 'index'>): void {
    this.#queue.push({ ...message, index: this.#sent })
    this.#sent += 1
  }
}
