import type { Coverage } from './coverage.ts'
import { Dice } from './dice.ts'
import { byteLength, DEFAULT_MAX_MS, type FuzzInput, type FuzzTarget, type PreparedTarget } from './fuzz-target.ts'
import { minimise } from './minimise.ts'
import { Mutator } from './mutator.ts'
import { allocatedBytes, allocationLimit, tryInput, weighInput, type Trial } from './trial.ts'

export interface LoopOptions {
  readonly seed: number
  readonly maxInputs: number
  /** On the scale of `performance.now()`. */
  readonly deadline: number
  /** Beside the target's seeds. */
  readonly corpus: readonly FuzzInput[]
  readonly coverage?: Coverage
  /** Before each input, so that whoever looks at a crash knows it. */
  readonly onInput?: (input: FuzzInput) => void
  readonly onProgress?: (inputs: number) => void
}

export interface LoopResult {
  readonly inputs: number
  readonly seconds: number
  readonly corpusSize: number
  readonly coveredCharacters: number
  readonly slowestMs: number
  /** Bytes of the slowest. */
  readonly slowestBytes: number
  /** The inputs that brought new code or a new feature, beside seeds and corpus. */
  readonly discoveries: readonly FuzzInput[]
  readonly failure: FuzzFailure | undefined
}

export interface FuzzFailure {
  readonly why: string
  readonly stack: string
  readonly input: FuzzInput
}

const BATCH_INPUTS = 256
const BATCH_MS = 100
/** Coverage leads the way for this part of the inputs or of the time, whichever ends first; then the corpus that it found is mutated on. */
const GUIDED_PART = 0.15
const MAX_GUIDED_MS = 12_000
const MAX_CORPUS = 4_000
const MAX_FEATURES = 4_000
/** Every so many inputs garbage is collected, and what is left may not have grown. */
const LEAK_CHECK_INPUTS = 10_000
const MAX_GROWTH_BYTES = 32 * 1_024 * 1_024

/** Mutates, runs, keeps what shows something new, and stops at the first input that breaks a promise. */
export async function fuzzLoop(target: FuzzTarget, prepared: PreparedTarget, options: LoopOptions): Promise<LoopResult> {
  return new FuzzLoop(target, prepared, options).run()
}

class FuzzLoop {
  readonly #prepared: PreparedTarget
  readonly #maxMs: number
  readonly #options: LoopOptions
  readonly #dice: Dice
  readonly #mutator: Mutator
  readonly #corpus: FuzzInput[] = []
  readonly #features = new Set<string>()
  readonly #discoveries: FuzzInput[] = []
  #corpusBytes = 0
  #inputs = 0
  #slowestMs = 0
  #slowestBytes = 0
  #baseline: number | undefined
  #nextLeakCheck = LEAK_CHECK_INPUTS
  #coverage: Coverage | undefined
  #guidedUntil = 0

  constructor({ maxMs = DEFAULT_MAX_MS }: FuzzTarget, prepared: PreparedTarget, options: LoopOptions) {
    this.#prepared = prepared
    this.#maxMs = maxMs
    this.#options = options
    this.#coverage = options.coverage
    this.#dice = new Dice(options.seed)
    this.#mutator = new Mutator(this.#dice, prepared.words ?? [])
  }

  async run(): Promise<LoopResult> {
    const startedAt = performance.now()
    const failure = await this.#search()
    return {
      inputs: this.#inputs,
      seconds: (performance.now() - startedAt) / 1_000,
      corpusSize: this.#corpus.length,
      coveredCharacters: this.#options.coverage?.characters ?? 0,
      slowestMs: this.#slowestMs,
      slowestBytes: this.#slowestBytes,
      discoveries: this.#discoveries,
      failure: failure === undefined ? undefined : await this.#reduce(failure),
    }
  }

