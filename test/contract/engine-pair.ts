import { concatBytes } from '../../src/shared/bytes.ts'
import type { SzmqError } from '../../src/shared/errors.ts'
import type { TlsEngine, TlsEngineFactory, TlsEvent, TlsFacts } from '../../src/security/tls-engine.ts'

/** What becomes of a piece of ciphertext on its way: any number of pieces, changed in any way. */
export type Way = (ciphertext: Uint8Array) => Iterable<Uint8Array>

/** One end: its engine, what it said, and ways to wait for what it will say. */
export class EngineEnd {
  readonly events: TlsEvent[] = []
  readonly engine: TlsEngine
  /** May be changed at any time. */
  way: Way = (ciphertext) => [ciphertext]
  /** Called with each event, after it was kept. */
  onEvent: (event: TlsEvent) => void = () => {}
  readonly #waiting = new Set<() => void>()

  constructor(factory: TlsEngineFactory, carry: (ciphertext: Uint8Array) => void) {
    this.engine = factory((event) => {
      this.events.push(event)
      if (event.kind === 'ciphertext') for (const piece of this.way(event.bytes)) carry(piece)
      this.onEvent(event)
      for (const check of this.#waiting) check()
    })
  }

  /** Resolves with the first event of `kind`, past or future. */
  async until<Kind extends TlsEvent['kind']>(kind: Kind): Promise<Extract<TlsEvent, { kind: Kind }>> {
    await this.untilTrue(() => this.has(kind))
    const event = this.events.find((candidate) => candidate.kind === kind)
    return event as Extract<TlsEvent, { kind: Kind }>
  }

  async untilTrue(condition: () => boolean): Promise<void> {
    if (condition()) return
    await new Promise<void>((resolve) => {
      const check = (): void => {
        if (!condition()) return
        this.#waiting.delete(check)
        resolve()
      }
      this.#waiting.add(check)
    })
  }

  async untilReceived(bytes: number): Promise<Uint8Array> {
    await this.untilTrue(() => this.plaintextLength >= bytes)
    return this.plaintext
  }

  async untilFailed(): Promise<SzmqError> {
    return (await this.until('failed')).error
  }

  async untilSecure(): Promise<TlsFacts> {
    return (await this.until('secure')).facts
  }

  has(kind: TlsEvent['kind']): boolean {
    return this.events.some((event) => event.kind === kind)
  }

  count(kind: TlsEvent['kind']): number {
    return this.events.filter((event) => event.kind === kind).length
  }

  messages(direction: 'sent' | 'received'): readonly string[] {
    return this.events.flatMap((event) =>
      event.kind === 'handshake.message' && event.direction === direction ? [event.message] : [],
    )
  }

  get plaintext(): Uint8Array {
    return concatBytes(this.events.flatMap((event) => (event.kind === 'plaintext' ? [event.bytes] : [])))
  }

  get plaintextLength(): number {
    return this.events.reduce((length, event) => length + (event.kind === 'plaintext' ? event.bytes.length : 0), 0)
  }
}

/** Two engines, back to back in memory. What one says reaches the other in a microtask, in order. */
export class EnginePair {
  readonly client: EngineEnd
  readonly server: EngineEnd

  constructor(factories: { readonly client: TlsEngineFactory; readonly server: TlsEngineFactory }) {
    this.client = new EngineEnd(factories.client, (piece) => {
      queueMicrotask(() => {
        this.server.engine.receive(piece)
      })
    })
    this.server = new EngineEnd(factories.server, (piece) => {
      queueMicrotask(() => {
        this.client.engine.receive(piece)
      })
    })
  }

  start(): void {
    this.server.engine.start()
    this.client.engine.start()
  }

  async handshake(): Promise<void> {
    this.start()
    await Promise.all([this.client.untilSecure(), this.server.untilSecure()])
  }

  /** Resolves when nothing more will happen by itself: engines have no timers and no threads, so quiet turns are the end. */
  async settle(): Promise<void> {
    const QUIET_TURNS = 8
    for (let quiet = 0, seen = -1; quiet < QUIET_TURNS; quiet++) {
      const now = this.client.events.length + this.server.events.length
      if (now !== seen) quiet = 0
      seen = now
      await new Promise<void>((resolve) => {
        setImmediate(resolve)
      })
    }
  }

  destroy(): void {
    this.client.engine.destroy()
    this.server.engine.destroy()
  }
}
