import { assertNever } from '../../src/shared/assert-never.ts'
import { decodeFrame, encodeFrame, sessionIdOf, type Frame, type SessionId } from '../../src/transport/frame.codec.ts'
import { SzmqError } from '../../src/shared/errors.ts'
import type { Dice } from './dice.ts'
import type { Connection, Network, Parts } from './network.ts'
import type { Direction, Injection } from './plan.ts'

type TlsFrame = Extract<Frame, { kind: 'tls' }>

interface Seen {
  readonly direction: Direction
  readonly frame: TlsFrame
}

/** What can be read on the way: headers are plain text. */
interface Observed {
  readonly sessionId: SessionId
  readonly epoch: number
  readonly next: Record<Direction, number>
}

/** Reads everything that arrives and writes what it likes, but has no keys. */
export class Intruder {
  readonly #dice: Dice
  readonly #network: () => Network
  readonly #memory: Seen[] = []
  readonly #hellos: TlsFrame[] = []
  readonly #sessions = new Map<number, Observed>()

  constructor(dice: Dice, network: () => Network) {
    this.#dice = dice
    this.#network = network
  }

  readonly watch = ({ pair }: Connection, direction: Direction, [header, bytes]: Parts): void => {
    const frame = decodeFrame(header, bytes)
    if (frame instanceof SzmqError || frame.kind !== 'tls') return
    this.#observe(pair, direction, frame)
    if (direction === 'up' && frame.sequence === 0) keep(this.#hellos, frame, MAX_HELLOS, this.#dice)
    keep(this.#memory, { direction, frame }, MAX_MEMORY, this.#dice)
  }

  /** @returns false when there was nothing to begin with */
  inject(pair: number, what: Injection): boolean {
    const network = this.#network()
    const observed = this.#sessions.get(pair)
    const connection = network.connectionOf(pair)
    if (observed === undefined || connection === undefined || this.#memory.length === 0) return false
    const { sessionId, epoch, next } = observed
    const seen = this.#dice.pick(this.#memory)
    const direction = this.#dice.pick(['up', 'down'] as const)
    const from = direction === 'up' ? 'client' : 'server'
    const write = (frame: Frame, way: Direction = direction): void => {
      network.injectOnPath(connection, way, encodeFrame(frame))
    }
    const hello = (): Frame => ({ ...this.#hello(), sessionId, epoch: epoch + this.#dice.integer(1, 3) })
    switch (what) {
      case 'replay':
        write(seen.frame, seen.direction)
        return true
      case 'replayAside':
        network.injectAside(pair, encodeFrame(seen.frame))
        return true
      case 'reflect':
        write(seen.frame, seen.direction === 'up' ? 'down' : 'up')
        return true
      case 'reset':
        write({ kind: 'reset', from: 'server', sessionId, epoch }, 'down')
        return true
      case 'resetToServer':
        write({ kind: 'reset', from: 'client', sessionId, epoch }, 'up')
        return true
      case 'transplant':
        write({ ...seen.frame, from, sessionId, epoch, sequence: next[direction] })
        return true
      case 'garbage':
        write({ kind: 'tls', from, sessionId, epoch, sequence: next[direction], bytes: this.#noise() })
        return true
      case 'garbageAside':
        network.injectAside(
          pair,
          encodeFrame({ kind: 'tls', from: 'client', sessionId, epoch, sequence: Math.max(1, next.up), bytes: this.#noise() }),
        )
        return true
      case 'gap': {
        const sequence = next[direction] + this.#dice.integer(1, 5)
        write({ kind: 'tls', from, sessionId, epoch, sequence, bytes: this.#noise() })
        return true
      }
      case 'hello':
        network.injectAside(pair, encodeFrame(hello()))
        return true
      case 'helloOnPath':
        write(hello(), 'up')
        return true
      case 'guess': {
        const guessed = sessionIdOf(this.#dice.random.bytes(16))
        network.injectAside(pair, encodeFrame({ ...this.#hello(), sessionId: guessed, sequence: this.#dice.integer(0, 1) }))
        return true
      }
      case 'noise':
        if (this.#dice.chance(0.5)) network.injectAside(pair, this.#anyParts())
        else network.injectOnPath(connection, direction, this.#anyParts())
        return true
      default:
        return assertNever(what)
    }
  }

  #observe(pair: number, direction: Direction, { sessionId, epoch, sequence }: TlsFrame): void {
    const known = this.#sessions.get(pair)
    if (known === undefined || known.sessionId !== sessionId || known.epoch < epoch) {
      this.#sessions.set(pair, { sessionId, epoch, next: { up: 0, down: 0, [direction]: sequence + 1 } })
    } else if (known.epoch === epoch) known.next[direction] = Math.max(known.next[direction], sequence + 1)
  }

  /** One that was once true, or something that is none. */
  #hello(): TlsFrame {
    const frame = this.#dice.pick(this.#hellos.length > 0 ? this.#hellos : this.#memory.map(({ frame: seen }) => seen))
    return { ...frame, from: 'client', sequence: 0, ...(this.#dice.chance(0.3) ? { bytes: this.#noise() } : {}) }
  }

  #noise(): Uint8Array {
    return this.#dice.random.bytes(this.#dice.integer(1, 60))
  }

  #anyParts(): Parts {
    return Array.from({ length: this.#dice.integer(0, 4) }, () => this.#dice.random.bytes(this.#dice.pick([0, 1, 32, 40])))
  }
}

/** The newest ones, and some old ones among them. */
function keep<Item>(memory: Item[], item: Item, max: number, dice: Dice): void {
  if (memory.length >= max) memory.splice(dice.integer(0, max - 1), 1)
  memory.push(item)
}

const MAX_MEMORY = 200
const MAX_HELLOS = 20
