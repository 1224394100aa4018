import type { TlsEvent } from '../tls-engine.ts'

/**
 * Where a ChangeCipherSpec belongs among the messages of a flight that has just left. GnuTLS's hook tells nothing of it, and messages are told as
 * they are put together, before their records leave: in front of the first message that is sealed by it, or of TLS 1.3's second flight.
 */
export function placeOfChangeCipherSpec(events: readonly TlsEvent[], isTls13: boolean): number {
  const isSent = (event: TlsEvent, names: RegExp): boolean =>
    event.kind === 'handshake.message' && event.direction === 'sent' && names.test(event.message)
  const hello = events.findLastIndex((event) => isSent(event, /^(ServerHello|HelloRetryRequest)$/))
  if (hello >= 0) return hello + 1
  const sealed = events.findIndex((event) => isSent(event, isTls13 ? /./ : /^Finished$/))
  return sealed >= 0 ? sealed : events.length
}
