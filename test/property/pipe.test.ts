import './seed.ts'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Board } from '../../src/transport/board.ts'
import { MAX_BATCH_BYTES, Pipe, PIPE_WINDOW_FRAMES } from '../../src/transport/pipe.ts'
import { openPair } from '../../src/transport/zmq.driver.ts'
import { smallBoard } from '../support/small-board.ts'

const RING_BYTES = 1_024
let pipes = 0

/** One end of a real inproc PAIR, and what the model knows of it. */
class End {
  readonly pipe: Pipe
  readonly sent: Uint8Array[] = []
  readonly received: Uint8Array[] = []
  readonly #board: Board
  readonly #self: number
  #framesOut = 0
  #number = 0

  constructor(board: Board, self: number, name: string) {
    this.#board = board
    this.#self = self
    const socket = openPair({
      side: self === 0 ? 'bind' : 'connect',
      address: `inproc://pipe-test/${name}`,
      frames: 2 * PIPE_WINDOW_FRAMES,
      gate: board.gateOf(self),
    })
    const { framesTaken, words } = board.marks(self, 1 - self)
    const framesBefore = Atomics.load(words, framesTaken)
    this.pipe = new Pipe({
      self,
      peer: 1 - self,
      board,
      // The real socket; only what leaves is counted.
      socket: {
        get isReadable() {
          return socket.isReadable
        },
        get isWritable() {
          return socket.isWritable
        },
        trySend: (frame) => {
          const isTaken = socket.trySend(frame)
          if (isTaken) this.#framesOut += 1
          const taken = (Atomics.load(words, framesTaken) - framesBefore) | 0
          expect(this.#framesOut - taken).toBeLessThanOrEqual(PIPE_WINDOW_FRAMES)
          return isTaken
        },
        receive: () => socket.receive(),
        close: () => {
          socket.close()
        },
      },
      onBatch: (batch) => this.received.push(batch),
    })
  }

  get rings(): number {
    const { words, index } = this.#board.bellOf(this.#self)
    return Atomics.load(words, index)
  }

  send(headBytes: number, bodyBytes: number): boolean {
    this.#number += 1
    const batch = Uint8Array.from({ length: headBytes + bodyBytes }, (_, at) => (at + this.#number * 7) & 0xff)
    const buffers = [batch.slice(0, headBytes), batch.slice(headBytes)] as const
    const isTaken = this.pipe.send(...buffers)
    if (isTaken) this.sent.push(batch)
    // Copied: the caller may use its buffers again.
    for (const buffer of buffers) buffer.fill(0)
    return isTaken
  }
}

function connect(board: Board, bindsFirst: boolean): readonly [End, End] {
  pipes += 1
  if (bindsFirst) return [new End(board, 0, `${pipes}`), new End(board, 1, `${pipes}`)]
  const second = new End(board, 1, `${pipes}`)
  return [new End(board, 0, `${pipes}`), second]
}

/** Both ends take and go on until nothing moves: what bells would make them do. */
async function settle(ends: readonly [End, End]): Promise<void> {
  for (let isMoving = true; isMoving;) {
    isMoving = false
    for (const end of ends) end.pipe.resume()
    for (const end of ends) {
      if ((await end.pipe.drain(1_000, () => true)) > 0) isMoving = true
    }
  }
}

const mark = fc.constantFrom(0, -1, -700, 2 ** 31 - 1, -5_000)
const length = fc.oneof(
  fc.integer({ min: 0, max: 20 }),
  fc.integer({ min: 120, max: 135 }),
  fc.integer({ min: RING_BYTES - 2, max: RING_BYTES + 2 }),
  fc.integer({ min: 0, max: 5 * RING_BYTES }),
)
const command = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('send' as const), by: fc.nat(1), head: fc.nat(30), body: length }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('drain' as const), by: fc.nat(1), frames: fc.integer({ min: 1, max: 40 }) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('resume' as const), by: fc.nat(1) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('burst' as const), by: fc.nat(1), body: fc.integer({ min: 0, max: 4 }) }),
  },
)

