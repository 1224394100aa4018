/** Everything that happened, as one hash: equal hashes are equal runs. Keeps the last lines for people, or hands each one on. */
export class Trace {
  readonly #onLine: ((line: string) => void) | undefined
  readonly #tail: string[] = []
  #first = 0x9dc5_811c
  #second = 0x85eb_ca6b
  #count = 0

  constructor(onLine?: (line: string) => void) {
    this.#onLine = onLine
  }

  note(atMs: number, what: string): void {
    const line = `${atMs.toFixed(3)} ${what}`
    for (let at = 0; at < line.length; at += 1) this.#mix(line.charCodeAt(at))
    this.#count += 1
    this.#tail[this.#count % TAIL_LINES] = line
    this.#onLine?.(line)
  }

  bytes(bytes: Uint8Array): void {
    for (const byte of bytes) this.#mix(byte)
    this.#mix(bytes.length)
  }

  get hash(): string {
    return [this.#first, this.#second].map((half) => (half >>> 0).toString(16).padStart(8, '0')).join('')
  }

  /** The last lines, oldest first. */
  get tail(): readonly string[] {
    const start = this.#count + 1
    return Array.from({ length: TAIL_LINES }, (_, at) => this.#tail[(start + at) % TAIL_LINES] ?? '').filter(
      (line) => line !== '',
    )
  }

  #mix(value: number): void {
    this.#first = Math.imul(this.#first ^ value, 0x0100_0193)
    this.#second = Math.imul(this.#second ^ value, 0x5bd1_e995)
    this.#second ^= this.#second >>> 13
  }
}

const TAIL_LINES = 40
