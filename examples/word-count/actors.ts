import { open } from 'node:fs/promises'
import { ask, defineActor, refTo, tell, type ActorRef } from 'szmq'
import { z } from 'zod'
import { countWords, cutBetweenWords, looksBinary } from './words.ts'

/** Text goes to the counters in pieces of about this size. */
const PIECE_BYTES = 1024 * 1024
/** Entries of one page of a counter's totals. */
const PAGE_ENTRIES = 20_000

const bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array, 'expected bytes')

/** Counts the words of the text that it is sent. Lives on a thread of either node. */
export const Counter = defineActor(import.meta, {
  name: 'counter',
  protocol: {
    /** UTF-8 text; answers how many words it has. */
    count: ask(bytes, z.number()),
    /** Page number `n` of the counts so far, empty behind the last one. */
    totals: ask(z.number(), z.array(z.tuple([z.string(), z.number()]))),
  },
  state: () => ({ counts: new Map<string, number>(), decoder: new TextDecoder(), pages: [] as [string, number][] }),
  on: {
    count: ({ counts, decoder }, text) => countWords(decoder.decode(text), counts),
    totals: (state, page) => {
      if (page === 0) state.pages = [...state.counts]
      return state.pages.slice(page * PAGE_ENTRIES, (page + 1) * PAGE_ENTRIES)
    },
  },
  mailbox: { capacity: 1_000 },
})

/** What became of one file. */
export const outcome = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('counted'), bytes: z.number(), words: z.number() }),
  z.object({ kind: z.literal('binary') }),
  z.object({ kind: z.literal('unreadable'), reason: z.string() }),
])
export type Outcome = z.infer<typeof outcome>

type CounterRef = ActorRef<(typeof Counter)['protocol']>

/** Reads files on a thread of the first node and deals their text out to the counters of both. */
export const Reader = defineActor(import.meta, {
  name: 'reader',
  protocol: {
    /** One more counter to deal to. */
    dealTo: tell(refTo(() => Counter)),
    /** Path of a file. */
    read: ask(z.string(), outcome),
    /** For `--fault worker-throws`: an exception outside any handler, which ends the thread. */
    throwOnThread: tell(z.string()),
  },
  state: () => ({ counters: [] as CounterRef[], next: 0 }),
  on: {
    dealTo: (state, counter) => {
      state.counters.push(counter)
    },
    read: async (state, path): Promise<Outcome> => {
      let read = 0
      let words = 0
      for await (const piece of piecesOf(path)) {
        if (piece === 'binary') return { kind: 'binary' }
        if (piece instanceof Error) return { kind: 'unreadable', reason: piece.message }
        const counter = state.counters[state.next % state.counters.length]
        state.next += 1
        if (counter === undefined) throw new Error('a reader without counters')
        read += piece.length
        words += await counter.ask.count(piece)
      }
      return { kind: 'counted', bytes: read, words }
    },
    throwOnThread: (_state, text) => {
      setImmediate(() => {
        throw new Error(text)
      })
    },
  },
})

/** The file in pieces that cut no word. The last one says if it is no text, or cannot be read. */
async function* piecesOf(path: string): AsyncGenerator<Uint8Array | 'binary' | Error> {
  try {
    await using file = await open(path)
    // One byte more than the file has: a read that is not filled is the last one.
    const wanted = Math.min(PIECE_BYTES, (await file.stat()).size + 1)
    let rest: Uint8Array = new Uint8Array(0)
    for (let isFirst = true; ; isFirst = false) {
      const buffer = Buffer.allocUnsafeSlow(rest.length + wanted)
      buffer.set(rest)
      const { bytesRead } = await file.read(buffer, rest.length, wanted)
      const filled = buffer.subarray(0, rest.length + bytesRead)
      if (isFirst && looksBinary(filled)) {
        yield 'binary'
        return
      }
      const isEnd = bytesRead < wanted
      const end = isEnd ? filled.length : cutBetweenWords(filled)
      if (end > 0) yield filled.subarray(0, end)
      if (isEnd) return
      rest = filled.slice(end)
    }
  } catch (error) {
    yield error instanceof Error ? error : new Error(String(error))
  }
}
