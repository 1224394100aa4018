import { describe, expect, it } from 'vitest'
import { FakeClock } from '../../../src/testing/fake-clock.ts'
import { StreamNetwork, type Recorder } from '../../support/memory-network.ts'

const text = (value: string) => new TextEncoder().encode(value)

describe('a stream', () => {
  it('opens on both sides, carries messages both ways and says bye', () => {
    const clock = new FakeClock()
    const network = new StreamNetwork({ clock })
    const alice = network.connect('alice')
    network.run()
    const [server] = network.channels as [Recorder]
    expect(alice.kinds).toEqual(['open'])
    expect(server.kinds).toEqual(['open'])
    alice.channel?.send(text('ping'))
    network.run()
    server.channel?.send(text('pong'))
    network.run()
    expect(server.messages).toEqual(['ping'])
    expect(alice.messages).toEqual(['pong'])
    alice.channel?.close()
    network.run()
    expect(alice.kinds.at(-1)).toBe('closed')
    expect(server.kinds.at(-1)).toBe('closed')
    expect([...network.server.channels]).toEqual([])
    expect(clock.pendingTimers).toBe(0)
  })

  it('resets after a lost frame, and works again in the next epoch', () => {
    const clock = new FakeClock()
    const network = new StreamNetwork({ clock })
    const alice = network.connect('alice')
    network.run()
    network.fault = () => []
    alice.channel?.send(text('lost'))
    network.run()
    network.fault = (message) => [message]
    alice.channel?.send(text('beyond the gap'))
    network.run()
    expect(alice.kinds).toEqual(['open', 'resetting'])
    clock.advance(100)
    network.run()
    expect(alice.kinds).toEqual(['open', 'resetting', 'open'])
    expect(alice.channel?.status).toMatchObject({ kind: 'open', epoch: 2 })
    alice.channel?.send(text('again'))
    network.run()
    expect(network.channels[0]?.messages).toEqual(['again'])
    expect(network.server.counters.gap).toBe(1)
  })
})
