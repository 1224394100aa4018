import type { SzmqError } from '../../src/shared/errors.ts'
import { resolveLinkLimits, type LinkEvent, type LinkLimits } from '../../src/transport/link.ts'
import { Violation } from './violation.ts'

/** One accepted batch. Its bytes follow from its number and length. */
export interface Batch {
  readonly number: number
  readonly sender: LinkRecord
  readonly sequence: number
  readonly length: number
  readonly to: number
  readonly from: number
  receiver: LinkRecord | undefined
  /** The receiver said `delivered`. */
  isHandedOn: boolean
  isGivenBack: boolean
}

/** What the model knows of one link, from its making on. */
export interface LinkRecord {
  readonly name: string
  readonly sessionId: string
  readonly incarnation: string
  readonly accepted: Batch[]
  readonly received: Batch[]
  /** Where its accepted batches arrive. */
  partner: LinkRecord | undefined
  peerIncarnation: string | undefined
  acceptedBytes: number
  /** Of its own batches, at the partner. */
  handedOn: number
  handedOnBytes: number
  arrived: number
  /** `gone`: with its process. */
  state: 'new' | 'up' | 'suspended' | 'down' | 'gone'
  /** A send was refused: `room` is owed. */
  isRefused: boolean
}

export interface ModelCounters {
  accepted: number
  received: number
  /** With `down`, without having been received. */
  givenBack: number
  /** With `down`, although the receiver has them: their acknowledgements were lost. */
  givenBackAndReceived: number
  /** With the sender's own process. */
  lostWithSender: number
}

/** Links that break these codes' meaning between honest nodes are wrong: nobody here speaks another protocol or another name. */
const NAMED_REASONS = new Set<string>([
  'ERR_SZMQ_NODE_LOST',
  'ERR_SZMQ_HANDSHAKE_TIMEOUT',
  'ERR_SZMQ_HANDSHAKE_FAILED',
  'ERR_SZMQ_BAD_RECORD',
  'ERR_SZMQ_REFUSED_BY_PEER',
  'ERR_SZMQ_TRUNCATED',
  'ERR_SZMQ_STREAM_BROKEN',
  'ERR_SZMQ_ABORTED',
])

/**
 * The plain truth about every batch: who accepted it, who received it, who gave it back. Each call checks what a link promises.
 * @throws Violation
 */
export class Model {
  readonly counters: ModelCounters = { accepted: 0, received: 0, givenBack: 0, givenBackAndReceived: 0, lostWithSender: 0 }
  readonly links: LinkRecord[] = []
  readonly #limits: LinkLimits
  /** Do batches also stay in order from one link to the next of the same two incarnations? */
  readonly #isOrderedAcrossLinks: boolean
  readonly #batches: Batch[] = []
  readonly #lastReceived = new Map<string, number>()

  constructor(limits: Partial<LinkLimits>, { isOrderedAcrossLinks }: { readonly isOrderedAcrossLinks: boolean }) {
    this.#limits = resolveLinkLimits(limits)
    this.#isOrderedAcrossLinks = isOrderedAcrossLinks
  }

  add(name: string, sessionId: string, incarnation: string): LinkRecord {
    const link: LinkRecord = {
      name,
      sessionId,
      incarnation,
      accepted: [],
      received: [],
      partner: undefined,
      peerIncarnation: undefined,
      acceptedBytes: 0,
      handedOn: 0,
      handedOnBytes: 0,
      arrived: 0,
      state: 'new',
      isRefused: false,
    }
    this.links.push(link)
    return link
  }

