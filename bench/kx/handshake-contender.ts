import type { Certificates } from './certificates.ts'
import type { Exchange } from './exchanges.ts'

/** One way to complete TLS handshakes. */
export interface HandshakeContender {
  readonly name: string
  /** One line for the reader: what is measured. */
  readonly about: string
  /** Does `run` take seconds, however little is asked for? */
  readonly isSlow: boolean
  /** Makes contexts, starts processes, completes a first handshake. Nothing of it is measured. */
  prepare(exchange: Exchange, certificates: Certificates): Promise<Handshaker | Absent>
}

/** A contender that is ready for one exchange. Silent while another one is measured. */
export interface Handshaker {
  readonly kind: 'ready'
  /** Handshakes, one after the other, for about `forMs`: at least one. Each was seen to be the one that the exchange asks for. */
  run(forMs: number): Promise<Sample>
  dispose(): Promise<void>
}

/** Not here, and why: the cell says so. */
export interface Absent {
  readonly kind: 'absent'
  readonly reason: string
}

export interface Sample {
  readonly handshakes: number
  readonly ms: number
}

/** In a run that measures nothing. */
export const NOT_TRIED = { kind: 'absent', reason: 'not tried in this run: slow' } as const
