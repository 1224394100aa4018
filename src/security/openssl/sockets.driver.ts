import { Duplex } from 'node:stream'
import { connect, TLSSocket } from 'node:tls'
import { isAddress } from '../credentials/peer-certificate.ts'
import type { PskExchange } from '../credentials/psk-exchange.ts'
import { HIGH_WATER_MARK_BYTES } from '../tls-engine.ts'
import type { OpensslDatabase } from './database.driver.ts'
import type { OpensslSettings } from './settings.driver.ts'

/** The wire as OpenSSL sees it: what is pushed was received, what OpenSSL writes goes to `onCiphertext`, within its call. */
export function createWire(onCiphertext: (bytes: Buffer) => void): Duplex {
  return new Duplex({
    // Inherited by the TLS socket. If true, the peer's close_notify would never be answered.
    allowHalfOpen: false,
    read: () => {},
    write: (chunk: Buffer, _encoding, done) => {
      onCiphertext(chunk)
      done()
    },
    writev: (chunks, done) => {
      onCiphertext(Buffer.concat(chunks.map(({ chunk }) => chunk as Buffer)))
      done()
    },
  })
}

/** A client's end. */
export function connectOver(
  wire: Duplex,
  settings: OpensslSettings,
  psk: PskExchange | undefined,
  session: Buffer | undefined,
): TLSSocket {
  const { secureContext, serverName, alpn } = settings
  const isHostName = serverName !== undefined && !isAddress(serverName) && !serverName.includes(':')
  const options = {
    socket: wire,
    secureContext,
    ...(isHostName ? { servername: serverName } : {}),
    ...(alpn === undefined ? {} : { ALPNProtocols: [alpn] }),
    ...(session === undefined ? {} : { session }),
    ...(psk === undefined ? {} : { pskCallback: () => psk.asClient() }),
    highWaterMark: HIGH_WATER_MARK_BYTES,
    // Verified here, not by Node: with an error of our own, before the client's certificate goes out.
    rejectUnauthorized: false,
    checkServerIdentity: () => undefined,
  }
  // Node reads the server's whole chain for the check above. Nobody else asks this socket in this way.
  return Object.assign(connect(options), { getPeerCertificate: () => ({}) })
}

/** A server's end. */
export function acceptOver(
  wire: Duplex,
  settings: OpensslSettings,
  { psk, database }: { readonly psk: PskExchange | undefined; readonly database: OpensslDatabase | undefined },
): TLSSocket {
  const { secureContext, alpn, clientCertificate } = settings
  const options = {
    isServer: true,
    secureContext,
    ...(alpn === undefined ? {} : { ALPNProtocols: [alpn] }),
    ...(database === undefined ? {} : { server: database.server }),
    ...(psk === undefined
      ? {}
      : {
          pskCallback: (_socket: TLSSocket, identity: string) => psk.asServer(identity),
          ...(settings.psk?.hint === undefined ? {} : { pskIdentityHint: settings.psk.hint }),
        }),
    highWaterMark: HIGH_WATER_MARK_BYTES,
    requestCert: clientCertificate !== 'none',
    // Makes OpenSSL insist on a certificate. What it says is verified here.
    rejectUnauthorized: clientCertificate === 'required',
  }
  return new TLSSocket(wire, options)
}
