import type { Contender } from './contender.ts'
import { szmqLink } from './contenders/szmq-link.ts'
import { szmqLocal } from './contenders/szmq-local.ts'
import { szmqThread } from './contenders/szmq-thread.ts'
import { arrayQueue } from './peers/array-queue.ts'
import { curve } from './peers/curve.ts'
import { nactTell } from './peers/nact-tell.ts'
import { postMessage } from './peers/post-message.ts'
import { rawPair } from './peers/raw-pair.ts'

/** A row: one distance, its contenders, and the cases that each of them runs. */
export interface Row {
  readonly name: string
  readonly title: string
  /** The first one is the subject: ratios say how it compares with each of the others. */
  readonly contenders: readonly Contender[]
  readonly cases: readonly Case[]
}

export type Case =
  | { readonly kind: 'stream'; readonly sizeBytes: number; readonly count: number }
  | { readonly kind: 'round trip'; readonly count: number }

/** Handshakes carry no messages: this row is measured by `kx/`. */
export const KX_ROW = 'kx'

export const rows: readonly Row[] = [
  {
    name: 'local',
    title: 'tell, within a thread',
    contenders: [szmqLocal, nactTell, arrayQueue],
    cases: [{ kind: 'stream', sizeBytes: 64, count: 500_000 }],
  },
  {
    name: 'thread',
    title: 'thread to thread',
    contenders: [szmqThread, postMessage, rawPair],
    cases: distances({ small: 300_000, medium: 200_000, large: 8_000, trips: 5_000 }),
  },
  {
    name: 'link',
    title: 'node to node, encrypted, two processes over tcp loopback',
    contenders: [szmqLink, curve],
    cases: distances({ small: 200_000, medium: 100_000, large: 4_000, trips: 3_000 }),
  },
]

interface Counts {
  readonly small: number
  readonly medium: number
  readonly large: number
  readonly trips: number
}

function distances({ small, medium, large, trips }: Counts): readonly Case[] {
  return [
    { kind: 'stream', sizeBytes: 64, count: small },
    { kind: 'stream', sizeBytes: 1_024, count: medium },
    { kind: 'stream', sizeBytes: 65_536, count: large },
    { kind: 'round trip', count: trips },
  ]
}
