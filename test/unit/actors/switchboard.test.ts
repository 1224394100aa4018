import { describe, expect, it } from 'vitest'
import { decodeOrigin } from '../../../src/actors/origin.codec.ts'
import type { Origin } from '../../../src/actors/origin.ts'
import { Switchboard, type LinkPort } from '../../../src/actors/switchboard.ts'
import { originOf } from '../../support/origins.ts'

const BATCH = new Uint8Array(3)

/** A switchboard of a host and two workers, and what it did. */
function setUp() {
  const log: string[] = []
  const state = { hasRoom: true, lost: new Set<number>() }
  const board = new Switchboard({
    threads: 3,
    pipe: (thread, head, batch) => {
      if (!state.hasRoom) return false
      if (head.kind === 'origin') log.push(`${thread} origin ${head.link} ${decodeOrigin(batch).identity.subject}`)
      else if (head.kind === 'fromLink') log.push(`${thread} batch ${head.link} of ${head.thread}`)
      else log.push(`${thread} ${head.kind} ${'link' in head ? head.link : ''}`)
      return true
    },
    canDeliver: () => true,
    deliver: ({ identity }, thread) => log.push(`0 batch by ${identity.subject} of ${thread}`),
    isLost: (thread) => state.lost.has(thread),
    bury: (_batch, reason, _node, origin) => log.push(`buried ${reason} ${origin?.identity.subject}`),
    onUnreachable: () => {},
    wakePipes: () => {},
  })
  const port = (number: number, subject: string): LinkPort & { origin: Origin } => ({
    node: `node-${subject}`,
    name: subject,
    number,
    origin: originOf(subject),
    send: () => true,
    delivered: (sequence) => log.push(`delivered ${sequence}`),
  })
  const taken = (): string[] => log.splice(0)
  return { board, port, state, taken }
}

describe('a thread that gets batches of a link', () => {
  it('is told who is at its far end before the first one, once, and that it is gone behind the last one', () => {
    const { board, port, taken } = setUp()
    const b = port(1, 'b')
    const c = port(2, 'c')
    for (const link of [b, c]) board.addLink(link)
    board.onArrival(b, 1, 1, 7, BATCH)
    board.onArrival(b, 2, 1, 7, BATCH)
    board.onArrival(c, 1, 1, 0, BATCH)
    board.onArrival(b, 3, 0, 7, BATCH)
    expect(taken()).toEqual([
      ...['1 origin 1 b', '1 batch 1 of 7', 'delivered 1', '1 batch 1 of 7', 'delivered 2'],
      ...['1 origin 2 c', '1 batch 2 of 0', 'delivered 1'],
      ...['0 batch by b of 7', 'delivered 3'],
    ])
    board.removeLink(b)
    expect(taken()).toEqual(['1 originGone 1'])
    board.removeLink(c)
    expect(taken()).toEqual(['1 originGone 2'])
  })

  it('is told so even when the pipe had no room for it, and never after a batch', () => {
    const { board, port, state, taken } = setUp()
    const b = port(1, 'b')
    board.addLink(b)
    state.hasRoom = false
    board.onArrival(b, 1, 2, 0, BATCH)
    board.handOn(2)
    expect(taken()).toEqual([])
    state.hasRoom = true
    board.handOn(2)
    expect(taken()).toEqual(['2 origin 1 b', '2 batch 1 of 0', 'delivered 1'])
    state.hasRoom = false
    board.onArrival(b, 2, 2, 0, BATCH)
    board.removeLink(b)
    expect(taken()).toEqual(['buried node-lost b'])
    state.hasRoom = true
    board.handOn(2)
    expect(taken()).toEqual(['2 originGone 1'])
  })

  it('is told again when the peer shows another certificate; what came before is still of the one before', () => {
    const { board, port, state, taken } = setUp()
    const b = port(1, 'b')
    board.addLink(b)
    board.onArrival(b, 1, 1, 0, BATCH)
    state.hasRoom = false
    board.onArrival(b, 2, 1, 0, BATCH)
    b.origin = originOf('renewed')
    board.onArrival(b, 3, 1, 0, BATCH)
    state.hasRoom = true
    taken()
    board.handOn(1)
    expect(taken()).toEqual(['1 batch 1 of 0', 'delivered 2', '1 origin 1 renewed', '1 batch 1 of 0', 'delivered 3'])
  })

  it('that is lost gets nothing: batches are buried with who sent them, and nothing else counts', () => {
    const { board, port, state, taken } = setUp()
    const b = port(1, 'b')
    board.addLink(b)
    board.onArrival(b, 1, 1, 0, BATCH)
    taken()
    state.lost.add(1)
    board.onArrival(b, 2, 1, 0, BATCH)
    board.removeLink(b)
    expect(taken()).toEqual(['buried thread-lost b', 'delivered 2'])
  })
})
