import { pathToFileURL } from 'node:url'
import {
  createOpensslEngineFactory,
  PskCredentials,
  Session,
  systemClock,
  systemRandom,
  type SessionEvent,
  type TlsEngineFactory,
  type TlsOptions,
} from 'szmq/security'

/** `createOpensslEngineFactory` or `createGnutlsEngineFactory`. */
type CreateFactory = (options: TlsOptions) => TlsEngineFactory

/** Two sessions in one process: bytes of one are received by the other. Over a network, frames of yours carry them, in order. */
export async function main(createFactory: CreateFactory = createOpensslEngineFactory): Promise<readonly string[]> {
  const key = systemRandom.bytes(32)
  const log: string[] = []
  let settle = (): void => {}
  const over = new Promise<void>((resolve) => {
    settle = resolve
  })

  const till = new Session(
    {
      role: 'client',
      engine: createFactory({
        role: 'client',
        credentials: PskCredentials.client({ identity: 'till-1', key }),
      }),
    },
    { clock: systemClock, random: systemRandom },
    (event: SessionEvent) => {
      if (event.kind === 'ciphertext') setImmediate(() => shop.receive(event.bytes))
      if (event.kind === 'open') till.send(Buffer.from('3 apples'))
      if (event.kind === 'message') till.close()
      if (event.kind === 'closed' || event.kind === 'failed') settle()
    },
  )
  const shop = new Session(
    {
      role: 'server',
      engine: createFactory({
        role: 'server',
        credentials: PskCredentials.server({ keyOf: (identity) => (identity === 'till-1' ? key : undefined) }),
      }),
    },
    { clock: systemClock, random: systemRandom },
    (event: SessionEvent) => {
      if (event.kind === 'ciphertext') setImmediate(() => till.receive(event.bytes))
      if (event.kind === 'open') log.push(`${event.facts.version} with ${event.facts.peer.subject}`)
      // All of GnuTLS, on the live session.
      const { gnutls } = shop
      if (event.kind === 'open' && gnutls !== undefined) {
        const isSafe = gnutls.call('unsigned gnutls_safe_renegotiation_status(gnutls_session_t session)', gnutls.session)
        log.push(`renegotiation is safe: ${isSafe}`)
      }
      if (event.kind === 'message') {
        log.push(Buffer.from(event.bytes).toString())
        shop.send(Buffer.from('thank you'))
      }
    },
  )
  shop.open()
  till.open()
  await over
  return log
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) console.log((await main()).join('\n'))
