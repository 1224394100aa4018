import { SzmqError } from '../../src/shared/errors.ts'
import type { SessionStatus } from '../../src/security/session-status.ts'
import type { TlsFacts } from '../../src/security/tls-engine.ts'
import { decodeLinkMessage, encodeLinkMessage, type LinkMessage } from '../../src/transport/link.codec.ts'
import type { ChannelEvent, SecureChannel } from '../../src/transport/secure-channel.ts'

const FACTS: TlsFacts = {
  engine: 'cleartext',
  version: 'none',
  cipherSuite: 'none',
  group: 'none',
  alpn: undefined,
  isResumed: false,
  peer: { verifiedBy: 'none', subject: 'bob', names: [] },
}

/** A session whose peer is a script: what one end says is written down, what the other says is told here. */
export class ScriptedChannel implements SecureChannel {
  readonly id = '00'
  status: SessionStatus = { kind: 'handshaking', epoch: 1 }
  /** What was sent since {@link take}. */
  #sent: Uint8Array[] = []
  /** Set: `send` asks to hold back. */
  isFull = false
  /** Set: the next message breaks the session for good. */
  breaksOnSend = false
  #epoch = 1
  readonly #report: (event: ChannelEvent) => void

  constructor(report: (event: ChannelEvent) => void) {
    this.#report = report
  }

  /** What was sent since the last call. */
  take(): LinkMessage[] {
    const sent = this.#sent.map((bytes) => decodeLinkMessage(bytes))
    this.#sent = []
    return sent
  }

  open(): void {
    this.status = { kind: 'open', epoch: this.#epoch, facts: FACTS }
    this.#report({ kind: 'open', epoch: this.#epoch, facts: FACTS, handshakeMs: 3 })
  }

  say(...messages: readonly (LinkMessage | Uint8Array)[]): void {
    for (const message of messages) {
      this.#report({ kind: 'message', bytes: message instanceof Uint8Array ? message : encodeLinkMessage(message) })
    }
  }

  readonly engine = undefined

  rekey(): void {
    this.reset()
  }

  exportKeyingMaterial(_label: string, length: number): Uint8Array {
    return new Uint8Array(length)
  }

  drain(): void {
    this.isFull = false
    this.#report({ kind: 'drain' })
  }

  /** What was sent and not read in this epoch is gone. */
  reset(): void {
    const error = new SzmqError('ERR_SZMQ_STREAM_BROKEN', 'as scripted')
    this.#sent = []
    this.isFull = false
    this.#epoch += 1
    this.status = { kind: 'resetting', epoch: this.#epoch, error }
    this.#report({ kind: 'resetting', error })
  }

  send(message: Uint8Array): boolean {
    if (this.status.kind !== 'open') throw new SzmqError('ERR_SZMQ_INVALID_STATE', 'not open')
    this.#sent.push(message)
    if (this.breaksOnSend) this.destroy()
    return !this.isFull
  }

  close(): void {
    this.status = { kind: 'closing', epoch: this.#epoch }
  }

  /** The peer has said bye too. */
  finish(): void {
    this.status = { kind: 'closed' }
    this.#report({ kind: 'closed' })
  }

  destroy(error = new SzmqError('ERR_SZMQ_ABORTED', 'destroyed')): void {
    if (this.status.kind === 'closed' || this.status.kind === 'failed') return
    this.status = { kind: 'failed', error }
    this.#report({ kind: 'failed', error })
  }
}
