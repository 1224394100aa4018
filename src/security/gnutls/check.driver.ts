import { SzmqError, type SzmqErrorCode } from '../../shared/errors.ts'
import type { GnutlsLibrary } from './library.driver.ts'
import type { CBox, Pointer } from './prototype.ts'

/** @throws `code` when GnuTLS answered with an error */
export function requireSuccess(
  { fn }: GnutlsLibrary,
  result: number,
  what: string,
  code: SzmqErrorCode = 'ERR_SZMQ_BAD_CREDENTIALS',
): void {
  if (result >= 0) return
  const reason = fn.gnutls_strerror(result) ?? ''
  throw new SzmqError(code, `GnuTLS refuses ${what}: ${reason} (GnuTLS: ${fn.gnutls_strerror_name(result) ?? result})`)
}

/** What a function wrote into its first parameter. @throws ERR_SZMQ_ENGINE_UNAVAILABLE if it failed: only for lack of memory */
export function make(library: GnutlsLibrary, what: string, allocate: (box: CBox<Pointer>) => number): Pointer {
  const box: CBox<Pointer> = [null]
  requireSuccess(library, allocate(box), what, 'ERR_SZMQ_ENGINE_UNAVAILABLE')
  if (box[0] === null) throw new SzmqError('ERR_SZMQ_ENGINE_UNAVAILABLE', `GnuTLS made nothing of ${what}`)
  return box[0]
}
