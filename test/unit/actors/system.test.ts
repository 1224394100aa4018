import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { ask, defineActor, startSystem, tell } from '../../../src/index.ts'

const Failing = defineActor(import.meta, {
  name: 'failing',
  protocol: { fail: tell(z.void()), seen: ask(z.void(), z.number()) },
  state: () => ({ seen: 0 }),
  supervise: { on: 'resume' },
  on: {
    fail: (state) => {
      state.seen += 1
      throw new Error('ouch')
    },
    seen: ({ seen }) => seen,
  },
})

describe('a listener of events that throws', () => {
  // It ran in the middle of the dispatcher, which then never ran an actor of that thread again.
  it('is warned about, and breaks nothing', async () => {
    const warnings: string[] = []
    let hearTwo: (() => void) | undefined
    const heardTwo = new Promise<void>((resolve) => {
      hearTwo = resolve
    })
    const onWarning = ({ message }: Error): void => {
      if (warnings.push(message) === 2) hearTwo?.()
    }
    process.on('warning', onWarning)
    try {
      await using system = await startSystem({
        name: 'shop',
        onEvent: () => {
          throw new Error('not my day')
        },
      })
      const failing = system.spawn(Failing, 'f')
      failing.tell.fail()
      failing.tell.fail()
      expect(await failing.ask.seen({ timeoutMs: 5_000 })).toBe(2)
      await heardTwo
    } finally {
      process.off('warning', onWarning)
    }
    expect(warnings).toEqual([
      "onEvent of system 'shop' threw at 'actor.failed': not my day",
      "onEvent of system 'shop' threw at 'actor.failed': not my day",
    ])
  })
})
