import type { GateLimits } from './gate-limits.ts'

/** Why a connection is cut: what is no ZMTP 3 with the NULL mechanism, a name of its own, or a message beyond its bounds. */
export type ZmtpViolation = 'greeting' | 'identity' | 'oversized'

type State =
  | { readonly kind: 'greeting' | 'header'; readonly bytes: number[] }
  /** Bytes of a frame's body that are still to come. */
  | { readonly kind: 'body'; left: number }
  | { readonly kind: 'ready'; readonly bytes: Uint8Array; filled: number }

/**
 * Reads what one peer says to a ZeroMQ socket (ZMTP 3, RFC 23/ZMTP), in any slicing, and says when it says what it must not. Sans-IO; keeps
 * at most {@link MAX_READY_BYTES} of it.
 *
 * The peer must not name itself: a ROUTER of libzmq 4.3.5 aborts the whole process when a name that a peer chose is one that it gives to the
 * next, and the first of those is the same in each process. And messages have a bounded number of parts, which libzmq does not limit.
 */
export class ZmtpInspector {
  readonly #limits: GateLimits
  #state: State = { kind: 'greeting', bytes: [] }
  #isReady = false
  #parts = 0
  #messageBytes = 0

  constructor(limits: GateLimits) {
    this.#limits = limits
  }

  /** @returns why the connection must be cut before a byte of `chunk` goes on; after that nothing more may be given */
  inspect(chunk: Uint8Array): ZmtpViolation | undefined {
    for (let at = 0; at < chunk.length;) {
      const state = this.#state
      if (state.kind === 'body') {
        const taken = Math.min(state.left, chunk.length - at)
        at += taken
        state.left -= taken
        if (state.left === 0) this.#state = { kind: 'header', bytes: [] }
        continue
      }
      const byte = chunk[at] ?? 0
      at += 1
      const violation = this.#take(state, byte)
      if (violation !== undefined) return violation
    }
    return undefined
  }

  #take(state: Exclude<State, { readonly kind: 'body' }>, byte: number): ZmtpViolation | undefined {
    if (state.kind === 'ready') {
      state.bytes[state.filled] = byte
      state.filled += 1
      if (state.filled < state.bytes.length) return undefined
      this.#isReady = true
      this.#state = { kind: 'header', bytes: [] }
      return judgeReady(state.bytes)
    }
    state.bytes.push(byte)
    if (state.kind === 'header') return this.#takeHeader(state.bytes)
    if (state.bytes.length === GREETING_BYTES) this.#state = { kind: 'header', bytes: [] }
    return isGreeting(state.bytes) ? undefined : 'greeting'
  }

  #takeHeader(bytes: readonly number[]): ZmtpViolation | undefined {
    const flags = bytes[0] ?? 0
    const isCommand = (flags & COMMAND) !== 0
    if (flags > (MORE | LONG | COMMAND) || (isCommand && (flags & MORE) !== 0)) return 'greeting'
    if (bytes.length < ((flags & LONG) === 0 ? 2 : 9)) return undefined
    const length = bytes.slice(1).reduce((sum, byte) => sum * 256 + byte, 0)
    if (!this.#isReady) {
      if (!isCommand || length === 0 || length > MAX_READY_BYTES) return 'greeting'
      this.#state = { kind: 'ready', bytes: new Uint8Array(length), filled: 0 }
      return undefined
    }
    const violation = isCommand ? judgeCommand(length) : this.#countPart(length, (flags & MORE) !== 0)
    this.#state = length === 0 ? { kind: 'header', bytes: [] } : { kind: 'body', left: length }
    return violation
  }

  #countPart(length: number, hasMore: boolean): ZmtpViolation | undefined {
    this.#parts += 1
    this.#messageBytes += length
    if (this.#parts > this.#limits.maxParts || this.#messageBytes > this.#limits.maxMessageBytes) return 'oversized'
    if (!hasMore) this.#parts = this.#messageBytes = 0
    return undefined
  }
}

const GREETING_BYTES = 64
/** Of the READY command: a socket type, an empty identity, and whatever else a peer says about itself. */
export const MAX_READY_BYTES = 1_024
/** PING, PONG and the like. */
const MAX_COMMAND_BYTES = 1_024
const MORE = 1
const LONG = 2
const COMMAND = 4
const NULL_MECHANISM = Array.from({ length: 20 }, (_, at) => 'NULL'.charCodeAt(at) || 0)

function judgeCommand(length: number): ZmtpViolation | undefined {
  return length > MAX_COMMAND_BYTES ? 'oversized' : undefined
}

/** As far as it has come: signature (its padding may be anything), version 3 or later, NULL. */
function isGreeting(bytes: readonly number[]): boolean {
  const at = bytes.length - 1
  const byte = bytes[at] ?? 0
  if (at === 0) return byte === 0xff
  if (at === 9) return byte === 0x7f
  if (at === 10) return byte >= 3
  if (at >= 12 && at < 32) return byte === NULL_MECHANISM[at - 12]
  return true
}

/** `READY` and its properties: u8 length, name, u32 length, value. */
function judgeReady(body: Uint8Array): ZmtpViolation | undefined {
  const view = new DataView(body.buffer)
  if (textOf(body, 0, 6) !== '\u0005READY') return 'greeting'
  for (let at = 6; at < body.length;) {
    const nameEnd = at + 1 + view.getUint8(at)
    if (nameEnd + 4 > body.length) return 'greeting'
    const name = textOf(body, at + 1, nameEnd).toLowerCase()
    const length = view.getUint32(nameEnd)
    if (nameEnd + 4 + length > body.length) return 'greeting'
    if (name === 'identity' && length > 0) return 'identity'
    at = nameEnd + 4 + length
  }
  return undefined
}

function textOf(bytes: Uint8Array, from: number, to: number): string {
  return String.fromCharCode(...bytes.subarray(from, to))
}
