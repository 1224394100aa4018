import { SzmqError } from '../../shared/errors.ts'
import type { GnutlsLibrary } from './library.driver.ts'
import type { Datum, Pointer } from './prototype.ts'

/** Longest thing that is copied out of a datum: a certificate, a name. */
const MAX_DATUM_BYTES = 1024 * 1024

/** Bytes for one call: C may keep no pointer to them. */
export function toDatum(bytes: Uint8Array): Datum {
  return { data: bytes, size: bytes.length }
}

/** Text for one call. PEM needs the NUL behind it, which `size` does not count. */
export function toTextDatum(text: string): Datum {
  const bytes = Buffer.from(`${text}\0`, 'utf8')
  return { data: bytes, size: bytes.length - 1 }
}

/** A copy of `size` bytes of C. */
export function copyBytes({ copy }: GnutlsLibrary, pointer: Pointer | null, size: number): Buffer<ArrayBuffer> {
  if (pointer === null || size === 0) return Buffer.alloc(0)
  if (size > MAX_DATUM_BYTES)
    throw new SzmqError('ERR_SZMQ_LIMIT_EXCEEDED', `GnuTLS shows ${size} bytes where at most ${MAX_DATUM_BYTES} belong`)
  const bytes = Buffer.allocUnsafeSlow(size)
  copy(bytes, pointer, size)
  return bytes
}

/** A copy of what the `index`th `gnutls_datum_t` behind `pointer` holds. */
export function readDatum(library: GnutlsLibrary, pointer: Pointer, index = 0): Buffer<ArrayBuffer> {
  const { decode, sizeof } = library.koffi
  const datum: Datum = decode(pointer, index * sizeof('gnutls_datum_t'), 'gnutls_datum_t')
  return copyBytes(library, asPointer(datum.data), datum.size)
}

/** How many bytes the `gnutls_datum_t` behind `pointer` holds. */
export function sizeOfDatum({ koffi }: GnutlsLibrary, pointer: Pointer | null): number {
  return pointer === null ? 0 : koffi.decode.uint32(pointer + BigInt(koffi.offsetof('gnutls_datum_t', 'size')))
}

/** Has C write a datum, and copies what it holds. The datum's memory stays C's. @returns undefined if `fill` failed. */
export function takeDatum(library: GnutlsLibrary, fill: (datum: object) => number): Buffer<ArrayBuffer> | undefined {
  const datum: { data?: Pointer | null; size?: number } = {}
  if (fill(datum) < 0) return undefined
  return copyBytes(library, datum.data ?? null, datum.size ?? 0)
}

/** As {@link takeDatum}, of a datum that C allocated for us: freed here. */
export function takeOwnDatum(library: GnutlsLibrary, fill: (datum: object) => number): Buffer<ArrayBuffer> | undefined {
  const datum: { data?: Pointer | null; size?: number } = {}
  if (fill(datum) < 0) return undefined
  try {
    return copyBytes(library, datum.data ?? null, datum.size ?? 0)
  } finally {
    if (typeof datum.data === 'bigint') release(library, datum.data)
  }
}

/** A copy of what a datum holds that C has passed by value. */
export function copyDatum(library: GnutlsLibrary, { data, size }: Datum): Buffer<ArrayBuffer> {
  return copyBytes(library, asPointer(data), size)
}

/** A copy that GnuTLS will free. */
export function allocateDatum(library: GnutlsLibrary, bytes: Uint8Array): Datum {
  const { koffi, copy } = library
  const memory: Pointer | null = koffi.call(functionAt(library, 'gnutls_malloc'), MALLOC(library), Math.max(1, bytes.length))
  if (memory === null) throw new SzmqError('ERR_SZMQ_LIMIT_EXCEEDED', 'GnuTLS has no memory left')
  copy(memory, bytes, bytes.length)
  return { data: memory, size: bytes.length }
}

/** Fills the datum behind `pointer` with a copy that GnuTLS will free. */
export function giveDatum(library: GnutlsLibrary, pointer: Pointer, bytes: Uint8Array): void {
  lendDatum(library, pointer, allocateDatum(library, bytes))
}

/** Fills the datum behind `pointer` with what lives on anyway. */
export function lendDatum({ koffi }: GnutlsLibrary, pointer: Pointer, datum: Datum): void {
  koffi.encode(pointer, 'gnutls_datum_t', datum)
}

/** Memory that does not move, for what C keeps a pointer to. Free it by {@link freeKept}. */
export function keepBytes({ koffi, copy }: GnutlsLibrary, bytes: Uint8Array): Pointer {
  const pointer: Pointer = koffi.alloc('uint8_t', Math.max(1, bytes.length))
  if (bytes.length > 0) copy(pointer, bytes, bytes.length)
  return pointer
}

export function freeKept({ koffi }: GnutlsLibrary, pointer: Pointer): void {
  koffi.free(pointer)
}

function release(library: GnutlsLibrary, pointer: Pointer): void {
  library.koffi.call(functionAt(library, 'gnutls_free'), FREE(library), pointer)
}

/**
 * `gnutls_malloc` and `gnutls_free` are variables that hold functions. Looked up once: koffi ends the process if its thread is terminated in the
 * midst of a look-up.
 */
function functionAt(library: GnutlsLibrary, name: 'gnutls_malloc' | 'gnutls_free'): Pointer {
  const pointer: Pointer = allocators.get(name) ?? library.koffi.decode(library.symbol(name), 'void *')
  allocators.set(name, pointer)
  return pointer
}

const allocators = new Map<string, Pointer>()

type Prototype = ReturnType<GnutlsLibrary['koffi']['proto']>

const prototypes = new Map<string, Prototype>()

function prototypeOf({ koffi }: GnutlsLibrary, result: string, parameter: string): Prototype {
  const key = `${result}(${parameter})`
  const known = prototypes.get(key) ?? koffi.proto(null, result, [parameter])
  prototypes.set(key, known)
  return known
}

const MALLOC = (library: GnutlsLibrary): Prototype => prototypeOf(library, 'void *', 'size_t')
const FREE = (library: GnutlsLibrary): Prototype => prototypeOf(library, 'void', 'void *')

function asPointer(data: Datum['data']): Pointer | null {
  return typeof data === 'bigint' ? data : null
}
