import { describe, expect, it } from 'vitest'
import { openThreadEnd } from '../../../src/actors/thread-end.driver.ts'
import { Board } from '../../../src/transport/index.ts'

describe('a ref to a thread of this node that was never there', () => {
  // A peer knows our incarnation and may put any thread into a ref: the pipe to it would lie behind the end of the board.
  it('leads to dead letters, and fails its asks', async () => {
    const letters: string[] = []
    const end = openThreadEnd(
      { system: 'no-such-thread', node: 'us', thread: 0, board: Board.create(2).share },
      {
        forward: undefined,
        onViolation: () => {},
        onFailure: () => {},
        onDeadLetter: ({ reason }) => letters.push(reason),
        describeLoss: () => 'it ended',
      },
    )
    try {
      const ref = end.runtime.createRef({ node: 'us', thread: 200, id: 64, path: '/nowhere' }, [
        { name: 'total', kind: 'ask', selector: 16, needsNoPayload: true },
      ])
      const asks = ref.ask as unknown as { total: () => Promise<unknown> }
      await expect(asks.total()).rejects.toMatchObject({ code: 'ERR_SZMQ_THREAD_LOST' })
      await expect(asks.total()).rejects.toMatchObject({ code: 'ERR_SZMQ_THREAD_LOST' })
      expect(letters).toEqual(['thread-lost', 'thread-lost'])
    } finally {
      end.close()
    }
  })
})
