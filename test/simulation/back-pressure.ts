import type { SessionStatus } from '../../src/security/session-status.ts'
import type { TlsEngine } from '../../src/security/tls-engine.ts'
import type { SzmqError } from '../../src/shared/errors.ts'
import type { SecureChannel } from '../../src/transport/secure-channel.ts'

/** A channel, and a note for the model whenever it asks its link to hold back. */
export class BackPressure implements SecureChannel {
  readonly id: string
  readonly #channel: SecureChannel
  readonly #link: { isHeldBack: boolean }

  constructor(channel: SecureChannel, link: { isHeldBack: boolean }) {
    this.id = channel.id
    this.#channel = channel
    this.#link = link
  }

  get status(): SessionStatus {
    return this.#channel.status
  }

  get engine(): TlsEngine | undefined {
    return this.#channel.engine
  }

  send(message: Uint8Array): boolean {
    const mayGoOn = this.#channel.send(message)
    if (!mayGoOn) this.#link.isHeldBack = true
    return mayGoOn
  }

  rekey(): void {
    this.#channel.rekey()
  }

  exportKeyingMaterial(label: string, length: number, context?: Uint8Array): Uint8Array {
    return this.#channel.exportKeyingMaterial(label, length, context)
  }

  close(): void {
    this.#channel.close()
  }

  destroy(error?: SzmqError): void {
    this.#channel.destroy(error)
  }
}
