import type { Board } from './board.ts'
import type { Doorbell } from './doorbell.driver.ts'
import { Pipe, PIPE_WINDOW_FRAMES } from './pipe.ts'
import type { openPair } from './zmq.driver.ts'

/** Frames taken from one pipe before the next one has its turn. */
const FRAMES_PER_VISIT = 16
/** Frames taken in one turn of the event loop, so that timers and the network have theirs. */
const FRAMES_PER_TURN = 256

export interface MeshListener {
  /** A batch from another thread; its bytes are the listener's own. */
  onBatch(from: number, batch: Uint8Array): void
  /** The pipe to `to` takes batches again after {@link Mesh.send} refused one. */
  onRoom(to: number): void
  /** That thread is gone: nothing more will come from it, and nothing sent to it arrives. Comes once. */
  onLost(slot: number): void
  /** May more batches be taken now? Asked before each frame; when it says no, {@link Mesh.wake} makes it ask again. */
  mayTake(from: number): boolean
}

/**
 * One thread's direct pipes to the other threads of its system, each opened at its first use. The thread with the lower slot
 * binds the inproc address, the other connects; an invitation on the board makes the other side open its end too.
 */
export class Mesh {
  readonly #self: number
  readonly #system: string
  readonly #board: Board
  readonly #doorbell: Doorbell
  readonly #openPair: typeof openPair
  readonly #listener: MeshListener
  readonly #pipes = new Map<number, Pipe>()
  readonly #waitingForRoom = new Set<number>()
  readonly #lost = new Set<number>()
  #isClosed = false

  constructor({
    self,
    system,
    board,
    doorbell,
    openPair: open,
    listener,
  }: {
    readonly self: number
    /** Names the inproc addresses: unique in this process. */
    readonly system: string
    readonly board: Board
    readonly doorbell: Doorbell
    readonly openPair: typeof openPair
    readonly listener: MeshListener
  }) {
    this.#self = self
    this.#system = system
    this.#board = board
    this.#doorbell = doorbell
    this.#openPair = open
    this.#listener = listener
  }

  start(): void {
    this.#doorbell.listen(() => this.#answer())
  }

  /**
   * Sends one batch, head and body; copied. False: not taken, {@link MeshListener.onRoom} says when to try again; never, once the
   * mesh is closed or that thread {@link isLost}.
   */
  send(to: number, head: Uint8Array, body: Uint8Array): boolean {
    if (this.#isClosed || this.#lost.has(to)) return false
    if (this.#pipeTo(to).send(head, body)) return true
    this.#waitingForRoom.add(to)
    return false
  }

  isLost(slot: number): boolean {
    return this.#lost.has(slot)
  }

  /** Looks into the pipes again soon. */
  wake(): void {
    this.#board.ring(this.#self)
  }

  close(): void {
    this.#isClosed = true
    this.#doorbell.stop()
    for (const pipe of this.#pipes.values()) pipe.close()
    this.#pipes.clear()
  }

  async #answer(): Promise<'idle' | 'more'> {
    if (this.#isClosed) return 'idle'
    // Asked first: whatever a thread did before its end is then seen below.
    const ended = this.#endedThreads()
    this.#acceptInvitations()
    this.#noticeRoom()
    const isBacklogged = await this.#drainPipes()
    this.#noticeLosses(ended)
    return isBacklogged ? 'more' : 'idle'
  }

  /** @returns is there (perhaps) more to take? */
  async #drainPipes(): Promise<boolean> {
    let taken = 0
    for (;;) {
      let takenInRound = 0
      for (const pipe of [...this.#pipes.values()]) {
        takenInRound += await pipe.drain(
          FRAMES_PER_VISIT,
          () => this.#pipes.has(pipe.peer) && this.#listener.mayTake(pipe.peer),
        )
      }
      taken += takenInRound
      if (takenInRound === 0) return false
      if (taken >= FRAMES_PER_TURN) return true
    }
  }

  #acceptInvitations(): void {
    for (let from = 0; from < this.#board.slots; from += 1) {
      if (from !== this.#self && !this.#pipes.has(from) && !this.#lost.has(from) && this.#board.isInvited(from, this.#self)) {
        this.#pipeTo(from)
      }
    }
  }

  #noticeRoom(): void {
    // A batch longer than the ring was taken as a whole, but goes in slices.
    for (const pipe of this.#pipes.values()) pipe.resume()
    for (const to of [...this.#waitingForRoom]) {
      if (this.#pipes.get(to)?.resume() ?? true) {
        this.#waitingForRoom.delete(to)
        this.#listener.onRoom(to)
      }
    }
  }

  /** Those whose loss has not been told yet. */
  #endedThreads(): readonly number[] {
    const ended: number[] = []
    for (let slot = 0; slot < this.#board.slots; slot += 1) {
      if (this.#board.lifeOf(slot) === 'lost' && !this.#lost.has(slot)) ended.push(slot)
    }
    return ended
  }

  /** Only when its pipe is drained: what a thread sent before its end still counts. */
  #noticeLosses(ended: readonly number[]): void {
    for (const slot of ended) {
      if (this.#isClosed) return
      const pipe = this.#pipes.get(slot)
      if (pipe?.isReadable === true) continue
      this.#lost.add(slot)
      this.#waitingForRoom.delete(slot)
      pipe?.close()
      this.#pipes.delete(slot)
      this.#listener.onLost(slot)
    }
  }

  #pipeTo(peer: number): Pipe {
    const open = this.#pipes.get(peer)
    if (open !== undefined) return open
    const [low, high] = this.#self < peer ? [this.#self, peer] : [peer, this.#self]
    const side = this.#self === low ? 'bind' : 'connect'
    const pipe = new Pipe({
      self: this.#self,
      peer,
      board: this.#board,
      socket: this.#openPair({
        side,
        address: `inproc://szmq/${this.#system}/${low}-${high}`,
        frames: 2 * PIPE_WINDOW_FRAMES,
        gate: this.#board.gateOf(this.#self),
      }),
      onBatch: (batch) => {
        this.#listener.onBatch(peer, batch)
      },
    })
    this.#pipes.set(peer, pipe)
    this.#board.invite(this.#self, peer)
    return pipe
  }
}
