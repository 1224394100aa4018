import './seed.ts'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { concatBytes } from '../../src/shared/bytes.ts'
import type { BridgeEffect } from '../../src/transport/bridge.ts'
import { BridgeWalk } from '../support/bridge-walk.ts'

type Step =
  | { readonly kind: 'say' | 'answer'; readonly bytes: Uint8Array }
  | { readonly kind: 'garbage'; readonly parts: readonly Uint8Array[] }
  | { readonly kind: 'repeat' | 'gap' | 'reset' | 'toolEnds' | 'toolFails' | 'serverFails' | 'stop' | 'send' | 'write' }
  | { readonly kind: 'wait'; readonly ms: number }

const chunk = fc.uint8Array({ minLength: 1, maxLength: 60 })
const flow: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constantFrom('say' as const, 'answer' as const), bytes: chunk }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constantFrom('send' as const, 'write') }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'repeat' as const }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('garbage' as const),
      parts: fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 4 }),
    }),
  },
)
const trouble: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constantFrom('gap' as const, 'reset', 'toolEnds', 'toolFails', 'serverFails', 'stop') }),
  fc.record({ kind: fc.constant('wait' as const), ms: fc.constantFrom(1, 500, 5_000) }),
)

const MAX_HELD = 100

/** Two sides that heed `hold`, and a network that takes its time. */
class Sides {
  readonly walk = new BridgeWalk({ maxHeldBytes: MAX_HELD, idleTimeoutMs: 4_000, lingerMs: 400 })
  readonly said: Uint8Array[] = []
  readonly answered: Uint8Array[] = []
  readonly #unsent: number[] = []
  readonly #unwritten: number[] = []
  #seen = 0

  run(step: Step): void {
    const { connection } = this.walk
    switch (step.kind) {
      case 'say':
        if (this.#mayFlow('tool') && !this.hasEnded) {
          this.said.push(step.bytes)
          connection.fromTool(step.bytes)
        }
        break
      case 'answer':
        if (this.#mayFlow('server') && !this.hasEnded) {
          this.answered.push(step.bytes)
          this.walk.answer(step.bytes)
        }
        break
      case 'garbage':
        connection.fromServer(step.parts)
        break
      case 'repeat':
        if (this.answered.length > 0) this.walk.inject({ kind: 'tls', sequence: 0, bytes: Uint8Array.of(1) })
        break
      case 'gap':
        this.walk.inject({ kind: 'tls', sequence: this.answered.length + 1, bytes: Uint8Array.of(1) })
        break
      case 'reset':
        this.walk.reset()
        break
      case 'toolEnds':
        connection.toolEnded()
        break
      case 'toolFails':
        connection.toolFailed()
        break
      case 'serverFails':
        connection.serverFailed()
        break
      case 'stop':
        connection.stop()
        break
      case 'send':
        connection.sent(this.#unsent.shift() ?? 0)
        break
      case 'write':
        connection.written(this.#unwritten.shift() ?? 0)
        break
      case 'wait':
        this.walk.clock.advance(step.ms)
        break
    }
    for (const effect of this.walk.effects.slice(this.#seen)) this.#account(effect)
    this.#seen = this.walk.effects.length
  }

  /** The tool or the server said its last word. */
  get hasEnded(): boolean {
    return this.walk.kinds.some((kind) => kind === 'end' || kind === 'closed')
  }

  #account(effect: BridgeEffect): void {
    if (effect.kind === 'send') this.#unsent.push(effect.parts[1].length)
    if (effect.kind === 'write') this.#unwritten.push(effect.bytes.length)
  }

  #mayFlow(side: 'tool' | 'server'): boolean {
    return this.walk.kinds.findLast((kind) => kind.endsWith(side)) === `release ${side}`
  }
}

const flat = (parts: readonly Uint8Array[]): Uint8Array => concatBytes([new Uint8Array(0), ...parts])
const sentBytes = (walk: BridgeWalk): Uint8Array[] => walk.sent.flatMap((frame) => (frame.kind === 'tls' ? [frame.bytes] : []))

it('carries every byte once and in order, both ways, in any interleaving, and holds no more than it may', () => {
  fc.assert(
    fc.property(fc.array(flow, { maxLength: 120, size: 'max' }), (steps) => {
      const sides = new Sides()
      sides.walk.connection.serverReady()
      for (const step of steps) {
        sides.run(step)
        for (const side of ['tool', 'server'] as const) {
          const held = sides.walk.connection.heldFrom(side)
          expect(held).toBeGreaterThanOrEqual(0)
          // The chunk that crosses the line is held too.
          expect(held).toBeLessThan(MAX_HELD + 60)
        }
      }
      expect(flat(sentBytes(sides.walk))).toEqual(flat(sides.said))
      expect(flat(sides.walk.written)).toEqual(flat(sides.answered))
      expect(sides.walk.sent.map((frame) => ('sequence' in frame ? frame.sequence : -1))).toEqual(sides.said.map((_, at) => at))
    }),
  )
})

it('gives a prefix of what was said and ends once, whatever happens, and leaves no timer', () => {
  const step = fc.oneof({ weight: 4, arbitrary: flow }, { weight: 1, arbitrary: trouble })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: 'max' }), fc.boolean(), (steps, isReady) => {
      const sides = new Sides()
      const { walk } = sides
      if (isReady) walk.connection.serverReady()
      for (const each of steps) sides.run(each)
      walk.clock.advance(60_000)
      expect(walk.kinds.filter((kind) => kind === 'closed')).toHaveLength(1)
      expect(walk.kinds.at(-1)).toBe('closed')
      expect(walk.clock.pendingTimers).toBe(0)
      const written = flat(walk.written)
      expect(written).toEqual(flat(sides.answered).subarray(0, written.length))
      expect(walk.outcome).toMatchObject({ bytesToTool: written.length, bytesToServer: flat(sentBytes(walk)).length })
      const isOrderly = walk.outcome?.end === 'tool.ended' || walk.outcome?.end === 'server.ended'
      expect(walk.isCut).toBe(!isOrderly)
    }),
  )
})

it('lets any bytes come from the server without a throw or a byte to the tool', () => {
  const parts = fc.array(fc.uint8Array({ maxLength: 48 }), { maxLength: 4 })
  fc.assert(
    fc.property(fc.array(parts, { maxLength: 20 }), (messages) => {
      const walk = new BridgeWalk()
      walk.connection.serverReady()
      for (const message of messages) walk.connection.fromServer(message)
      expect(walk.written).toEqual([])
      walk.connection.stop()
      expect(walk.outcome?.framesDropped).toBe(messages.length)
    }),
  )
})
