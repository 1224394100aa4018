import { constants, createHash, X509Certificate } from 'node:crypto'
import { createSecureContext, type SecureContext } from 'node:tls'
import { messageOf, SzmqError } from '../../shared/errors.ts'
import { systemClock } from '../../shared/system-clock.driver.ts'
import { systemRandom } from '../../shared/system-random.driver.ts'
import { clientSessionKey, ClientSessions } from '../resumption/client-sessions.ts'
import { identityDigest } from '../identity.ts'
import { OpensslDatabase, type Reading } from './database.driver.ts'
import { requireDhParameters } from './dh-parameters.ts'
import { sortProofs, type OpensslProofs } from './proofs.ts'
import { resolveOpensslTerms } from './terms.ts'
import { OpensslTickets } from './ticket-keys.driver.ts'
import { readBlocks } from '../credentials/pem.ts'
import type { PskCredentials } from '../credentials/psk-credentials.ts'
import type { X509Credentials } from '../credentials/x509-credentials.ts'
import { PeerSessions } from '../resumption/peer-sessions.ts'
import { MAX_SESSION_LIFETIME_MS } from '../resumption/session-store.ts'
import { createTicketKeys, generateTicketSecret } from '../resumption/ticket-keys.ts'
import { DEFAULT_SESSION_LIFETIME_MS, requireTlsOptions, type Authorize, type TlsOptions } from '../tls-options.ts'

export interface OpensslEngineOptions extends TlsOptions {
  /** OpenSSL cipher list, in place of what the priority says. */
  readonly ciphers?: string | undefined
  /** OpenSSL group list, such as `X25519:P-256`, in place of what the priority says. */
  readonly groups?: string | undefined
  /**
   * Servers: Diffie-Hellman parameters of your own ("BEGIN DH PARAMETERS"), at least 2 048 bits, for TLS 1.2. Default: a group of RFC 3526 that fits the certificate's key or the cipher.
   */
  readonly dhParametersPem?: string | undefined
}

/** What the engines of one factory share. */
export interface OpensslSettings {
  readonly role: 'client' | 'server'
  readonly serverName: string | undefined
  readonly alpn: string | undefined
  readonly authorize: Authorize | undefined
  readonly clientCertificate: 'required' | 'optional' | 'none'
  readonly psk: PskCredentials | undefined
  readonly secureContext: SecureContext
  /** Servers. */
  readonly tickets: OpensslTickets | undefined
  /** Servers: sessions by id, for one handshake. */
  readonly openDatabase: ((read: Reading) => OpensslDatabase) | undefined
  /** Clients. */
  readonly sessions: PeerSessions | undefined
  readonly insecureKeyLog: ((line: string) => void) | undefined
}

/** @throws as `createOpensslEngineFactory` */
export function resolveOpensslSettings(options: OpensslEngineOptions): OpensslSettings {
  const { role, serverName, alpn, authorize, clientCertificate = 'required', insecureKeyLog } = options
  requireTlsOptions(options)
  const proofs = sortProofs(role, options.credentials)
  if (insecureKeyLog !== undefined) {
    process.emitWarning('szmq writes TLS secrets to a key log: whoever reads it reads all traffic', 'SecurityWarning')
  }
  // OpenSSL keeps no identity in the session of a pre-shared key; such handshakes are cheap anyway.
  const resumption = options.resumption === false || proofs.psk !== undefined ? undefined : (options.resumption ?? {})
  const lifetimeMs = Math.min(resumption?.lifetimeMs ?? DEFAULT_SESSION_LIFETIME_MS, MAX_SESSION_LIFETIME_MS)
  const store = resumption?.store
  const hasTickets = resumption !== undefined && resumption.ticketKeys !== false
  const secureContext = buildContext(options, proofs, { lifetimeMs, hasTickets })
  const tickets = role === 'server' && hasTickets ? ticketsOf(options, lifetimeMs) : undefined
  tickets?.useIn(secureContext)
  return {
    role,
    serverName,
    alpn,
    authorize,
    clientCertificate,
    psk: proofs.psk,
    secureContext,
    tickets,
    openDatabase:
      role === 'server' && store !== undefined ? (read) => new OpensslDatabase(store, { lifetimeMs, read }) : undefined,
    sessions:
      role === 'client' && resumption !== undefined
        ? new PeerSessions(
            resumption.sessions ?? new ClientSessions({ clock: systemClock }),
            sessionKeyOf(options, proofs),
            lifetimeMs,
          )
        : undefined,
    insecureKeyLog,
  }
}

