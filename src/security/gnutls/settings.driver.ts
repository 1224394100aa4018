import { randomBytes } from 'node:crypto'
import { SzmqError } from '../../shared/errors.ts'
import type { Credentials } from '../credentials/credentials.ts'
import { identityDigest } from '../identity.ts'
import type { PskCredentials } from '../credentials/psk-credentials.ts'
import type { RawPublicKeyCredentials } from '../credentials/raw-public-key-credentials.ts'
import type { SrpCredentials, SrpVerifier } from '../credentials/srp-credentials.ts'
import { requireTlsOptions, type TlsOptions } from '../tls-options.ts'
import type { X509Credentials } from '../credentials/x509-credentials.ts'
import type { X509Trust } from '../credentials/x509-trust.ts'
import { make, requireSuccess } from './check.driver.ts'
import { CRD, INIT, PSK_KEY_RAW, SEC_PARAM_MEDIUM, X509_FMT } from './constants.ts'
import { RevocationLists } from './crl.driver.ts'
import type { GnutlsLibrary } from './library.driver.ts'
import { freeKept, keepBytes, toDatum, toTextDatum } from './memory.driver.ts'
import { toPriorityText } from './priority-text.ts'
import type { CBox, Pointer } from './prototype.ts'
import { resolveResumption, type GnutlsResumption } from './resumption.driver.ts'
import { threadOf, type GnutlsThread } from './thread.driver.ts'

export interface GnutlsEngineOptions extends TlsOptions {
  /** Servers: Diffie-Hellman parameters of your own (PKCS #3, "BEGIN DH PARAMETERS"), for TLS 1.2. Default: FFDHE groups of RFC 7919. */
  readonly dhParametersPem?: string | undefined
}

/** What the engines of one factory share. */
export interface GnutlsSettings {
  readonly thread: GnutlsThread
  readonly options: GnutlsEngineOptions
  readonly role: 'client' | 'server'
  readonly clientCertificate: 'required' | 'optional' | 'none'
  readonly proofs: Proofs
  readonly natives: SharedNatives
  /** Of `gnutls_init`. */
  readonly flags: number
  /** `gnutls_datum_t[1]`, which GnuTLS keeps a pointer into. */
  readonly alpn: { readonly data: Pointer; readonly size: number } | undefined
  /** Undefined: each handshake is a full one. */
  readonly resumption: GnutlsResumption | undefined
  readonly revocations: RevocationLists | undefined
  /** Servers: the group of the last SRP user who was known. */
  readonly srpGroup: { bits: SrpVerifier['groupBits'] }
}

/** The credentials by kind. */
export interface Proofs {
  readonly own: X509Credentials | undefined
  readonly trust: X509Trust | undefined
  readonly psk: PskCredentials | undefined
  readonly srp: SrpCredentials | undefined
  readonly rawPublicKey: RawPublicKeyCredentials | undefined
  readonly isAnonymous: boolean
  readonly kinds: ReadonlySet<Credentials['kind']>
}

/**
 * GnuTLS's own structures that all engines of a factory use. They are freed when the factory and each of its engines are gone, so no session can
 * outlive them.
 */
export interface SharedNatives {
  readonly priority: Pointer
  readonly certificate: Pointer | undefined
  readonly psk: Pointer | undefined
  readonly srp: Pointer | undefined
  readonly anonymous: Pointer | undefined
  readonly dhParameters: Pointer | undefined
}

