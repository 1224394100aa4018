import { createRequire } from 'node:module'
import type * as koffiModule from 'koffi'
import { messageOf, SzmqError } from '../../shared/errors.ts'
import { PROTOTYPES, type GnutlsFunctions } from './functions.ts'
import type { CFunction, CValue, Pointer } from './prototype.ts'

/** The first version with key logs and pre-shared keys as bytes. */
export const MIN_GNUTLS_VERSION = '3.6.13'

/** Names another library file than the system's, such as one in a path of its own; for tests also one that is not there. */
export const LIBRARY_VARIABLE = 'SZMQ_GNUTLS_LIBRARY'

/** libgnutls in this thread. */
export interface GnutlsLibrary {
  readonly koffi: Koffi
  readonly version: string
  /** GnuTLS's functions by name. */
  readonly fn: GnutlsFunctions
  /**
   * Any other function, by its prototype; found once.
   *
   * @throws ERR_SZMQ_INVALID_ARGUMENT for a text that is no prototype, and for a function that this version lacks
   */
  find<const Prototype extends string>(prototype: Prototype): CFunction<Prototype>
  /** Does this version export it? */
  has(name: string): boolean
  /** The address of exported data; found once. */
  symbol(name: string): Pointer
  /** `memcpy` between C and JavaScript: ten times as fast as a view of C's memory. */
  readonly copy: (to: Uint8Array | Pointer, from: Uint8Array | Pointer, bytes: number) => void
}

export type Koffi = typeof koffiModule

/**
 * Loads koffi and libgnutls on first use, once for each thread.
 *
 * @throws ERR_SZMQ_ENGINE_UNAVAILABLE with how to install what is missing or too old
 */
export function loadGnutls(): GnutlsLibrary {
  return (loaded ??= load())
}

let loaded: GnutlsLibrary | undefined

function load(): GnutlsLibrary {
  const koffi = loadKoffi()
  const library = openLibrary(koffi)
  declareTypes(koffi)
  const found = new Map<string, (...args: readonly CValue[]) => unknown>()
  const symbols = new Map<string, Pointer>()
  const find = <const Prototype extends string>(prototype: Prototype): CFunction<Prototype> => {
    const known = found.get(prototype) ?? declare(koffi, library, prototype)
    found.set(prototype, known)
    // The compiler reads the same text that koffi reads.
    return known as CFunction<Prototype>
  }
  const demand = <const Prototype extends string>(prototype: Prototype): CFunction<Prototype> => {
    try {
      return find(prototype)
    } catch (cause) {
      const lacking = `what was loaded${process.env[LIBRARY_VARIABLE] === undefined ? '' : ` from ${process.env[LIBRARY_VARIABLE]}`}`
      throw unavailable(`${lacking} has no ${nameOf(prototype)}`, cause)
    }
  }
  const version = demand('const char *gnutls_check_version(const char *version)')(null) ?? 'of an unknown version'
  if (isOlder(version, MIN_GNUTLS_VERSION)) {
    throw unavailable(`libgnutls ${version} was found, ${MIN_GNUTLS_VERSION} or later is needed`)
  }
  const copy: (to: Uint8Array | Pointer, from: Uint8Array | Pointer, bytes: number) => void = koffi
    .load(null)
    .func('void memcpy(void *to, const void *from, size_t bytes)')
  const entries = PROTOTYPES.map((prototype) => [nameOf(prototype), demand(prototype)] as const)
  return {
    koffi,
    version,
    fn: Object.fromEntries(entries) as unknown as GnutlsFunctions,
    find,
    has: (name) => has(library, name),
    symbol: (name) => {
      const known = symbols.get(name) ?? symbolOf(library, name)
      symbols.set(name, known)
      return known
    },
    copy,
  }
}

interface NativeLibrary {
  func(prototype: string): (...args: readonly CValue[]) => unknown
  symbol(name: string): Pointer
}

function loadKoffi(): Koffi {
  try {
    const require = createRequire(import.meta.url)
    const koffi: Koffi = require('koffi')
    return koffi
  } catch (cause) {
    throw unavailable(`the package koffi cannot be loaded (${messageOf(cause)}): npm install koffi`, cause)
  }
}

function openLibrary(koffi: Koffi): NativeLibrary {
  const given = process.env[LIBRARY_VARIABLE]
  const names = given === undefined ? (NAMES_BY_PLATFORM[process.platform] ?? DEFAULT_NAMES) : [given]
  const failures: string[] = []
  for (const name of names) {
    try {
      return koffi.load(name)
    } catch (cause) {
      failures.push(`${name}: ${messageOf(cause)}`)
    }
  }
  throw unavailable(`libgnutls cannot be loaded (tried ${failures.join('; ')})`)
}

const DEFAULT_NAMES: readonly string[] = ['libgnutls.so.30', 'libgnutls.so']
const NAMES_BY_PLATFORM: Readonly<Record<string, readonly string[]>> = {
  darwin: ['libgnutls.30.dylib', '/opt/homebrew/lib/libgnutls.30.dylib', '/usr/local/lib/libgnutls.30.dylib'],
  win32: ['libgnutls-30.dll'],
}

