import { beforeEach, describe, expect, it } from 'vitest'
import { Outbox, OUTBOX_CAPACITY, readFailure, type Undelivered } from '../../../src/actors/outbox.ts'
import { FIRST_SELECTOR } from '../../../src/actors/protocol.ts'
import { RUNTIME_ID, Signal } from '../../../src/actors/signal.ts'
import { SzmqError } from '../../../src/shared/errors.ts'
import { createMessageCodec } from '../../../src/transport/message.codec.ts'
import { settlementOf } from '../../support/memory-runtime.ts'

const ACTOR = 64
const ADD = FIRST_SELECTOR
const codec = createMessageCodec()
const gone = new SzmqError('ERR_SZMQ_THREAD_LOST', 'gone')

let isOpen = true
let carried: unknown[][] = []
let undelivered: Undelivered[] = []
let dirty = 0
let outbox: Outbox
let onCarry: () => void = () => {}

function open(maxBatchBytes = 1_000_000): Outbox {
  return new Outbox({
    destination: 'thread 1',
    codec,
    carry: (batch) => {
      onCarry()
      if (isOpen) carried.push(codec.decode(batch.slice()))
      return isOpen
    },
    maxBatchBytes,
    markDirty: () => {
      dirty += 1
    },
    onUndelivered: (letter) => undelivered.push(letter),
  })
}

beforeEach(() => {
  isOpen = true
  carried = []
  undelivered = []
  dirty = 0
  onCarry = () => {}
  outbox = open()
})

/** What was carried, message by message. */
function messages(): unknown[][] {
  const all: unknown[][] = []
  for (const values of carried) {
    for (let at = 0; at < values.length;) {
      const places = 3 + ((values[at + 1] as number) & 1)
      all.push(values.slice(at, at + places))
      at += places
    }
  }
  return all
}

const payloads = (): unknown[] => messages().map(([, , payload]) => payload)

