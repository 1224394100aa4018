import './seed.ts'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { insecureCleartextEngine } from '../../src/testing/cleartext-engine.ts'
import { FakeClock } from '../../src/testing/fake-clock.ts'
import { encodeFrame, type SessionId } from '../../src/transport/frame.codec.ts'
import { SzmqError } from '../../src/shared/errors.ts'
import { StreamNetwork, type Fault, type InFlight, type Recorder } from '../support/memory-network.ts'

const text = (value: string) => new TextEncoder().encode(value)
const isTerminal = (kind: string) => kind === 'closed' || kind === 'failed'

/** The handshake's messages of a client that is let in. */
function countHandshakeMessages(): number {
  const network = new StreamNetwork({ clock: new FakeClock() })
  network.connect('alice')
  return network.run()
}

const withBytes = (message: InFlight, change: (bytes: Uint8Array) => Uint8Array): InFlight => {
  const [header = new Uint8Array(), bytes = new Uint8Array()] = message.parts
  return { ...message, parts: [header, change(bytes.slice())] }
}

/** What may happen to the message number `step`. */
const FAULTS: Readonly<Record<string, (step: number) => Fault>> = {
  'is lost': (step) => (message) => (message.index === step ? [] : [message]),
  'is the last one': (step) => (message) => (message.index >= step ? [] : [message]),
  'comes twice': (step) => (message) => (message.index === step ? [message, message] : [message]),
  'is garbage': (step) => (message) => [
    message.index === step ? withBytes(message, (bytes) => bytes.map(() => 0xaa)) : message,
  ],
  'has one bit flipped': (step) => (message) => {
    if (message.index !== step) return [message]
    return [withBytes(message, (bytes) => bytes.map((byte, at) => (at === bytes.length - 1 ? byte ^ 1 : byte)))]
  },
  'is cut short': (step) => (message) => [message.index === step ? withBytes(message, (bytes) => bytes.slice(0, 3)) : message],
  'is followed by garbage': (step) => (message) => {
    if (message.index !== step) return [message]
    return [message, { ...message, parts: [text('SZ'), text('garbage')] }]
  },
  'loses its header': (step) => (message) => [message.index === step ? { ...message, parts: message.parts.slice(1) } : message],
}
const STEPS = Array.from({ length: countHandshakeMessages() }, (_, step) => step)

describe.each(Object.keys(FAULTS))('a first handshake in which a message %s', (name) => {
  it.each(STEPS)('ends with its cause by its deadline, and harms nobody after it (message %i)', (step) => {
    const clock = new FakeClock()
    const network = new StreamNetwork({ clock })
    network.fault = FAULTS[name]?.(step) ?? ((message) => [message])
    const alice = network.connect('alice')
    network.run()
    clock.advance(10_000)
    network.run()
    const [server] = network.channels
    for (const side of [alice, ...(server === undefined ? [] : [server])]) {
      expect(['open', 'failed', 'resetting']).toContain(side.channel?.status.kind)
      if (side.channel?.status.kind === 'failed') expect(side.error).toBeInstanceOf(SzmqError)
    }
    if (name === 'comes twice' || name === 'is followed by garbage') expect(alice.kinds).toEqual(['open'])
    network.fault = (message) => [message]
    const again = network.connect('alice')
    network.run()
    expect(again.kinds).toEqual(['open'])
  })
})

it.each(STEPS)('goes silent at message %i of the handshake: both sides give up, and free everything', (step) => {
  const clock = new FakeClock()
  const network = new StreamNetwork({ clock })
  network.fault = FAULTS['is the last one']?.(step) ?? (() => [])
  const alice = network.connect('alice')
  network.run()
  clock.advance(10_000)
  expect(alice.error?.code).toBe('ERR_SZMQ_HANDSHAKE_TIMEOUT')
  expect(network.server.halfOpenSessions).toBe(0)
  for (const recorder of network.channels) recorder.channel?.destroy()
  expect(clock.pendingTimers).toBe(0)
})

