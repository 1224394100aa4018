import type { TLSSocket } from 'node:tls'
import type { PeerIdentity } from '../identity.ts'
import type { HandshakeWatch } from '../records/handshake-watch.ts'
import type { TlsFacts } from '../tls-engine.ts'

/** What a handshake that is done has agreed on. @param watch saw it pass */
export function readFacts(socket: TLSSocket, peer: PeerIdentity, watch: HandshakeWatch | undefined): TlsFacts {
  const { standardName, name } = socket.getCipher()
  return {
    engine: 'openssl',
    version: socket.getProtocol() ?? 'unknown',
    cipherSuite: standardName,
    group: watch?.groupFor(name) ?? readEphemeralGroup(socket) ?? 'unknown',
    alpn: typeof socket.alpnProtocol === 'string' ? socket.alpnProtocol : undefined,
    // OpenSSL calls a TLS 1.3 handshake by an external pre-shared key a resumed one.
    isResumed: socket.isSessionReused() && peer.verifiedBy !== 'psk',
    peer,
  }
}

/** Only known at the client. */
function readEphemeralGroup(socket: TLSSocket): string | undefined {
  const info: object | null = socket.getEphemeralKeyInfo()
  return info !== null && 'name' in info && typeof info.name === 'string' ? info.name : undefined
}