function unavailable(seen: string, cause?: unknown): SzmqError {
  const install =
    'install it (Debian, Ubuntu: apt-get install libgnutls30; Fedora: dnf install gnutls; macOS: brew install gnutls), ' +
    `or name its file in ${LIBRARY_VARIABLE}, or use the openssl engine`
  return new SzmqError('ERR_SZMQ_ENGINE_UNAVAILABLE', `the gnutls engine is not available: ${seen}: ${install}`, { cause })
}

/** GnuTLS's own type names, so that prototypes can be copied from its manual. koffi keeps one table of names for each thread. */
function declareTypes(koffi: Koffi): void {
  if (isDeclared(koffi, 'gnutls_datum_t')) return
  koffi.struct('gnutls_datum_t', { data: 'void *', size: 'unsigned int' })
  koffi.struct('gnutls_typed_vdata_st', { type: 'int', data: 'void *', size: 'unsigned int' })
  for (const name of POINTER_TYPES) koffi.alias(name, 'void *')
  for (const name of INTEGER_TYPES) koffi.alias(name, 'int')
  if (!isDeclared(koffi, 'ssize_t')) koffi.alias('ssize_t', 'intptr_t')
  if (!isDeclared(koffi, 'unsigned')) koffi.alias('unsigned', 'unsigned int')
}

const POINTER_TYPES = [
  'gnutls_session_t',
  'gnutls_priority_t',
  'gnutls_dh_params_t',
  'gnutls_x509_crt_t',
  'gnutls_x509_crl_t',
  'gnutls_pubkey_t',
  'gnutls_privkey_t',
  'gnutls_certificate_credentials_t',
  'gnutls_psk_client_credentials_t',
  'gnutls_psk_server_credentials_t',
  'gnutls_srp_client_credentials_t',
  'gnutls_srp_server_credentials_t',
  'gnutls_anon_client_credentials_t',
  'gnutls_anon_server_credentials_t',
] as const

const INTEGER_TYPES = [
  'gnutls_alert_description_t',
  'gnutls_alert_level_t',
  'gnutls_certificate_type_t',
  'gnutls_cipher_algorithm_t',
  'gnutls_credentials_type_t',
  'gnutls_ctype_target_t',
  'gnutls_digest_algorithm_t',
  'gnutls_ecc_curve_t',
  'gnutls_group_t',
  'gnutls_kx_algorithm_t',
  'gnutls_mac_algorithm_t',
  'gnutls_pk_algorithm_t',
  'gnutls_protocol_t',
  'gnutls_sec_param_t',
  'gnutls_sign_algorithm_t',
] as const

function isDeclared(koffi: Koffi, name: string): boolean {
  try {
    koffi.type(name)
    return true
  } catch {
    return false
  }
}

function nameOf(prototype: string): string {
  return /(gnutls_\w+)\s*\(/.exec(prototype)?.[1] ?? prototype
}

function declare(koffi: Koffi, library: NativeLibrary, prototype: string): (...args: readonly CValue[]) => unknown {
  try {
    return FUNCTION_VARIABLES.has(nameOf(prototype)) ? declareVariable(koffi, library, prototype) : library.func(prototype)
  } catch (cause) {
    const text = `GnuTLS has no "${prototype}" here, or this is no C prototype (${messageOf(cause)}): copy it from the manual of your version`
    throw new SzmqError('ERR_SZMQ_INVALID_ARGUMENT', text, { cause })
  }
}

/** What looks like a function in the manual and is a variable that holds one: called as it lies, it would end the process. */
const FUNCTION_VARIABLES: ReadonlySet<string> = new Set([
  'gnutls_malloc',
  'gnutls_secure_malloc',
  'gnutls_calloc',
  'gnutls_realloc',
  'gnutls_free',
  'gnutls_strdup',
])

function declareVariable(koffi: Koffi, library: NativeLibrary, prototype: string): (...args: readonly CValue[]) => unknown {
  const name = nameOf(prototype)
  declaredVariables += 1
  const type = koffi.proto(prototype.replace(name, `szmq_${name}_${declaredVariables}`))
  const pointer: Pointer = koffi.decode(library.symbol(name), 'void *')
  return (...args) => koffi.call(pointer, type, ...args)
}

/** koffi keeps each name of a prototype for ever. */
let declaredVariables = 0

function has(library: NativeLibrary, name: string): boolean {
  try {
    library.symbol(name)
    return true
  } catch {
    return false
  }
}

function symbolOf(library: NativeLibrary, name: string): Pointer {
  try {
    return library.symbol(name)
  } catch (cause) {
    throw unavailable(`it lacks ${name}`, cause)
  }
}

function isOlder(version: string, least: string): boolean {
  const [seen, wanted] = [version, least].map((text) => text.split('.').map((part) => Number.parseInt(part, 10) || 0))
  for (let at = 0; at < 3; at++) {
    const difference = (seen?.[at] ?? 0) - (wanted?.[at] ?? 0)
    if (difference !== 0) return difference < 0
  }
  return false
}