it('tells a refused client so, with or without an alert, and lets the next one in', () => {
  for (const canAlert of [true, false]) {
    const clock = new FakeClock()
    const refusePeer = (name: string) => (name === 'mallory' ? new SzmqError('ERR_SZMQ_UNKNOWN_CA', 'not ours') : undefined)
    const serverEngine = insecureCleartextEngine({ role: 'server', name: 'server', refusePeer, canAlert })
    const network = new StreamNetwork({ clock, serverEngine })
    const mallory = network.connect('mallory')
    network.run()
    clock.advance(1_000)
    expect(mallory.error?.code).toBe('ERR_SZMQ_REFUSED_BY_PEER')
    expect(network.channels[0]?.error?.code).toBe('ERR_SZMQ_UNKNOWN_CA')
    expect(clock.pendingTimers).toBe(0)
    const alice = network.connect('alice')
    network.run()
    expect(alice.kinds).toEqual(['open'])
  }
})

it('gives a stream server or client nothing to choke on, whatever parts come', () => {
  const parts = fc.array(fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.constant(text('SZ'))), { maxLength: 6 })
  fc.assert(
    fc.property(fc.array(parts, { maxLength: 20 }), (messages) => {
      const network = new StreamNetwork({ clock: new FakeClock() })
      const alice = network.connect('alice')
      network.run()
      for (const message of messages) {
        network.inject({ to: 'server', client: 'mallory', parts: message })
        network.inject({ to: 'client', client: 'alice', parts: message })
      }
      network.run()
      expect(alice.kinds).toEqual(['open'])
      const { malformed, unknownVersion, reflected, resetsReceived, unknownSession } = network.server.counters
      expect(malformed + unknownVersion + reflected + resetsReceived + unknownSession + network.channels.length - 1).toBe(
        messages.length,
      )
    }),
  )
})

type Command =
  | { readonly kind: 'send'; readonly by: 'client' | 'server' }
  | { readonly kind: 'deliver'; readonly count: number }
  | { readonly kind: 'drop' | 'repeat' | 'swap' | 'flip' | 'forgeReset' | 'forgeHello' | 'close' | 'destroyServer' }
  | { readonly kind: 'wait'; readonly ms: number }

const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant('send' as const), by: fc.constantFrom('client' as const, 'server' as const) }),
  },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('deliver' as const), count: fc.integer({ min: 1, max: 20 }) }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constantFrom('drop' as const, 'repeat', 'swap', 'flip', 'forgeReset', 'forgeHello') }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.constantFrom(0, 60, 1_000, 10_000) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('close' as const, 'destroyServer') }) },
)

type Timing = 'at once' | 'later'
const timing = fc.constantFrom<Timing>('at once', 'later')

/** One walk through everything that a user and a network can do. */
class Walk {
  readonly clock = new FakeClock()
  readonly network: StreamNetwork
  readonly client: ReturnType<StreamNetwork['connect']>
  #sent = 0
  #held: InFlight | undefined
  #next: Command['kind'] | undefined

  /** @param timing when the engines answer: within the call, or in later turns */
  constructor(timing: Timing) {
    this.network = new StreamNetwork({ clock: this.clock, ...(timing === 'later' ? { laterBy: this.clock } : {}) })
    this.client = this.network.connect('alice')
    this.network.fault = (message) => this.#mangle(message)
  }

  run(step: Command): void {
    switch (step.kind) {
      case 'send':
        return this.#send(step.by === 'client' ? this.client : this.network.channels.at(-1))
      case 'deliver':
        this.clock.advance(0)
        this.network.run(step.count)
        return
      case 'wait':
        this.clock.advance(step.ms)
        return
      case 'close':
        this.client.channel?.close()
        return
      case 'destroyServer':
        this.network.channels.at(-1)?.channel?.destroy()
        return
      case 'forgeReset':
        return this.#forge('client')
      case 'forgeHello':
        return this.#forge('server')
      case 'drop':
      case 'flip':
      case 'repeat':
      case 'swap':
        this.#next = step.kind
    }
  }

