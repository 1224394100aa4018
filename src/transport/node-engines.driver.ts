import { ClientSessions } from '../security/resumption/client-sessions.ts'
import { createEngineFactorySource } from '../security/credentials/engine-factory-source.ts'
import { loadCredentials, type CredentialFiles } from '../security/credentials/credential-files.driver.ts'
import {
  RotatingCredentials,
  type CredentialListener,
  type CredentialSource,
} from '../security/credentials/credential-source.ts'
import { watchCredentials } from '../security/credentials/credential-watch.driver.ts'
import { createGnutlsEngineFactory } from '../security/gnutls-engine.driver.ts'
import { createOpensslEngineFactory } from '../security/openssl-engine.driver.ts'
import { createTicketKeys, generateTicketSecret, type TicketKeys } from '../security/resumption/ticket-keys.ts'
import type { TlsEngineFactory } from '../security/tls-engine.ts'
import type { TlsOptions } from '../security/tls-options.ts'
import { parseX509Credentials, X509Credentials, type X509CredentialsInput } from '../security/credentials/x509-credentials.ts'
import { SzmqError } from '../shared/errors.ts'
import { systemClock } from '../shared/system-clock.driver.ts'
import { systemRandom } from '../shared/system-random.driver.ts'
import { LINK_VERSION } from './link.codec.ts'

/** A node's certificate, its key and the CAs it trusts: as files, or as PEM. */
export type NodeCredentials = CredentialFiles | X509CredentialsInput

/** Credentials in use, which may be renewed under it. Disposing ends the watch of their files. */
export type NodeCredentialSource = CredentialSource & AsyncDisposable

/**
 * Makes the TLS engines of a node's links. Each is asked for an engine at each epoch of a session, so that what it gives may change while links
 * live: renewed credentials, for instance.
 */
export interface NodeEngines {
  readonly server: TlsEngineFactory
  /** @param serverName the name that the other node's certificate must carry */
  client(serverName: string): TlsEngineFactory
}

export interface NodeEngineOptions {
  /** The TLS library. Default `openssl`, which Node brings along; `gnutls` is the system's libgnutls. */
  readonly engine?: 'openssl' | 'gnutls' | undefined
  /** A GnuTLS priority string, see `docs/priority.md`; of it only TLS 1.3 is used. Default: szmq's own. */
  readonly priority?: string | undefined
  /** Keys of session tickets, for groups of nodes that stand in for each other. Default: keys of this node alone. */
  readonly ticketKeys?: TicketKeys | undefined
}

/** Both ends must name it: a TLS peer that speaks something else is refused in the handshake. */
const ALPN = `szmq-link/${LINK_VERSION}`

const MAKE: Readonly<Record<'openssl' | 'gnutls', (options: TlsOptions) => TlsEngineFactory>> = {
  openssl: createOpensslEngineFactory,
  gnutls: createGnutlsEngineFactory,
}

/** @throws ERR_SZMQ_BAD_CREDENTIALS naming the file and what to do. */
export async function readNodeCredentials(credentials: NodeCredentials): Promise<X509Credentials> {
  if ('caFile' in credentials) return loadCredentials(credentials)
  return parseX509Credentials(credentials, { now: new Date() })
}

/**
 * Credentials that follow their files, or PEM that stays as it is.
 *
 * @throws ERR_SZMQ_BAD_CREDENTIALS naming the file and what to do · ERR_SZMQ_INVALID_ARGUMENT for none
 */
export async function openNodeCredentials(
  credentials: NodeCredentials,
  onEvent: CredentialListener,
): Promise<NodeCredentialSource> {
  // Whoever writes JavaScript may forget it.
  if (!isObject(credentials)) throw new SzmqError('ERR_SZMQ_INVALID_ARGUMENT', NO_CREDENTIALS)
  if ('caFile' in credentials) return watchCredentials(credentials, { onEvent })
  const fixed = new RotatingCredentials({ kind: 'read', input: credentials }, { now: new Date(), listener: onEvent })
  return Object.assign(fixed, { [Symbol.asyncDispose]: () => Promise.resolve() })
}

/**
 * Mutual TLS 1.3 with the credentials of this node, the newest for each session. Sessions are resumed, also across a renewal of our own
 * certificate, so that a reset costs little.
 *
 * @throws ERR_SZMQ_BAD_CREDENTIALS · ERR_SZMQ_INVALID_ARGUMENT for a priority that the engine cannot do · ERR_SZMQ_ENGINE_UNAVAILABLE
 */
export function createNodeEngines(
  credentials: X509Credentials | CredentialSource,
  { engine = 'openssl', priority, ticketKeys = ownTicketKeys() }: NodeEngineOptions = {},
): NodeEngines {
  const make = factoryOf(engine)
  const shared = { priority, minVersion: 'TLSv1.3', alpn: ALPN } as const
  const sessions = new ClientSessions({ clock: systemClock })
  const following = (build: (current: X509Credentials) => TlsEngineFactory): TlsEngineFactory =>
    credentials instanceof X509Credentials ? build(credentials) : createEngineFactorySource(credentials, build)
  return {
    server: following((current) => make({ role: 'server', credentials: current, resumption: { ticketKeys }, ...shared })),
    client: (serverName) =>
      following((current) => make({ role: 'client', serverName, credentials: current, resumption: { sessions }, ...shared })),
  }
}

const NO_CREDENTIALS =
  'a node has no `tls`: give it the files of its certificate, key and CA; "szmq pki" makes some for development'

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null
}

function factoryOf(engine: keyof typeof MAKE): (options: TlsOptions) => TlsEngineFactory {
  if (Object.hasOwn(MAKE, engine)) return MAKE[engine]
  throw new SzmqError(
    'ERR_SZMQ_INVALID_ARGUMENT',
    `engine is ${JSON.stringify(engine)}: give one of ${Object.keys(MAKE).join(', ')}`,
  )
}

function ownTicketKeys(): TicketKeys {
  return createTicketKeys({ secret: generateTicketSecret(systemRandom) })
}
