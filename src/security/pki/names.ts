import { SzmqError } from '../../shared/errors.ts'

/** RFC 5280 appendix A.1, ub-common-name. */
export const MAX_COMMON_NAME = 64
/** Alternative names in one certificate. */
export const MAX_ALTERNATIVE_NAMES = 100
const MAX_DNS_NAME = 253
const MAX_URI = 2_048

/**
 * A node name is a file name in the PKI's folder, a common name and, unless it has an underscore at its end or the like, a DNS name.
 *
 * @throws ERR_SZMQ_INVALID_ARGUMENT
 */
export function requireNodeName(name: string): void {
  // `CA` too: some file systems know no case.
  if (/^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$/.test(name) && name.toLowerCase() !== 'ca') return
  throw invalid(
    `${quote(name)} cannot name credentials: use up to 64 letters, digits, dots, hyphens and underscores, beginning with a letter or digit, and not "ca"`,
  )
}

/** @throws ERR_SZMQ_INVALID_ARGUMENT */
export function requireCaName(name: string): void {
  // oxlint-disable-next-line no-control-regex -- these must not stand in a name
  if (name.trim() !== '' && name.length <= MAX_COMMON_NAME && !/[\u0000-\u001f\u007f-\u009f]/.test(name)) return
  throw invalid(`${quote(name)} cannot name a CA: use 1 to ${MAX_COMMON_NAME} characters, no control characters`)
}

/** Host names; `*` may stand for the first label. @throws ERR_SZMQ_INVALID_ARGUMENT */
export function requireDnsName(name: string): void {
  const isLabelled = name
    .replace(/^\*\./, '')
    .split('.')
    .every((label) => /^[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$/.test(label))
  const isNumeric = /^[0-9.]+$/.test(name)
  if (isLabelled && !isNumeric && name.length <= MAX_DNS_NAME) return
  throw invalid(
    `${quote(name)} is not a DNS name: use letters, digits and hyphens between dots, others in their xn-- form; addresses go with the IP addresses`,
  )
}

/** An absolute URI in ASCII; one of SPIFFE as its standard has it (SPIFFE-ID §2). @throws ERR_SZMQ_INVALID_ARGUMENT */
export function requireUri(uri: string): void {
  if (!/^[A-Za-z][A-Za-z0-9+.-]*:[\u0021-\u007e]+$/.test(uri) || uri.length > MAX_URI || !URL.canParse(uri)) {
    throw invalid(`${quote(uri)} is not a URI: give one such as spiffe://example.org/node-a`)
  }
  if (!/^spiffe:/i.test(uri) || isSpiffeId(uri)) return
  throw invalid(
    `${quote(uri)} is not a SPIFFE ID: give spiffe://, a trust domain in lower case, and a path of letters, digits, dots, hyphens and underscores`,
  )
}

function isSpiffeId(uri: string): boolean {
  const [, path] = /^spiffe:\/\/[a-z0-9._-]{1,255}((?:\/[A-Za-z0-9._-]+)*)$/.exec(uri) ?? []
  return path !== undefined && !path.split('/').some((segment) => segment === '.' || segment === '..')
}

/** What a user typed, short and on one line. */
function quote(text: string): string {
  return JSON.stringify(text.length > MAX_COMMON_NAME ? `${text.slice(0, MAX_COMMON_NAME)}…` : text)
}

function invalid(message: string): SzmqError {
  return new SzmqError('ERR_SZMQ_INVALID_ARGUMENT', message)
}
