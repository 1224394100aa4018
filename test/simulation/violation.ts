/** What was promised and did not hold. `rule` says which promise, and stays the same while a failure is shrunk. */
export class Violation extends Error {
  readonly rule: string

  constructor(rule: string, detail: string) {
    super(`${rule}: ${detail}`)
    this.rule = rule
  }

  static of(error: unknown): Violation {
    if (error instanceof Violation) return error
    return new Violation('nothing throws', error instanceof Error ? (error.stack ?? error.message) : String(error))
  }
}
