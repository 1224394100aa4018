import { expect, it } from 'vitest'
import { Board } from '../../../src/transport/board.ts'
import { Doorbell } from '../../../src/transport/doorbell.driver.ts'
import { Mesh } from '../../../src/transport/mesh.ts'
import { openPair } from '../../../src/transport/zmq.driver.ts'

const NOTHING = new Uint8Array(0)
let systems = 0

/** Two ends of one board in one thread, with real sockets and real bells. */
function start() {
  systems += 1
  const board = Board.create(3)
  const told: string[] = []
  const waiting = new Map<string, () => void>()
  let mayTake = true
  const tell = (what: string): void => {
    told.push(what)
    waiting.get(what)?.()
  }
  const open = (self: number): Mesh =>
    new Mesh({
      self,
      system: `mesh-test-${systems}`,
      board,
      doorbell: new Doorbell(board, self),
      openPair,
      listener: {
        onBatch: (from, batch) => {
          tell(`${self} got ${Buffer.from(batch).toString()} from ${from}`)
        },
        onRoom: (to) => {
          tell(`${self} has room to ${to}`)
        },
        onLost: (slot) => {
          tell(`${self} lost ${slot}`)
        },
        mayTake: () => mayTake,
      },
    })
  return {
    board,
    told,
    open,
    heard: (what: string): Promise<void> =>
      new Promise((resolve) => {
        waiting.set(what, resolve)
        if (told.includes(what)) resolve()
      }),
    setMayTake: (value: boolean) => {
      mayTake = value
    },
  }
}

const bytes = (text: string): Uint8Array => Buffer.from(text)

it('hears what a thread sent before its end, even if it looks only after that, and then of the loss, once', async () => {
  const { board, told, open, heard } = start()
  const [mine, other] = [open(0), open(1)]
  expect(other.send(0, NOTHING, bytes('short'))).toBe(true)
  expect(other.send(0, NOTHING, bytes('long'.repeat(100)))).toBe(true)
  board.setLife(1, 'lost')
  board.ringAll()
  mine.start()
  await heard('0 lost 1')
  board.ringAll()
  expect(told).toEqual(['0 got short from 1', `0 got ${'long'.repeat(100)} from 1`, '0 lost 1'])
  expect(mine.isLost(1)).toBe(true)
  mine.close()
  other.close()
})

it('sends nothing to a thread that is lost, and nothing once it is closed', async () => {
  const { board, open, heard } = start()
  const mine = open(0)
  mine.start()
  board.setLife(1, 'lost')
  board.ringAll()
  await heard('0 lost 1')
  expect(mine.send(1, NOTHING, bytes('x'))).toBe(false)
  expect(board.isInvited(0, 1)).toBe(false)
  mine.close()
  expect(mine.send(2, NOTHING, bytes('x'))).toBe(false)
})

it('leaves batches where they are until it may take them, and tells a loss only after them', async () => {
  const { board, told, open, heard, setMayTake } = start()
  const [mine, other] = [open(0), open(1)]
  setMayTake(false)
  mine.start()
  other.send(0, NOTHING, bytes('a'))
  board.setLife(1, 'lost')
  board.setLife(2, 'lost')
  board.ringAll()
  await heard('0 lost 2')
  expect(told).toEqual(['0 lost 2'])
  setMayTake(true)
  mine.wake()
  await heard('0 lost 1')
  expect(told).toEqual(['0 lost 2', '0 got a from 1', '0 lost 1'])
  mine.close()
  other.close()
})

it('says when a thread that refused takes batches again', async () => {
  const { open, heard } = start()
  const [mine, other] = [open(0), open(1)]
  while (mine.send(1, NOTHING, bytes('x')));
  mine.start()
  other.start()
  await heard('0 has room to 1')
  expect(mine.send(1, NOTHING, bytes('last'))).toBe(true)
  await heard('1 got last from 0')
  mine.close()
  other.close()
})
