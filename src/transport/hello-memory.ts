import { equalBytes } from '../shared/bytes.ts'

/** A frame of ours that the server has not answered yet. */
export interface UnansweredFrame {
  readonly sequence: number
  readonly bytes: Uint8Array
}

/**
 * What a client said in an epoch before the server's first word, kept so that it can be said again with the cookie that a server under load asks
 * for. Bounded, and so is how often it is said: whoever forges cookies gets at most {@link MAX_COOKIE_ANSWERS} repeated hellos out of an epoch.
 */
export class HelloMemory {
  #frames: UnansweredFrame[] | undefined = []
  #bytes = 0
  #answered: Uint8Array[] = []

  /** A new epoch begins. */
  begin(): void {
    this.#frames = []
    this.#bytes = 0
    this.#answered = []
  }

  keep(frame: UnansweredFrame): void {
    if (this.#frames === undefined) return
    this.#bytes += frame.bytes.length
    this.#frames.push(frame)
    if (this.#bytes > MAX_HELLO_BYTES || this.#frames.length > MAX_HELLO_FRAMES) this.forget()
  }

  /** The server answered: no cookie is needed any more. */
  forget(): void {
    this.#frames = undefined
  }

  /** The frames to be said again, the first of them with `cookie`; none when there is nothing to repeat, or this one or enough were answered. */
  answer(cookie: Uint8Array): readonly UnansweredFrame[] {
    if (this.#frames === undefined || this.#answered.length >= MAX_COOKIE_ANSWERS) return []
    if (this.#answered.some((known) => equalBytes(known, cookie))) return []
    this.#answered.push(cookie)
    return this.#frames
  }
}

/** Cookies that a client answers in one epoch. An honest server asks once, and again only when its key changed twice meanwhile. */
export const MAX_COOKIE_ANSWERS = 3
/** A hello is one frame of 250 to 2 000 bytes; beyond this a client forgets it, and answers no cookie. */
export const MAX_HELLO_BYTES = 64 * 1024
export const MAX_HELLO_FRAMES = 16