function buildContext(
  options: OpensslEngineOptions,
  proofs: OpensslProofs,
  { lifetimeMs, hasTickets }: { readonly lifetimeMs: number; readonly hasTickets: boolean },
): SecureContext {
  const { secureOptions, sigalgs, honorCipherOrder, dhparam, ...terms } = resolveOpensslTerms(options, proofs)
  const { minVersion, maxVersion } = terms
  const { own, trust } = proofs
  const groups = options.groups ?? terms.groups
  const ciphers = options.ciphers ?? terms.ciphers
  const ownDhParameters = options.dhParametersPem === undefined ? undefined : requireDhParameters(options.dhParametersPem)
  try {
    return createSecureContext({
      // An empty list would mean: the CAs of the web.
      ca: trust?.caPem ?? [],
      ...(own === undefined ? {} : { cert: chainOf(own), key: own.revealPrivateKeyPem() }),
      // One by one: of a text with several lists Node reads the first.
      ...(trust?.crlPem === undefined ? {} : { crl: [...readBlocks(trust.crlPem, 'X509 CRL')] }),
      minVersion,
      maxVersion,
      ciphers,
      ...(groups === undefined ? {} : { ecdhCurve: groups }),
      sigalgs,
      honorCipherOrder,
      ...(dhparam === undefined ? {} : { dhparam: ownDhParameters ?? dhparam }),
      ...(options.role === 'server'
        ? { sessionIdContext: sessionContextOf(options, proofs, [ciphers, groups, sigalgs, minVersion, maxVersion]) }
        : {}),
      sessionTimeout: Math.ceil(lifetimeMs / 1_000),
      secureOptions: secureOptions | constants.SSL_OP_NO_RENEGOTIATION | (hasTickets ? 0 : constants.SSL_OP_NO_TICKET),
    })
  } catch (cause) {
    const text = `OpenSSL refuses to work with these options: ${messageOf(cause)}`
    const isOption = /cipher|curve|group|ECDH|sigalg|signature/i.test(messageOf(cause))
    throw new SzmqError(isOption ? 'ERR_SZMQ_INVALID_ARGUMENT' : 'ERR_SZMQ_BAD_CREDENTIALS', text, { cause })
  }
}

function ticketsOf({ resumption, maxVersion }: OpensslEngineOptions, lifetimeMs: number): OpensslTickets {
  const given = resumption === false ? undefined : resumption?.ticketKeys
  const keys = given || createTicketKeys({ secret: generateTicketSecret(systemRandom) })
  return new OpensslTickets(keys, { lifetimeMs, isForTls13: maxVersion !== 'TLSv1.2' })
}

function sessionKeyOf(options: OpensslEngineOptions, { own, trust }: OpensslProofs): string {
  const { alpn, ciphers, groups, minVersion, maxVersion, priority } = options
  const shown = own?.certificate.fingerprint256
  const terms = ['openssl', trust?.fingerprint, shown, alpn, ciphers, groups, minVersion, maxVersion, priority]
  return clientSessionKey(options.serverName ?? '', shortDigest(terms))
}

/**
 * Sessions of another context are no sessions, wherever they come from. A resumed handshake shows no certificate and chooses no suite: under
 * another trust (a CA that was removed, a certificate that was revoked), at a server of another name, with stricter terms or a stricter demand
 * for certificates the first one would have ended differently.
 */
function sessionContextOf(
  { alpn, clientCertificate }: OpensslEngineOptions,
  { own, trust }: OpensslProofs,
  terms: readonly (string | undefined)[],
): string {
  const shown = own === undefined ? undefined : identityDigest(own.identity)
  return shortDigest(['szmq', trust?.fingerprint, shown, clientCertificate ?? 'required', alpn, ...terms])
}

/**
 * With its issuer behind it. Left to itself OpenSSL puts the same chain together for each handshake, and verifies each signature of it.
 */
function chainOf({ certificatePem, certificate, trust }: X509Credentials): string {
  if (readBlocks(certificatePem, 'CERTIFICATE').length > 1) return certificatePem
  const issuer = readBlocks(trust.caPem, 'CERTIFICATE').find((block) => {
    const ca = new X509Certificate(block)
    return certificate.checkIssued(ca) && !ca.raw.equals(certificate.raw)
  })
  return issuer === undefined ? certificatePem : `${certificatePem.trimEnd()}\n${issuer}\n`
}

/** 32 characters, as long as OpenSSL lets a context be. */
function shortDigest(parts: readonly (string | undefined)[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32)
}