describe('an outbox', () => {
  it('sends what one turn told as one batch, when the turn ends', () => {
    outbox.push(ACTOR, ADD, 1)
    outbox.push(ACTOR, ADD, 2, 7)
    expect(carried).toEqual([])
    expect(dirty).toBe(1)
    outbox.flush()
    expect(carried).toEqual([[ACTOR, ADD * 2, 1, ACTOR, ADD * 2 + 1, 2, 7]])
    outbox.flush()
    expect(carried).toHaveLength(1)
  })

  it('sends earlier when a batch is full, by count or by size', () => {
    for (let n = 0; n < 512; n += 1) outbox.push(ACTOR, ADD, n)
    expect(carried).toHaveLength(1)
    outbox.push(ACTOR, ADD, new Uint8Array(65_536))
    expect(carried).toHaveLength(2)
    outbox.push(ACTOR, ADD, { text: 'x'.repeat(65_536) })
    expect(carried).toHaveLength(3)
  })

  it('keeps everything in order while the way is blocked, and goes on when it is free', () => {
    isOpen = false
    for (let n = 0; n < 2_000; n += 1) {
      outbox.push(ACTOR, ADD, n)
      if (n % 300 === 0) outbox.flush()
    }
    outbox.flush()
    isOpen = true
    outbox.resume()
    expect(payloads()).toEqual(Array.from({ length: 2_000 }, (_, n) => n))
  })

  it('is ready at once while the way is free, and otherwise when nothing is held up any more', async () => {
    await outbox.ready()
    isOpen = false
    outbox.push(ACTOR, ADD, 1)
    await outbox.ready()
    outbox.flush()
    const ready = outbox.ready()
    expect(await settlementOf(ready)).toBe('pending')
    outbox.resume()
    expect(await settlementOf(ready)).toBe('pending')
    isOpen = true
    outbox.resume()
    await ready
  })

  it('refuses one message more than it can hold, but never a signal, and takes more when some have left', () => {
    isOpen = false
    for (let n = 0; n < OUTBOX_CAPACITY; n += 1) outbox.push(ACTOR, ADD, n)
    expect(() => {
      outbox.push(ACTOR, ADD, 'one more')
    }).toThrowError(expect.objectContaining({ code: 'ERR_SZMQ_BACKPRESSURE' }))
    outbox.push(ACTOR, Signal.stop, undefined, 1)
    isOpen = true
    outbox.resume()
    outbox.push(ACTOR, ADD, 'after')
    outbox.flush()
    expect(messages()).toHaveLength(OUTBOX_CAPACITY + 2)
    expect(payloads().at(-1)).toBe('after')
    expect(undelivered).toEqual([])
  })

  it('loses only the message that cannot be packed, and gives its place back', () => {
    isOpen = false
    for (let n = 0; n < OUTBOX_CAPACITY; n += 1) outbox.push(ACTOR, ADD, n % 100 === 50 ? () => n : n)
    isOpen = true
    outbox.resume()
    expect(undelivered).toHaveLength(655)
    expect(undelivered[0]).toMatchObject({ target: ACTOR, selector: ADD, askId: undefined, reason: 'not-serializable' })
    expect(messages()).toHaveLength(OUTBOX_CAPACITY - undelivered.length)
    isOpen = false
    for (let n = 0; n < OUTBOX_CAPACITY; n += 1) outbox.push(ACTOR, ADD, n)
    expect(() => {
      outbox.push(ACTOR, ADD, 'one more')
    }).toThrowError(expect.objectContaining({ code: 'ERR_SZMQ_BACKPRESSURE' }))
  })

  it('loses only the message that is too long, and keeps the others in order', () => {
    outbox = open(1_000)
    for (let n = 0; n < 50; n += 1)
      outbox.push(ACTOR, ADD, n % 10 === 3 ? 'x'.repeat(2_000) : n, n % 2 === 0 ? n + 1 : undefined)
    outbox.flush()
    expect(undelivered).toHaveLength(5)
    expect(undelivered[0]).toMatchObject({ error: { code: 'ERR_SZMQ_LIMIT_EXCEEDED' }, askId: undefined })
    expect(payloads()).toEqual(Array.from({ length: 50 }, (_, n) => n).filter((n) => n % 10 !== 3))
  })

  it('does not take a getter that throws for its own failure', () => {
    const trap = {
      get trap(): never {
        throw new Error('sprung')
      },
    }
    outbox.push(ACTOR, ADD, 1)
    outbox.push(ACTOR, ADD, trap)
    outbox.answererFor(5).answer(trap)
    outbox.push(ACTOR, ADD, 2)
    outbox.flush()
    outbox.flush()
    expect(undelivered).toMatchObject([{ target: ACTOR, reason: 'not-serializable' }])
    expect(messages()).toMatchObject([
      [ACTOR, ADD * 2, 1],
      [ACTOR, ADD * 2, 2],
      [RUNTIME_ID, Signal.failure * 2 + 1, { code: 'ERR_SZMQ_NOT_SERIALIZABLE' }, 5],
    ])
  })

  it('answers an ask whose answer cannot be packed with the reason', () => {
    outbox.answererFor(5).answer(() => 1)
    outbox.flush()
    outbox.flush()
    expect(messages()).toMatchObject([[RUNTIME_ID, Signal.failure * 2 + 1, { code: 'ERR_SZMQ_NOT_SERIALIZABLE' }, 5]])
    expect(undelivered).toEqual([])
  })

  it('answers an ask whose answer is too long with the reason, rather than with silence', () => {
    outbox = open(1_000)
    outbox.answererFor(5).answer('x'.repeat(2_000))
    outbox.flush()
    outbox.flush()
    expect(messages()).toMatchObject([[RUNTIME_ID, Signal.failure * 2 + 1, { code: 'ERR_SZMQ_LIMIT_EXCEEDED' }, 5]])
  })

  it('answers with a failure however long its text is', () => {
    outbox = open(10_000)
    outbox.answererFor(5).fail(new SzmqError('ERR_SZMQ_HANDLER_FAILED', 'x'.repeat(20_000)))
    outbox.flush()
    expect(messages()).toMatchObject([[RUNTIME_ID, Signal.failure * 2 + 1, { code: 'ERR_SZMQ_HANDLER_FAILED' }, 5]])
  })

  it('keeps the order when many answers in a held up batch cannot be packed', () => {
    isOpen = false
    for (let round = 0; round < 4; round += 1) {
      for (let n = 0; n < 400; n += 1) outbox.answererFor(round * 1_000 + n).answer(() => 1)
      for (let n = 0; n < 112; n += 1) outbox.push(ACTOR, ADD, round * 1_000 + n)
    }
    isOpen = true
    outbox.resume()
    for (let n = 0; n < 5; n += 1) outbox.flush()
    const sent = payloads().filter((payload) => typeof payload === 'number')
    expect(sent).toHaveLength(4 * 112)
    expect(sent).toEqual(sent.toSorted((a, b) => a - b))
    expect(messages().filter(([target]) => target === RUNTIME_ID)).toHaveLength(1_600)
  })

  it('loses nothing when the way is blocked amid answers that cannot be packed', () => {
    isOpen = false
    for (let round = 0; round < 4; round += 1) {
      for (let n = 0; n < 400; n += 1) outbox.answererFor(round * 1_000 + n).answer(() => 1)
      for (let n = 0; n < 112; n += 1) outbox.push(ACTOR, ADD, round * 1_000 + n)
    }
    for (let carries = 0; carries < 40; carries += 1) {
      let left = 1
      onCarry = () => {
        isOpen = (left -= 1) >= 0
      }
      outbox.resume()
      outbox.flush()
    }
    expect(payloads().filter((payload) => typeof payload === 'number')).toHaveLength(4 * 112)
    expect(messages().filter(([target]) => target === RUNTIME_ID)).toHaveLength(1_600)
  })
})

