import type { Plan } from './plan.ts'
import type { RunCounters, RunResult } from './simulation.ts'

/** What travels from a worker: plain data. */
export interface RunOutcome {
  readonly seed: number
  readonly profile: Plan['profile']
  readonly hash: string
  readonly counters: RunCounters
  readonly violation: string | undefined
}

export function outcomeOf({ plan, hash, counters, violation }: RunResult): RunOutcome {
  return { seed: plan.seed, profile: plan.profile, hash, counters, violation: violation?.message }
}

interface Longest {
  readonly ms: number
  readonly seed: number
}

/** Many runs in one. The same runs give the same summary, in whatever order they ended. */
export class Summary {
  runs = 0
  readonly profiles: Record<string, number> = {}
  readonly faults: Record<string, number> = {}
  readonly batches = { accepted: 0, received: 0, givenBack: 0, givenBackAndReceived: 0, lostWithSender: 0 }
  readonly frames = { sent: 0, delivered: 0, undeliverable: 0 }
  readonly links = { made: 0, up: 0, suspended: 0, resumed: 0, replayedBatches: 0 }
  readonly downs: Record<string, number> = {}
  simulatedMs = 0
  longestResume: Longest = { ms: 0, seed: 0 }
  longestRecovery: Longest = { ms: 0, seed: 0 }
  readonly failed: { readonly seed: number; readonly violation: string }[] = []
  #hash = 0n

  add({ seed, profile, hash, counters, violation }: RunOutcome): void {
    this.runs += 1
    count(this.profiles, profile, 1)
    for (const [kind, times] of Object.entries({ ...counters.network.faults, ...counters.happenings }))
      count(this.faults, kind, times)
    for (const [code, times] of Object.entries(counters.downs)) count(this.downs, code, times)
    for (const key of keysOf(this.batches)) this.batches[key] += counters.batches[key]
    for (const key of keysOf(this.frames)) this.frames[key] += counters.network[key]
    this.links.made += counters.links
    this.links.up += counters.ups
    this.links.suspended += counters.suspended
    this.links.resumed += counters.resumed
    this.links.replayedBatches += counters.replayed
    this.simulatedMs += counters.simulatedMs
    this.longestResume = longer(this.longestResume, { ms: counters.longestResumeMs, seed })
    this.longestRecovery = longer(this.longestRecovery, { ms: counters.recoveryMs, seed })
    if (violation !== undefined) this.failed.push({ seed, violation })
    this.#hash = (this.#hash + BigInt(`0x${hash}`)) & 0xffff_ffff_ffff_ffffn
  }

  /** Over the hashes of all runs. */
  get hash(): string {
    return this.#hash.toString(16).padStart(16, '0')
  }

  toJSON(): object {
    const { runs, profiles, faults, batches, frames, links, downs, simulatedMs, longestResume, longestRecovery, failed, hash } =
      this
    return { runs, profiles, faults, batches, frames, links, downs, simulatedMs, longestResume, longestRecovery, failed, hash }
  }

  toText(seeds: string): string {
    const { batches, frames, links } = this
    const lines = [
      ['seeds', `${seeds} (${list(this.profiles)})`],
      ['simulated', `${(this.simulatedMs / 3_600_000).toFixed(1)} hours`],
      ['faults', list(this.faults)],
      [
        'frames',
        `${number(frames.sent)} sent, ${number(frames.delivered)} delivered, ${number(frames.undeliverable)} nobody was there for`,
      ],
      [
        'batches',
        `${number(batches.accepted)} accepted = ${number(batches.received)} delivered + ${number(batches.givenBack)} given back + ${number(batches.lostWithSender)} lost with their sender's process`,
      ],
      [
        '',
        `${number(batches.givenBackAndReceived)} more were given back although they had been delivered: the acknowledgement was lost`,
      ],
      ['links', `${number(links.made)} made, ${number(links.up)} up`],
      [
        'resets',
        `${number(links.suspended)} suspended, ${number(links.resumed)} resumed, ${number(links.replayedBatches)} batches replayed`,
      ],
      ['downs', list(this.downs)],
      ['longest resumption', `${Math.round(this.longestResume.ms)} ms (seed ${this.longestResume.seed})`],
      [
        'longest recovery',
        `${Math.round(this.longestRecovery.ms)} ms after the last fault (seed ${this.longestRecovery.seed})`,
      ],
      ['hash', this.hash],
      ['failed', this.failed.length === 0 ? 'none' : this.failed.map(({ seed }) => seed).join(' ')],
    ]
    return lines.map(([name = '', value = '']) => `${name.padEnd(20)}${value}`).join('\n')
  }
}

function count(table: Record<string, number>, key: string, times: number): void {
  table[key] = (table[key] ?? 0) + times
}

function keysOf<Key extends string>(table: Record<Key, number>): readonly Key[] {
  return Object.keys(table) as Key[]
}

/** The smaller seed of two equal ones, so that the order of runs does not matter. */
function longer(a: Longest, b: Longest): Longest {
  if (a.ms !== b.ms) return a.ms > b.ms ? a : b
  return a.seed < b.seed ? a : b
}

function list(table: Record<string, number>): string {
  const entries = Object.entries(table)
    .filter(([, times]) => times > 0)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
  return entries.length === 0 ? 'none' : entries.map(([key, times]) => `${key} ${number(times)}`).join(', ')
}

function number(value: number): string {
  return value.toLocaleString('en').replaceAll(',', ' ')
}
