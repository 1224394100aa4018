/** How many of something each path has. */
export class PathTally {
  readonly #counts = new Map<string, number>()

  of(path: string): number {
    return this.#counts.get(path) ?? 0
  }

  add(path: string): void {
    this.#counts.set(path, this.of(path) + 1)
  }

  remove(path: string): void {
    const left = this.of(path) - 1
    if (left > 0) this.#counts.set(path, left)
    else this.#counts.delete(path)
  }
}