/** @throws as `createGnutlsEngineFactory` */
export function resolveGnutlsSettings(options: GnutlsEngineOptions): GnutlsSettings {
  requireTlsOptions(options)
  const proofs = sortCredentials(options.credentials)
  const priority = toPriorityText(options, proofs.kinds)
  const thread = threadOf()
  const { role, clientCertificate = 'required', insecureKeyLog } = options
  if (insecureKeyLog !== undefined) {
    process.emitWarning('szmq writes TLS secrets to a key log: whoever reads it reads all traffic', 'SecurityWarning')
  }
  const builder = new NativesBuilder(thread.library)
  try {
    const natives = builder.build(thread, options, proofs, priority)
    const alpn = options.alpn === undefined ? undefined : builder.keep(Buffer.from(options.alpn, 'utf8'))
    const { trust } = proofs
    const revocations = trust?.crlPem === undefined ? undefined : new RevocationLists(thread.library, trust.crlPem, trust.caPem)
    const resumption = findResumption(options, proofs)
    const mayUseTickets = resumption !== undefined && (role === 'client' || resumption.ticketKey !== undefined)
    const flags =
      INIT.NONBLOCK |
      (mayUseTickets ? 0 : INIT.NO_TICKETS) |
      (role === 'client' ? INIT.CLIENT | INIT.FORCE_CLIENT_CERT : INIT.SERVER) |
      (proofs.rawPublicKey === undefined ? 0 : INIT.ENABLE_RAWPK)
    const settings: GnutlsSettings = {
      thread,
      options,
      role,
      clientCertificate,
      proofs,
      natives,
      flags,
      alpn,
      resumption,
      revocations,
      srpGroup: { bits: DEFAULT_SRP_GROUP_BITS },
    }
    thread.freeWith(natives, builder.frees)
    return settings
  } catch (error) {
    for (const free of builder.frees) free()
    throw error
  }
}

/** Only sessions between certificates are worth it, and known to bring their peer's identity along. */
function findResumption(options: GnutlsEngineOptions, { own, trust, kinds }: Proofs): GnutlsResumption | undefined {
  const isByCertificate = [...kinds].every((kind) => kind === 'x509' || kind === 'x509Trust')
  if (options.resumption === false || !isByCertificate) return undefined
  const { alpn, priority, minVersion, maxVersion, clientCertificate } = options
  // What both sides accept and are: whoever shares tickets must not become somebody else by them, nor weaker.
  const names = own === undefined ? undefined : identityDigest(own.identity)
  const terms = [trust?.fingerprint, alpn, clientCertificate, names, priority, minVersion, maxVersion]
  return resolveResumption(options, options.resumption ?? {}, terms)
}

function sortCredentials(given: Credentials | readonly Credentials[]): Proofs {
  const list = [given].flat()
  const find = <Kind extends Credentials['kind']>(kind: Kind): Extract<Credentials, { kind: Kind }> | undefined => {
    const isOfKind = (each: Credentials): each is Extract<Credentials, { kind: Kind }> => each.kind === kind
    return list.find(isOfKind)
  }
  if (list.length === 0) {
    throw new SzmqError('ERR_SZMQ_BAD_CREDENTIALS', 'an empty list of credentials: give some, for example X.509 credentials')
  }
  const own = find('x509')
  return {
    own,
    trust: own?.trust ?? find('x509Trust'),
    psk: find('psk'),
    srp: find('srp'),
    rawPublicKey: find('rawPublicKey'),
    isAnonymous: find('insecureAnonymous') !== undefined,
    kinds: new Set(list.map(({ kind }) => kind)),
  }
}

/** Makes the structures, and knows how to free what it made. */
class NativesBuilder {
  /** In the order in which they are to be called. */
  readonly frees: (() => void)[] = []
  readonly #library: GnutlsLibrary

  constructor(library: GnutlsLibrary) {
    this.#library = library
  }

  build(thread: GnutlsThread, options: GnutlsEngineOptions, proofs: Proofs, priorityText: string): SharedNatives {
    const isServer = options.role === 'server'
    const { fn } = this.#library
    const dhParameters = options.dhParametersPem === undefined ? undefined : this.#dhParameters(options.dhParametersPem)
    const priority = this.#priority(priorityText)
    const certificate =
      proofs.trust === undefined && proofs.rawPublicKey === undefined ? undefined : this.#certificate(thread, proofs, isServer)
    const psk = proofs.psk === undefined ? undefined : this.#psk(thread, proofs.psk)
    const srp = proofs.srp === undefined ? undefined : this.#srp(thread, proofs.srp)
    const anonymous = proofs.isAnonymous ? this.#anonymous(isServer) : undefined
    if (isServer) {
      // Without any GnuTLS picks a group of RFC 7919 that the client offers; with these it also serves clients that offer none.
      if (dhParameters === undefined) {
        if (certificate !== undefined) fn.gnutls_certificate_set_known_dh_params(certificate, SEC_PARAM_MEDIUM)
        if (psk !== undefined) fn.gnutls_psk_set_server_known_dh_params(psk, SEC_PARAM_MEDIUM)
        if (anonymous !== undefined) fn.gnutls_anon_set_server_known_dh_params(anonymous, SEC_PARAM_MEDIUM)
      } else {
        if (certificate !== undefined) fn.gnutls_certificate_set_dh_params(certificate, dhParameters)
        if (psk !== undefined) fn.gnutls_psk_set_server_dh_params(psk, dhParameters)
        if (anonymous !== undefined) fn.gnutls_anon_set_server_dh_params(anonymous, dhParameters)
      }
    }
    return { priority, certificate, psk, srp, anonymous, dhParameters }
  }

