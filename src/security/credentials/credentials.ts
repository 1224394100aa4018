import type { PskCredentials } from './psk-credentials.ts'
import type { RawPublicKeyCredentials } from './raw-public-key-credentials.ts'
import type { SrpCredentials } from './srp-credentials.ts'
import type { X509Credentials } from './x509-credentials.ts'
import type { X509Trust } from './x509-trust.ts'

/** What one side of TLS proves itself with, and by what it judges the other. */
export type Credentials =
  X509Credentials | X509Trust | PskCredentials | SrpCredentials | RawPublicKeyCredentials | AnonymousCredentials

/**
 * Nobody proves anything: encrypted, but to whom? Whoever sits in the middle reads everything. TLS 1.2 only, gnutls engine only, and the
 * name says so.
 */
export interface AnonymousCredentials {
  readonly kind: 'insecureAnonymous'
}

export const INSECURE_ANONYMOUS: AnonymousCredentials = { kind: 'insecureAnonymous' }
