/** Most bytes that are kept room for between two turns. */
const KEPT_BYTES = 4_096

/**
 * Sans-IO: what came in from the peer and was not read yet. ZeroMQ hands over whole messages; GnuTLS reads 5 bytes, then a body. Takes no
 * copy: what is put in is not written to until it was taken.
 */
export class InputBuffer {
  readonly #pieces: Uint8Array[] = []
  #at = 0
  #length = 0

  put(bytes: Uint8Array): void {
    if (bytes.length === 0) return
    this.#pieces.push(bytes)
    this.#length += bytes.length
  }

  get length(): number {
    return this.#length
  }

  /** The next 1 to `atMost` bytes, as they lie in one piece; undefined if there are none. Aliases what was put in. */
  take(atMost: number): Uint8Array | undefined {
    const piece = this.#pieces[0]
    if (piece === undefined) return undefined
    const taken = piece.subarray(this.#at, this.#at + atMost)
    this.#at += taken.length
    this.#length -= taken.length
    if (this.#at === piece.length) {
      this.#pieces.shift()
      this.#at = 0
    }
    return taken
  }

  clear(): void {
    this.#pieces.length = 0
    this.#at = 0
    this.#length = 0
  }
}

/** Sans-IO: what is to go out to the peer, gathered into one piece. */
export class OutputBuffer {
  #room: Uint8Array<ArrayBuffer> = new Uint8Array(0)
  #filled = 0

  /** Makes room for about so many bytes at once. */
  expect(bytes: number): void {
    if (this.#room.length - this.#filled < bytes) this.#grow(this.#filled + bytes)
  }

  /** Where the next `bytes` belong: the caller fills all of it at once. */
  claim(bytes: number): Uint8Array<ArrayBuffer> {
    const end = this.#filled + bytes
    if (end > this.#room.length) this.#grow(Math.max(end, this.#room.length * 2, KEPT_BYTES))
    const place = this.#room.subarray(this.#filled, end)
    this.#filled = end
    return place
  }

  /** All of it, for the caller to keep; undefined if there is nothing. */
  take(): Uint8Array<ArrayBuffer> | undefined {
    if (this.#filled === 0) return undefined
    const [room, filled] = [this.#room, this.#filled]
    this.#filled = 0
    // A little in much room is copied out, so that nobody who keeps a small record keeps a large buffer alive.
    if (filled <= room.length / 2) {
      if (room.length > KEPT_BYTES) this.#room = new Uint8Array(0)
      return room.slice(0, filled)
    }
    this.#room = new Uint8Array(0)
    return room.subarray(0, filled)
  }

  clear(): void {
    this.#room = new Uint8Array(0)
    this.#filled = 0
  }

  #grow(bytes: number): void {
    const grown = new Uint8Array(bytes)
    grown.set(this.#room.subarray(0, this.#filled))
    this.#room = grown
  }
}
