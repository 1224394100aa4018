import { Session, type Profiler } from 'node:inspector'

/** What counts: our own code, and the decoder that bytes of peers reach through it. */
const SOURCES = /\/src\/(?!testing\/)|\/node_modules\/msgpackr\//

/**
 * Which code ran, told by V8's own block coverage: nothing is instrumented. Asking takes a millisecond or two, and as long as it counts,
 * V8 optimises less: worth it until nothing new turns up.
 */
export class Coverage {
  readonly #session = new Session()
  /** By script: 1 for each character of its text that has run. */
  readonly #covered = new Map<string, Uint8Array>()
  #characters = 0

  constructor() {
    this.#session.connect()
    this.#post('Profiler.enable')
    this.#post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
  }

  /** How many characters of source have run. */
  get characters(): number {
    return this.#characters
  }

  /** From here on nothing is counted, and the code under test runs at its own speed. */
  stop(): void {
    this.#post('Profiler.stopPreciseCoverage')
    this.#session.disconnect()
  }

  /** Did code run, since the last question, that had not run before? @param isKept count it as known from now on */
  ask(isKept: boolean): boolean {
    let isNew = false
    for (const { url, functions } of this.#take()) {
      if (SOURCES.test(url)) isNew = this.#paint(url, functions, isKept) || isNew
    }
    return isNew
  }

  #paint(url: string, functions: readonly Profiler.FunctionCoverage[], isKept: boolean): boolean {
    const length = functions.reduce((most, { ranges }) => Math.max(most, ranges[0]?.endOffset ?? 0), 0)
    const fresh = new Uint8Array(length)
    for (const { ranges } of functions) {
      // Outer functions come first: an inner one that did not run is painted out again.
      for (const { startOffset, endOffset, count } of ranges) fresh.fill(count > 0 ? 1 : 0, startOffset, endOffset)
    }
    let known = this.#covered.get(url) ?? new Uint8Array(0)
    if (known.length < length) {
      const longer = new Uint8Array(length)
      longer.set(known)
      known = longer
      this.#covered.set(url, known)
    }
    let found = 0
    for (let at = 0; at < length; at += 1) {
      if (fresh[at] === 0 || known[at] === 1) continue
      found += 1
      if (isKept) known[at] = 1
    }
    if (isKept) this.#characters += found
    return found > 0
  }

  #take(): readonly Profiler.ScriptCoverage[] {
    let result: readonly Profiler.ScriptCoverage[] = []
    this.#session.post('Profiler.takePreciseCoverage', (error, taken) => {
      if (error !== null) throw error
      result = taken.result
    })
    return result
  }

  #post(method: string, parameters: object = {}): void {
    this.#session.post(method, parameters, (error) => {
      if (error !== null) throw error
    })
  }
}
