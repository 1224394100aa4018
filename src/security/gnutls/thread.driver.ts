import { isMainThread } from 'node:worker_threads'
import { Callbacks, type CallbackSession } from './callbacks.driver.ts'
import { loadGnutls, type GnutlsLibrary } from './library.driver.ts'

/**
 * GnuTLS in this thread: the library, its callbacks, and what must be freed. Everything native belongs to a JavaScript object and is freed with
 * it at the latest: by `destroy()`, or when nobody holds the object any more, or when a worker thread ends in its own time. A worker that is
 * terminated from outside runs no code any more: it leaves the memory of its sessions to the end of the process, and up to 8 of koffi's 8 192 callbacks.
 */
export class GnutlsThread {
  readonly library: GnutlsLibrary
  readonly callbacks: Callbacks
  /** Each thing that lives, by a number. */
  readonly #frees = new Map<number, () => void>()
  readonly #abandoned = new FinalizationRegistry<number>((id) => {
    this.free(id)
  })
  #lastId = 0

  constructor(library: GnutlsLibrary) {
    this.library = library
    this.callbacks = new Callbacks(library)
    if (!isMainThread) {
      process.once('exit', () => {
        this.#end()
      })
    }
  }

  /** How many sessions and sets of credentials live. */
  get live(): number {
    return this.#frees.size
  }

  /** For the transport pointer of a session. */
  nextId(): number {
    this.#lastId += 1
    return this.#lastId
  }

  /** Frees with `owner` at the latest. `free` must not hold `owner`. @returns for {@link free} */
  freeWith(owner: object, frees: readonly (() => void)[]): number {
    const id = this.nextId()
    this.#frees.set(id, () => {
      for (const free of frees) free()
    })
    this.#abandoned.register(owner, id)
    return id
  }

  /** Now. Harmless the second time. */
  free(id: number): void {
    const free = this.#frees.get(id)
    this.#frees.delete(id)
    free?.()
  }

  enter<T>(session: CallbackSession, call: () => T): T {
    return this.callbacks.enter(session, call)
  }

  #end(): void {
    // `process.exit()` in a function of the options: GnuTLS stands on what would be freed, and goes on when this returns.
    if (this.callbacks.isInUse) return
    // The youngest first: sessions stand on credentials.
    for (const id of [...this.#frees.keys()].toReversed()) this.free(id)
    this.callbacks.unregister()
  }
}

/** @throws ERR_SZMQ_ENGINE_UNAVAILABLE */
export function threadOf(): GnutlsThread {
  return (thread ??= new GnutlsThread(loadGnutls()))
}

let thread: GnutlsThread | undefined
