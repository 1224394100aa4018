import { SingleBar } from 'cli-progress'

const LINE_MS = 15_000

/** How far a run is: a bar on a terminal, otherwise a line now and then. */
export class FuzzProgress {
  readonly #bar: SingleBar | undefined
  readonly #inputs = new Map<string, number>()
  readonly #running = new Set<string>()
  #linedAt = performance.now()

  /** @param total undefined when time ends the run */
  constructor(total: number | undefined) {
    if (!process.stdout.isTTY) return
    const format = total === undefined ? '  {value} inputs · {running}' : '  {bar} {percentage} % · {value} inputs · {running}'
    this.#bar = new SingleBar({ format, barsize: 24, clearOnComplete: true, hideCursor: true })
    this.#bar.start(total ?? Number.MAX_SAFE_INTEGER, 0, { running: '' })
  }

  update(target: string, inputs: number): void {
    this.#inputs.set(target, inputs)
    this.#running.add(target)
    this.#show()
  }

  finish(target: string): void {
    this.#running.delete(target)
    this.#show()
  }

  stop(): void {
    this.#bar?.stop()
  }

  #show(): void {
    const total = [...this.#inputs.values()].reduce((sum, each) => sum + each, 0)
    const running = [...this.#running].join(', ')
    if (this.#bar !== undefined) this.#bar.update(total, { running })
    else if (performance.now() - this.#linedAt >= LINE_MS) {
      this.#linedAt = performance.now()
      process.stdout.write(`  ${total.toLocaleString('en')} inputs · ${running}\n`)
    }
  }
}
