import { FakeClock } from '../../src/testing/fake-clock.ts'
import { DEFAULT_BRIDGE_LIMITS, type BridgeLimits } from '../../src/transport/bridge-limits.ts'
import { BridgeConnection, type BridgeEffect, type BridgeOutcome } from '../../src/transport/bridge.ts'
import { decodeFrame, encodeFrame, sessionIdOf, type Frame } from '../../src/transport/frame.codec.ts'
import { SzmqError } from '../../src/shared/errors.ts'

export const BRIDGE_SESSION = sessionIdOf(new Uint8Array(16).fill(7))

/** A bridge connection between a tool and a server that a test plays. */
export class BridgeWalk {
  readonly clock = new FakeClock()
  readonly effects: BridgeEffect[] = []
  readonly connection: BridgeConnection
  #sequence = 0

  constructor(limits: Partial<BridgeLimits> = {}) {
    this.connection = new BridgeConnection(BRIDGE_SESSION, { ...DEFAULT_BRIDGE_LIMITS, ...limits }, this.clock, (effect) => {
      this.effects.push(effect)
    })
  }

  /** The server's next frame. */
  answer(bytes: Uint8Array): void {
    this.inject({ kind: 'tls', sequence: this.#sequence, bytes })
    this.#sequence += 1
  }

  reset(): void {
    this.inject({ kind: 'reset' })
  }

  /** A frame of the server, right but for what is said otherwise. */
  inject(frame: Partial<Frame>): void {
    const whole = { from: 'server', sessionId: BRIDGE_SESSION, epoch: 1, sequence: 0, bytes: new Uint8Array(), ...frame }
    this.connection.fromServer(encodeFrame(whole as Frame))
  }

  /** What went to the server. */
  get sent(): readonly Frame[] {
    return this.effects.flatMap((effect) => {
      if (effect.kind !== 'send') return []
      const frame = decodeFrame(...effect.parts)
      if (frame instanceof SzmqError) throw frame
      return [frame]
    })
  }

  /** What went to the tool. */
  get written(): readonly Uint8Array[] {
    return this.effects.flatMap((effect) => (effect.kind === 'write' ? [effect.bytes] : []))
  }

  get kinds(): readonly string[] {
    return this.effects.map((effect) => ('side' in effect ? `${effect.kind} ${effect.side}` : effect.kind))
  }

  get outcome(): BridgeOutcome | undefined {
    return this.#closed?.outcome
  }

  get isCut(): boolean | undefined {
    return this.#closed?.isCut
  }

  get #closed(): Extract<BridgeEffect, { kind: 'closed' }> | undefined {
    return this.effects.find((effect) => effect.kind === 'closed')
  }
}
