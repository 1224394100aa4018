import { SzmqError } from '../shared/errors.ts'
import type { Board, PairMarks } from './board.ts'
import { RingReader, RingWriter } from './ring.ts'
import { MAX_PAIR_FRAME_BYTES, type PairSocket } from './zmq.driver.ts'

/** Frames on their way in one direction; the PAIR's high-water marks lie above it, so ZeroMQ itself never refuses one. */
export const PIPE_WINDOW_FRAMES = 512
/** The longest batch a pipe carries. */
export const MAX_BATCH_BYTES = 64 * 1024 * 1024

/** First byte of a frame on the PAIR. */
const INLINE = 0
const IN_RING = 1
const IN_RING_MORE = 2
const RING_FRAME_BYTES = 5
const NOTHING = new Uint8Array(0)

/**
 * One thread's end of the pipe to one other thread: ordered batches of bytes both ways. Each batch is a frame on an inproc PAIR.
 * A short one travels inside the frame; the body of a long one lies in the shared ring of that direction and the frame says how
 * long it is (why: {@link MAX_PAIR_FRAME_BYTES}). A batch longer than the ring goes in slices, as the receiver makes room.
 *
 * Sans-IO but for the socket it is given: it never waits, and says by {@link send} when to call again.
 */
export class Pipe {
  readonly peer: number
  readonly #board: Board
  readonly #socket: PairSocket
  readonly #out: PairMarks
  readonly #in: PairMarks
  readonly #writer: RingWriter
  readonly #reader: RingReader
  #framesSent = 0
  /** The rest of a batch that did not fit at once. */
  #rest: Uint8Array | undefined
  /** Slices received of a batch whose end has not come yet. */
  #slices: Uint8Array[] = []
  readonly #onBatch: (batch: Uint8Array) => void

  constructor({
    self,
    peer,
    board,
    socket,
    onBatch,
  }: {
    readonly self: number
    readonly peer: number
    readonly board: Board
    readonly socket: PairSocket
    /** The batch is the listener's own: it aliases nothing. */
    readonly onBatch: (batch: Uint8Array) => void
  }) {
    this.peer = peer
    this.#board = board
    this.#socket = socket
    this.#onBatch = onBatch
    this.#out = board.marks(self, peer)
    this.#in = board.marks(peer, self)
    this.#writer = new RingWriter(this.#out)
    this.#reader = new RingReader(this.#in)
    this.#framesSent = Atomics.load(this.#out.words, this.#out.framesTaken)
  }

  /**
   * Sends one batch, `head` and `body` one after the other; the bytes are copied. False: not taken, the other side has to make
   * room first. It will ring our bell when it did: then {@link resume}, and try again.
   * @throws ERR_SZMQ_LIMIT_EXCEEDED over {@link MAX_BATCH_BYTES}.
   */
  send(head: Uint8Array, body: Uint8Array): boolean {
    const length = head.length + body.length
    if (length > MAX_BATCH_BYTES) {
      throw new SzmqError(
        'ERR_SZMQ_LIMIT_EXCEEDED',
        `a batch of ${length} bytes between threads; at most ${MAX_BATCH_BYTES} go: send large data in pieces`,
      )
    }
    if (!this.resume()) return false
    if (length < MAX_PAIR_FRAME_BYTES) return this.#sendInline(head, body)
    if (length > this.#writer.capacity) return this.#sendSliced(head, body)
    return this.#sendInRing(IN_RING, head, body)
  }

  /** Goes on with what an earlier {@link send} had to leave over. @returns is the way free again? */
  resume(): boolean {
    while (this.#rest !== undefined) {
      const slice = this.#rest.subarray(0, this.#writer.capacity / 4)
      const isLast = slice.length === this.#rest.length
      if (!this.#sendInRing(isLast ? IN_RING : IN_RING_MORE, NOTHING, slice)) return false
      this.#rest = isLast ? undefined : this.#rest.subarray(slice.length)
    }
    return true
  }

  get isReadable(): boolean {
    return this.#socket.isReadable
  }

  /** Takes up to `maxFrames` frames and hands over their batches. @returns how many frames it took. */
  async drain(maxFrames: number, mayContinue: () => boolean): Promise<number> {
    let taken = 0
    while (taken < maxFrames && mayContinue() && this.#socket.isReadable) {
      this.#take(await this.#socket.receive())
      taken += 1
    }
    return taken
  }

  close(): void {
    this.#socket.close()
  }

  #sendInline(head: Uint8Array, body: Uint8Array): boolean {
    if (!this.#hasFrameRoom()) return false
    const frame = Buffer.allocUnsafe(1 + head.length + body.length)
    frame[0] = INLINE
    frame.set(head, 1)
    frame.set(body, 1 + head.length)
    return this.#sendFrame(frame)
  }

  #sendSliced(head: Uint8Array, body: Uint8Array): boolean {
    // A copy of our own: the caller may reuse its buffers once we said yes.
    this.#rest = Buffer.concat([head, body])
    this.resume()
    return true
  }

  #sendInRing(kind: typeof IN_RING | typeof IN_RING_MORE, head: Uint8Array, body: Uint8Array): boolean {
    const length = head.length + body.length
    if (this.#writer.free < length && !this.#roomAfterStarving(() => this.#writer.free >= length)) return false
    // Body first: whoever sees the frame must find it. So the frame must not be refused any more.
    if (!this.#hasFrameRoom() || !this.#socket.isWritable) return this.#starve()
    this.#writer.write(head)
    this.#writer.write(body)
    const frame = Buffer.allocUnsafe(RING_FRAME_BYTES)
    frame[0] = kind
    frame.writeUInt32LE(length, 1)
    return this.#sendFrame(frame)
  }

  #sendFrame(frame: Uint8Array): boolean {
    if (!this.#socket.trySend(frame)) return this.#starve()
    this.#framesSent = (this.#framesSent + 1) | 0
    this.#board.ring(this.peer)
    return true
  }

  #hasFrameRoom(): boolean {
    return (
      this.#framesInFlight() < PIPE_WINDOW_FRAMES || this.#roomAfterStarving(() => this.#framesInFlight() < PIPE_WINDOW_FRAMES)
    )
  }

  #framesInFlight(): number {
    return (this.#framesSent - Atomics.load(this.#out.words, this.#out.framesTaken)) >>> 0
  }

  /** Says that we wait, then looks once more: room made in between would ring no bell. */
  #roomAfterStarving(hasRoom: () => boolean): boolean {
    this.#starve()
    return hasRoom()
  }

  #starve(): false {
    Atomics.store(this.#out.words, this.#out.starved, 1)
    return false
  }

  #take(frame: Uint8Array): void {
    if (frame[0] === INLINE) {
      this.#countTaken()
      this.#onBatch(frame.subarray(1))
      return
    }
    const body = Buffer.allocUnsafeSlow(Buffer.from(frame.buffer, frame.byteOffset, frame.length).readUInt32LE(1))
    this.#reader.readInto(body)
    this.#countTaken()
    if (frame[0] === IN_RING_MORE) {
      this.#slices.push(body)
    } else if (this.#slices.length === 0) {
      this.#onBatch(body)
    } else {
      const slices = this.#slices
      this.#slices = []
      this.#onBatch(Buffer.concat([...slices, body]))
    }
  }

  #countTaken(): void {
    Atomics.add(this.#in.words, this.#in.framesTaken, 1)
    if (Atomics.exchange(this.#in.words, this.#in.starved, 0) === 1) this.#board.ring(this.peer)
  }
}