  /** Bytes that GnuTLS may keep a pointer to. */
  keep(bytes: Uint8Array): { readonly data: Pointer; readonly size: number } {
    const data = keepBytes(this.#library, bytes)
    this.frees.push(() => {
      freeKept(this.#library, data)
    })
    return { data, size: bytes.length }
  }

  #make(what: string, allocate: (box: CBox<Pointer>) => number, free: (pointer: Pointer) => void): Pointer {
    const pointer = make(this.#library, what, allocate)
    this.frees.push(() => {
      free(pointer)
    })
    return pointer
  }

  #priority(text: string): Pointer {
    const { fn } = this.#library
    const kept = keepBytes(this.#library, Buffer.from(`${text}\0`, 'utf8'))
    try {
      const [box, errorAt]: [CBox<Pointer>, CBox<Pointer>] = [[null], [null]]
      const result = fn.gnutls_priority_init(box, kept, errorAt)
      if (result === 0 && box[0] !== null) {
        const priority = box[0]
        this.frees.push(() => {
          fn.gnutls_priority_deinit(priority)
        })
        if (fn.gnutls_priority_protocol_list(priority, [null]) > 0) return priority
        const seen = `the priority string leaves no TLS version: ${text}`
        throw new SzmqError('ERR_SZMQ_INVALID_ARGUMENT', `${seen}: allow one between minVersion and maxVersion`)
      }
      const place = errorAt[0] === null ? text.length : Number(errorAt[0] - kept)
      const seen = `${text.slice(0, place)} >>> ${text.slice(place)}`
      requireSuccess(this.#library, result, `the priority string, where the arrows are: ${seen}`, 'ERR_SZMQ_INVALID_ARGUMENT')
      throw new SzmqError('ERR_SZMQ_INVALID_ARGUMENT', `GnuTLS makes nothing of the priority string ${text}`)
    } finally {
      freeKept(this.#library, kept)
    }
  }

  #dhParameters(pem: string): Pointer {
    const { fn } = this.#library
    const parameters = this.#make('DH parameters', fn.gnutls_dh_params_init, fn.gnutls_dh_params_deinit)
    const result = fn.gnutls_dh_params_import_pkcs3(parameters, toTextDatum(pem), X509_FMT.PEM)
    requireSuccess(this.#library, result, 'dhParametersPem ("BEGIN DH PARAMETERS" belongs there)')
    return parameters
  }

  #certificate(thread: GnutlsThread, { own, trust, rawPublicKey }: Proofs, isServer: boolean): Pointer {
    const { fn } = this.#library
    const credentials = this.#make(
      'certificate credentials',
      fn.gnutls_certificate_allocate_credentials,
      fn.gnutls_certificate_free_credentials,
    )
    const require = (what: string, result: number): void => {
      requireSuccess(this.#library, result, what)
    }
    if (trust !== undefined) {
      require('the CA', fn.gnutls_certificate_set_x509_trust_mem(credentials, toTextDatum(trust.caPem), X509_FMT.PEM))
      if (trust.crlPem !== undefined)
        require('the revocation list', fn.gnutls_certificate_set_x509_crl_mem(
          credentials,
          toTextDatum(trust.crlPem),
          X509_FMT.PEM,
        ))
    }
    if (own !== undefined) {
      const [certificate, key] = [toTextDatum(own.certificatePem), toTextDatum(own.revealPrivateKeyPem())]
      require('the certificate or its key', fn.gnutls_certificate_set_x509_key_mem(credentials, certificate, key, X509_FMT.PEM))
      wipe(key.data)
    }
    if (rawPublicKey !== undefined) {
      const [spki, key] = [toTextDatum(rawPublicKey.publicKeyPem), toTextDatum(rawPublicKey.revealPrivateKeyPem())]
      require('the raw public key', fn.gnutls_certificate_set_rawpk_key_mem(
        credentials,
        spki,
        key,
        X509_FMT.PEM,
        null,
        KEY_USAGE_SIGN,
        null,
        0,
        0,
      ))
      wipe(key.data)
    }
    if (isServer && own === undefined && rawPublicKey === undefined) {
      throw new SzmqError(
        'ERR_SZMQ_BAD_CREDENTIALS',
        'a server with a CA alone has nothing to show: give it a certificate and a key',
      )
    }
    fn.gnutls_certificate_set_verify_function(credentials, thread.callbacks.pointer('verify'))
    return credentials
  }

  #psk(thread: GnutlsThread, psk: PskCredentials): Pointer {
    const { fn } = this.#library
    if (psk.identity === undefined) {
      const credentials = this.#make(
        'PSK credentials',
        fn.gnutls_psk_allocate_server_credentials,
        fn.gnutls_psk_free_server_credentials,
      )
      fn.gnutls_psk_set_server_credentials_function2(credentials, thread.callbacks.pointer('pskKey'))
      if (psk.hint !== undefined)
        requireSuccess(this.#library, fn.gnutls_psk_set_server_credentials_hint(credentials, psk.hint), 'the PSK hint')
      return credentials
    }
    const credentials = this.#make(
      'PSK credentials',
      fn.gnutls_psk_allocate_client_credentials,
      fn.gnutls_psk_free_client_credentials,
    )
    const key = Buffer.from(psk.revealKey(psk.identity) ?? [])
    const identity = toDatum(Buffer.from(psk.identity, 'utf8'))
    const result = fn.gnutls_psk_set_client_credentials2(credentials, identity, toDatum(key), PSK_KEY_RAW)
    wipe(key)
    requireSuccess(this.#library, result, 'the pre-shared key')
    return credentials
  }

  #srp(thread: GnutlsThread, srp: SrpCredentials): Pointer {
    const { fn } = this.#library
    if (srp.username === undefined) {
      const credentials = this.#make(
        'SRP credentials',
        fn.gnutls_srp_allocate_server_credentials,
        fn.gnutls_srp_free_server_credentials,
      )
      fn.gnutls_srp_set_server_credentials_function(credentials, thread.callbacks.pointer('srpVerifier'))
      // The same user name gets the same made-up salt each time, as a real one would.
      fn.gnutls_srp_set_server_fake_salt_seed(credentials, this.keep(randomBytes(FAKE_SALT_SEED_BYTES)), SRP_SALT_BYTES)
      return credentials
    }
    const credentials = this.#make(
      'SRP credentials',
      fn.gnutls_srp_allocate_client_credentials,
      fn.gnutls_srp_free_client_credentials,
    )
    const result = fn.gnutls_srp_set_client_credentials(credentials, srp.username, srp.revealPassword() ?? '')
    requireSuccess(this.#library, result, 'the SRP user name or password')
    return credentials
  }