  /** The bytes of the next batch, which begin with its number. */
  nextBody(length: number): Uint8Array {
    return bodyOf(this.#batches.length, length)
  }

  /** What `send` answered to {@link nextBody}. */
  sent(sender: LinkRecord, { length, to, from }: Pick<Batch, 'length' | 'to' | 'from'>, isAccepted: boolean): void {
    if (!isAccepted) {
      sender.isRefused = true
      return
    }
    if (sender.state !== 'up') {
      throw new Violation('send is refused unless the link is up', `${sender.name} is ${sender.state} and took a batch`)
    }
    const sequence = sender.accepted.length + 1
    const number = this.#batches.length
    const batch: Batch = {
      number,
      sender,
      sequence,
      length,
      to,
      from,
      receiver: undefined,
      isHandedOn: false,
      isGivenBack: false,
    }
    this.#batches.push(batch)
    sender.accepted.push(batch)
    sender.acceptedBytes += length
    this.counters.accepted += 1
    this.#checkWindow(sender)
  }

  received(link: LinkRecord, event: Extract<LinkEvent, { kind: 'batch' }>): Batch {
    const { sequence, body } = event
    if (link.state !== 'up') throw new Violation('batches come while a link is up', `${link.name} is ${link.state}`)
    const batch = this.#batches[body.length < 4 ? -1 : new DataView(body.buffer, body.byteOffset).getUint32(0)]
    if (batch === undefined || !equals(body, bodyOf(batch.number, batch.length))) {
      throw new Violation('only what was sent arrives', `${link.name} received ${body.length} bytes that nobody sent`)
    }
    const { sender } = batch
    const what = `batch ${batch.number} (${sender.name} #${batch.sequence})`
    if (batch.to !== event.to || batch.from !== event.from)
      throw new Violation('threads stay what they were', `${what} came for other threads`)
    if (batch.receiver !== undefined) {
      throw new Violation('at most once', `${what} came to ${batch.receiver.name} and again to ${link.name}`)
    }
    if (sender.sessionId !== link.sessionId || sender.incarnation !== link.peerIncarnation) {
      throw new Violation('a batch comes by its own link', `${what} of session ${sender.sessionId} came to ${link.name}`)
    }
    if ((sender.partner ??= link) !== link)
      throw new Violation('a link has one peer', `${sender.name} reached ${sender.partner.name} and ${link.name}`)
    if (sequence !== batch.sequence || sequence !== link.received.length + 1) {
      throw new Violation('in order', `${what} came to ${link.name} as #${sequence} after ${link.received.length} others`)
    }
    this.#checkOrderAcrossLinks(batch, link)
    batch.receiver = link
    link.received.push(batch)
    sender.arrived += 1
    this.counters.received += 1
    if (batch.isGivenBack) {
      this.counters.givenBack -= 1
      this.counters.givenBackAndReceived += 1
    } else if (sender.state === 'gone') this.counters.lostWithSender -= 1
    return batch
  }

  /** To be called before `delivered`. */
  handedOn(batch: Batch): void {
    batch.isHandedOn = true
    batch.sender.handedOn += 1
    batch.sender.handedOnBytes += batch.length
  }

  up(link: LinkRecord, peerIncarnation: string): void {
    if (link.state !== 'new') throw new Violation('up comes once', `${link.name} is ${link.state}`)
    link.state = 'up'
    link.peerIncarnation = peerIncarnation
  }

  room(link: LinkRecord): void {
    if (link.state !== 'up' || !link.isRefused) {
      throw new Violation('room comes to who was refused', `${link.name} is ${link.state}, refused: ${link.isRefused}`)
    }
    link.isRefused = false
  }

  suspended(link: LinkRecord): void {
    this.#checkLiving(link, 'suspended')
    if (link.state === 'up') link.state = 'suspended'
  }

  resumed(link: LinkRecord): void {
    if (link.state !== 'suspended') throw new Violation('resumed follows suspended', `${link.name} is ${link.state}`)
    link.state = 'up'
  }

  /** What is given back is the end of what was accepted, and all before it was handed on: nothing is lost without a word. */
  down(link: LinkRecord, error: SzmqError | undefined, unacknowledged: readonly Uint8Array[]): void {
    this.#checkLiving(link, 'down')
    link.state = 'down'
    if (error !== undefined && !NAMED_REASONS.has(error.code)) {
      throw new Violation('a link goes down for a named reason', `${link.name}: ${error.code} ${error.message}`)
    }
    const acknowledged = link.accepted.length - unacknowledged.length
    for (const [at, batch] of link.accepted.entries()) {
      const what = `${link.name} #${batch.sequence}`
      if (at < acknowledged) {
        if (!batch.isHandedOn) throw new Violation('nothing is lost silently', `${what} was neither handed on nor given back`)
        continue
      }
      const body = unacknowledged[at - acknowledged]
      if (body === undefined || !equals(body, bodyOf(batch.number, batch.length))) {
        throw new Violation('what is given back is what was sent', `${what} came back as something else`)
      }
      batch.isGivenBack = true
      this.counters[batch.receiver === undefined ? 'givenBack' : 'givenBackAndReceived'] += 1
    }
    if (acknowledged < 0) throw new Violation('what is given back is what was sent', `${link.name} gave back more than it took`)
  }

  /** Its process is gone, without a word. */
  gone(link: LinkRecord): void {
    if (link.state === 'down') return
    link.state = 'gone'
    this.counters.lostWithSender += link.accepted.length - link.arrived
  }

  /** Conservation: every accepted batch is at its receiver, given back, lost with its sender's process, or in a living sender's window. */
  check(): void {
    const { accepted, received, givenBack, lostWithSender } = this.counters
    let inFlight = 0
    for (const link of this.links) {
      if (link.state === 'down' || link.state === 'gone') continue
      inFlight += link.accepted.length - link.arrived
      this.#checkWindow(link)
    }
    if (accepted !== received + givenBack + lostWithSender + inFlight) {
      throw new Violation(
        'conservation',
        `${accepted} accepted, ${received} received, ${givenBack} given back, ${lostWithSender} lost with senders, ${inFlight} in flight`,
      )
    }
  }

  /** What the sender may keep of a living link, in whatever state: acknowledged implies handed on. */
  #checkWindow(link: LinkRecord): void {
    const batches = link.accepted.length - link.handedOn
    const bytes = link.acceptedBytes - link.handedOnBytes
    if (batches <= this.#limits.maxUnackedBatches && (batches <= 1 || bytes <= this.#limits.maxUnackedBytes)) return
    throw new Violation('the window holds', `${link.name} has ${batches} batches, ${bytes} bytes on their way`)
  }

  #checkLiving(link: LinkRecord, event: string): void {
    if (link.state !== 'down' && link.state !== 'gone') return
    throw new Violation('down comes once, and last', `${event} of ${link.name}, which is ${link.state}`)
  }

  #checkOrderAcrossLinks({ number, sender }: Batch, link: LinkRecord): void {
    if (!this.#isOrderedAcrossLinks) return
    const key = `${sender.incarnation} ${link.incarnation}`
    const last = this.#lastReceived.get(key) ?? -1
    if (number < last)
      throw new Violation('in order', `batch ${number} came to ${link.name} after ${last}, from one node to another`)
    this.#lastReceived.set(key, number)
  }
}

function bodyOf(number: number, length: number): Uint8Array {
  const body = new Uint8Array(length)
  new DataView(body.buffer).setUint32(0, number)
  for (let at = 4; at < length; at += 1) body[at] = number * 131 + at * 17 + (at >> 8)
  return body
}

function equals(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0
}
