import { requireNegotiated, type Exchange, type Negotiated } from './exchanges.ts'
import type { Absent, Handshaker } from './handshake-contender.ts'
import type { TlsFacts } from './internals.ts'

/** One handshake in this process: complete at both ends and cleaned up when it resolves with what each end says was negotiated. */
export type Handshake = () => Promise<readonly Negotiated[]>

/** Handshakes one after the other, each one looked at. */
export function repeat(exchange: Exchange, handshake: Handshake): Handshaker {
  return {
    kind: 'ready',
    async run(forMs) {
      const startedMs = performance.now()
      let handshakes = 0
      do {
        for (const negotiated of await handshake()) requireNegotiated(exchange, negotiated)
        handshakes += 1
      } while (performance.now() - startedMs < forMs)
      return { handshakes, ms: performance.now() - startedMs }
    },
    dispose: async () => {},
  }
}

/** The first handshake is a full one in any case; the second one shows whether an engine resumes at all. */
export async function repeatAfterFirst(exchange: Exchange, handshake: Handshake): Promise<Handshaker | Absent> {
  await handshake()
  const isResumed = (await handshake()).every((negotiated) => negotiated.isResumed)
  if (exchange.resumption !== 'none' && !isResumed) return { kind: 'absent', reason: 'resumes no session' }
  return repeat(exchange, handshake)
}

export function toNegotiated({ version, cipherSuite, group, isResumed }: TlsFacts): Negotiated {
  return { version, suite: cipherSuite, group, isResumed }
}