  /** Calm water: everything is delivered, and enough time passes. */
  settle(): void {
    this.#next = undefined
    this.#held = undefined
    for (let round = 0; round < 400; round += 1) {
      this.network.run()
      this.clock.advance(500)
    }
  }

  #send(side: Recorder | undefined): void {
    if (side?.channel?.status.kind !== 'open') return
    this.#sent += 1
    side.channel.send(text(String(this.#sent)))
  }

  #forge(to: 'client' | 'server'): void {
    const status = this.client.channel?.status
    const epoch = status !== undefined && 'epoch' in status ? status.epoch : 1
    const sessionId = this.client.stream.channel.id as SessionId
    const parts =
      to === 'client'
        ? encodeFrame({ kind: 'reset', from: 'server', sessionId, epoch })
        : encodeFrame({ kind: 'tls', from: 'client', sessionId, epoch: epoch + 1, sequence: 0, bytes: text('not TLS') })
    this.network.inject({ to, client: to === 'client' ? 'alice' : 'mallory', parts })
  }

  #mangle(message: InFlight): readonly InFlight[] {
    const fault = this.#next
    this.#next = undefined
    const held = this.#held === undefined ? [] : [this.#held]
    this.#held = undefined
    if (fault === 'drop') return held
    if (fault === 'repeat') return [message, message, ...held]
    if (fault === 'flip') return [withBytes(message, (bytes) => bytes.map((byte) => byte ^ 0x10)), ...held]
    if (fault !== 'swap') return [message, ...held]
    this.#held = message
    return held
  }
}

/** The top of the session chart is what the status says. */
function expectAgreement(side: Recorder): void {
  const chart = side.charts.get('session')
  const kind = side.channel?.status.kind
  if (chart !== undefined) expect(chart.split('.')[0]).toBe(kind)
  expect(side.kinds.filter(isTerminal)).toHaveLength(kind !== undefined && isTerminal(kind) ? 1 : 0)
  if (kind === 'open' || kind === 'resetting') {
    expect(side.kinds.filter((seen) => seen === 'open' || seen === 'resetting').at(-1)).toBe(kind)
  }
}

it('keeps charts, status and events in agreement on any walk, and comes to rest', () => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 60, size: 'max' }), timing, (commands, answers) => {
      const walk = new Walk(answers)
      for (const step of commands) {
        walk.run(step)
        for (const side of [walk.client, ...walk.network.channels]) expectAgreement(side)
      }
      walk.settle()
      for (const side of [walk.client, ...walk.network.channels]) {
        expectAgreement(side)
        const kind = side.channel?.status.kind
        expect(kind === 'open' || isTerminal(kind ?? '')).toBe(true)
        const numbers = side.messages.map(Number)
        // In order and never twice; what is missing was lost in a reset, for the link above to send again.
        expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b))
      }
      walk.client.channel?.destroy()
      walk.network.server.destroy()
      expect(walk.clock.pendingTimers).toBe(0)
    }),
    { numRuns: 150 },
  )
})

it('works again after any trouble, once the network is calm', () => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 40, size: 'max' }), timing, (commands, answers) => {
      const walk = new Walk(answers)
      for (const step of commands) if (step.kind !== 'close') walk.run(step)
      walk.settle()
      // A frame that was the last one before the calm is only missed when the next one comes.
      const both = () => [walk.client, walk.network.channels.at(-1)].filter((side) => side?.channel?.status.kind === 'open')
      for (const side of both()) side?.channel?.send(text('0'))
      walk.settle()
      if (walk.client.channel?.status.kind !== 'open') return
      const events = walk.client.events.length
      walk.client.channel.send(text('calm'))
      walk.settle()
      expect(walk.network.channels.at(-1)?.messages.at(-1)).toBe('calm')
      expect(walk.client.events).toHaveLength(events)
    }),
    { numRuns: 150 },
  )
})