describe('an outbox whose destination is lost', () => {
  it('gives up what waits and what still comes, each exactly once', async () => {
    isOpen = false
    for (let n = 0; n < 1_000; n += 1) outbox.push(ACTOR, ADD, n, n)
    const ready = outbox.ready()
    ready.catch(() => {})
    outbox.lose('thread-lost', gone)
    outbox.lose('thread-lost', gone)
    outbox.push(ACTOR, ADD, 1_000, 1_000)
    isOpen = true
    outbox.flush()
    outbox.resume()
    expect(carried).toEqual([])
    expect(undelivered.map(({ askId }) => askId)).toEqual(Array.from({ length: 1_001 }, (_, n) => n))
    expect(undelivered.every(({ reason, error }) => reason === 'thread-lost' && error === gone)).toBe(true)
    await expect(ready).rejects.toBe(gone)
    await expect(outbox.ready()).rejects.toBe(gone)
  })

  it.each([true, false])('survives the loss in the middle of handing a batch on (taken: %s)', (isTaken) => {
    isOpen = isTaken
    onCarry = () => {
      outbox.lose('node-lost', gone)
    }
    outbox.push(ACTOR, ADD, 1)
    outbox.push(ACTOR, ADD, 2)
    outbox.flush()
    expect(messages().length + undelivered.length).toBe(2)
    outbox.push(ACTOR, ADD, 3)
    outbox.flush()
    expect(messages().length + undelivered.length).toBe(3)
  })
})

describe('a failure that travelled', () => {
  it.each([undefined, null, 1, 'x', [], {}, { code: 'EVIL', message: {} }, { code: 'toString' }, new Map()])(
    'is a SzmqError whatever a peer sent: %j',
    (payload) => {
      expect(readFailure(payload)).toMatchObject({ name: 'SzmqError', code: 'ERR_SZMQ_HANDLER_FAILED' })
    },
  )

  it('keeps its code, and as much of its text as is worth it', () => {
    const error = readFailure({ code: 'ERR_SZMQ_MAILBOX_FULL', message: 'x'.repeat(1_000_000) })
    expect(error.code).toBe('ERR_SZMQ_MAILBOX_FULL')
    expect(error.message.length).toBeLessThan(5_000)
  })
})