  #anonymous(isServer: boolean): Pointer {
    const { fn } = this.#library
    return isServer
      ? this.#make('credentials', fn.gnutls_anon_allocate_server_credentials, fn.gnutls_anon_free_server_credentials)
      : this.#make('credentials', fn.gnutls_anon_allocate_client_credentials, fn.gnutls_anon_free_client_credentials)
  }
}

/** `GNUTLS_KEY_DIGITAL_SIGNATURE` */
const KEY_USAGE_SIGN = 128

/** What `createSrpVerifier` takes by default. */
export const DEFAULT_SRP_GROUP_BITS = 3072

const FAKE_SALT_SEED_BYTES = 32
/** Length of the salts that `createSrpVerifier` makes: a made-up one must not differ. */
export const SRP_SALT_BYTES = 16

/** By `gnutls_credentials_type_t`, for `gnutls_credentials_set`. */
export function listCredentials({ certificate, psk, srp, anonymous }: SharedNatives): readonly (readonly [number, Pointer])[] {
  const all = [
    [CRD.CERTIFICATE, certificate],
    [CRD.PSK, psk],
    [CRD.SRP, srp],
    [CRD.ANON, anonymous],
  ] as const
  return all.flatMap(([type, pointer]) => (pointer === undefined ? [] : [[type, pointer] as const]))
}

function wipe(bytes: Uint8Array | Pointer | null): void {
  if (bytes instanceof Uint8Array) bytes.fill(0)
}