  async #search(): Promise<FuzzFailure | undefined> {
    const { corpus, maxInputs, deadline } = this.#options
    this.#coverage?.ask(true)
    for (const seed of [...this.#prepared.seeds, ...corpus]) {
      const failure = await this.#runOne(seed, false)
      if (failure !== undefined) return failure
      this.#keep(seed)
    }
    this.#coverage?.ask(true)
    const now = performance.now()
    this.#guidedUntil = now + Math.min(MAX_GUIDED_MS, GUIDED_PART * (deadline - now))
    while (this.#inputs < maxInputs && performance.now() < deadline) {
      const failure = (await this.#runBatch()) ?? (await this.#checkLeak())
      if (failure !== undefined) return failure
      this.#options.onProgress?.(this.#inputs)
      await endOfTurn()
    }
    return undefined
  }

  async #runBatch(): Promise<FuzzFailure | undefined> {
    const batch: FuzzInput[] = []
    const startedAt = performance.now()
    const before = allocatedBytes()
    while (batch.length < BATCH_INPUTS && performance.now() - startedAt < BATCH_MS) {
      if (this.#inputs >= this.#options.maxInputs) break
      const input = this.#nextInput()
      batch.push(input)
      const failure = await this.#runOne(input, true)
      if (failure !== undefined) return failure
    }
    if (allocatedBytes() - before > allocationLimit([])) {
      const heavy = await this.#weigh(batch)
      if (heavy !== undefined) return heavy
    }
    if (this.#coverage?.ask(false) === true) await this.#attribute(batch)
    if (this.#inputs >= GUIDED_PART * this.#options.maxInputs || performance.now() >= this.#guidedUntil) this.#stopCoverage()
    return undefined
  }

  #nextInput(): FuzzInput {
    const parent = this.#dice.pickFrom(this.#corpus) ?? []
    return this.#mutator.mutate(parent, this.#dice.pickFrom(this.#corpus) ?? [])
  }

  async #runOne(input: FuzzInput, isCounted: boolean): Promise<FuzzFailure | undefined> {
    this.#options.onInput?.(input)
    if (isCounted) this.#inputs += 1
    const trial = await tryInput(this.#prepared, input, this.#maxMs)
    if (trial.kind === 'broken') return { ...trial, input }
    if (trial.ms > this.#slowestMs) {
      this.#slowestMs = trial.ms
      this.#slowestBytes = byteLength(input)
    }
    if (this.#isNew(trial.features) && isCounted) this.#discover(input)
    return undefined
  }

  #isNew(features: readonly string[]): boolean {
    const before = this.#features.size
    for (const feature of features) if (this.#features.size < MAX_FEATURES) this.#features.add(feature)
    return this.#features.size > before
  }

  #stopCoverage(): void {
    this.#coverage?.stop()
    this.#coverage = undefined
  }

  /** Which inputs of `batch` bring the new code? Halves it until single ones are left. */
  async #attribute(batch: readonly FuzzInput[]): Promise<void> {
    const coverage = this.#coverage
    for (const input of batch) await tryInput(this.#prepared, input, Infinity)
    if (coverage?.ask(false) !== true) return
    if (batch.length > 1) {
      const middle = batch.length >> 1
      await this.#attribute(batch.slice(0, middle))
      await this.#attribute(batch.slice(middle))
      return
    }
    for (const input of batch) {
      await tryInput(this.#prepared, input, Infinity)
      coverage.ask(true)
      this.#discover(input)
    }
  }

  async #weigh(batch: readonly FuzzInput[]): Promise<FuzzFailure | undefined> {
    for (const input of batch) {
      const trial = await weighInput(this.#prepared, input, this.#maxMs)
      if (trial.kind === 'broken') return { ...trial, input }
    }
    return undefined
  }

  async #checkLeak(): Promise<FuzzFailure | undefined> {
    if (this.#inputs < this.#nextLeakCheck || globalThis.gc === undefined) return undefined
    this.#nextLeakCheck = this.#inputs + LEAK_CHECK_INPUTS
    await endOfTurn()
    globalThis.gc()
    const held = allocatedBytes() - this.#corpusBytes
    this.#baseline ??= held
    const growth = held - this.#baseline
    if (growth <= MAX_GROWTH_BYTES) return undefined
    const why = `${(growth / 1_048_576).toFixed(0)} MiB more are held after ${this.#inputs} inputs than after ${LEAK_CHECK_INPUTS}: something keeps them`
    return { why, stack: '', input: [] }
  }

  #discover(input: FuzzInput): void {
    this.#discoveries.push(input)
    this.#keep(input)
  }

  #keep(input: FuzzInput): void {
    if (this.#corpus.length >= MAX_CORPUS) return
    this.#corpus.push(input)
    this.#corpusBytes += byteLength(input)
  }

  async #reduce(failure: FuzzFailure): Promise<FuzzFailure> {
    if (failure.input.length === 0) return failure
    const again = async (input: FuzzInput): Promise<Trial> => {
      this.#options.onInput?.(input)
      return weighInput(this.#prepared, input, this.#maxMs)
    }
    const alike = kindOfFailure(failure.why)
    const input = await minimise(failure.input, async (candidate) => {
      const trial = await again(candidate)
      return trial.kind === 'broken' && kindOfFailure(trial.why) === alike
    })
    Error.stackTraceLimit = 30
    const last = await again(input)
    return last.kind === 'broken' ? { ...last, input } : failure
  }
}

/** Two failures are the same when they read the same but for numbers and quotations. */
function kindOfFailure(why: string): string {
  return why
    .replaceAll(/"[^"]*"|'[^']*'/g, '')
    .replaceAll(/[\d.]+/g, '')
    .slice(0, 60)
}

function endOfTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}