describe('a pipe', () => {
  it('gives each accepted batch to the other side once, whole and in order, within its window, and rings whoever it refused', async () => {
    await fc.assert(
      fc.asyncProperty(
        mark,
        fc.boolean(),
        fc.array(command, { maxLength: 60, size: 'max' }),
        async (start, bindsFirst, commands) => {
          const ends = connect(smallBoard({ ringBytes: RING_BYTES, mark: start }), bindsFirst)
          const refusedAt: (number | undefined)[] = [undefined, undefined]
          const note = (by: number, isTaken: boolean) => {
            refusedAt[by] = isTaken ? undefined : (ends[by] as End).rings
          }
          for (const step of commands) {
            const end = ends[step.by] as End
            if (step.kind === 'send') note(step.by, end.send(step.head, step.body))
            else if (step.kind === 'resume') end.pipe.resume()
            else if (step.kind === 'burst') {
              for (let sent = 0; sent < PIPE_WINDOW_FRAMES + 20; sent += 1) note(step.by, end.send(0, step.body))
            } else {
              await end.pipe.drain(step.frames, () => true)
            }
          }
          const last = [...refusedAt]
          await settle(ends)
          for (const by of [0, 1]) {
            const [mine, theirs] = [ends[by] as End, ends[1 - by] as End]
            expect(theirs.received.map((batch) => Buffer.from(batch))).toEqual(mine.sent.map((batch) => Buffer.from(batch)))
            if (last[by] === undefined) continue
            expect(mine.rings).not.toBe(last[by])
            expect(mine.send(0, RING_BYTES)).toBe(true)
          }
          for (const { pipe } of ends) pipe.close()
        },
      ),
    )
  })

  it.each([
    ['127 bytes travel in the frame', 127, 0],
    ['128 bytes travel in the ring', 128, 128],
  ])('%s', async (_name, length, inRing) => {
    const board = smallBoard({ ringBytes: RING_BYTES })
    const ends = connect(board, true)
    expect(ends[0].send(0, length)).toBe(true)
    await settle(ends)
    const { words, tail } = board.marks(0, 1)
    expect(Atomics.load(words, tail)).toBe(inRing)
    expect(ends[1].received[0]).toHaveLength(length)
    for (const { pipe } of ends) pipe.close()
  })

  it.each([true, false])(
    'never gets stuck behind ZeroMQ’s own marks, however long it is full (bound first: %s)',
    async (isBoundFirst) => {
      const ends = connect(smallBoard({ ringBytes: RING_BYTES }), isBoundFirst)
      for (const by of [1, 0]) {
        const [sender, receiver] = [ends[by] as End, ends[1 - by] as End]
        for (let round = 0; round < 10_000; round += 1) {
          while (sender.send(0, 1)) if (sender.sent.length > 20_000) break
          await receiver.pipe.drain(1 + (round % 3), () => true)
        }
        expect(sender.sent.length).toBeGreaterThan(19_000)
      }
      for (const { pipe } of ends) pipe.close()
    },
  )

  it('takes what was sent before the other end opened', async () => {
    const board = smallBoard({ ringBytes: RING_BYTES })
    pipes += 1
    const early = new End(board, 1, `${pipes}`)
    let taken = 0
    while (early.send(0, 5)) taken += 1
    expect(taken).toBe(PIPE_WINDOW_FRAMES)
    const ends = [new End(board, 0, `${pipes}`), early] as const
    await settle(ends)
    expect(ends[0].received).toHaveLength(PIPE_WINDOW_FRAMES)
    for (const { pipe } of ends) pipe.close()
  })

  it('refuses a batch over its limit, and takes the next one', () => {
    const ends = connect(smallBoard({ ringBytes: RING_BYTES }), true)
    const huge = new Uint8Array(MAX_BATCH_BYTES)
    expect(() => ends[0].pipe.send(Uint8Array.of(1), huge)).toThrowError(
      expect.objectContaining({ code: 'ERR_SZMQ_LIMIT_EXCEEDED' }),
    )
    expect(ends[0].send(1, 1)).toBe(true)
    for (const { pipe } of ends) pipe.close()
  })

  it('seems empty and full once its thread is barred from native calls', async () => {
    const board = smallBoard({ ringBytes: RING_BYTES })
    const ends = connect(board, true)
    ends[0].send(0, 1)
    board.bar(1)
    expect(ends[1].pipe.isReadable).toBe(false)
    expect(await ends[1].pipe.drain(10, () => true)).toBe(0)
    expect(ends[1].send(0, 1)).toBe(false)
    expect(ends[1].send(0, 500)).toBe(false)
    ends[0].pipe.close()
  })
})
