import type { Duplex } from 'node:stream'
import type { OpensslTickets, TicketHandshake } from './ticket-keys.driver.ts'

/** Tells the tickets of a factory which handshake OpenSSL is at whenever it reads for this one. */
export class TicketTurns {
  readonly #tickets: OpensslTickets
  readonly #handshake: TicketHandshake

  /** @param isResumed was a session resumed, as far as OpenSSL got? */
  constructor(tickets: OpensslTickets, isResumed: () => boolean) {
    this.#tickets = tickets
    this.#handshake = { isResumed, provenAt: undefined }
  }

  /** Between our two listeners is Node's, in which OpenSSL reads. */
  follow(wire: Duplex): void {
    let before: TicketHandshake | undefined
    wire.prependListener('data', () => {
      before = this.#tickets.serve(this.#handshake)
    })
    wire.on('data', () => {
      this.#tickets.serve(before)
    })
  }

  /** For what makes OpenSSL read on by itself. */
  during(read: () => void): void {
    const before = this.#tickets.serve(this.#handshake)
    read()
    this.#tickets.serve(before)
  }
}
