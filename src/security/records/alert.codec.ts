import { createCipheriv, createHmac } from 'node:crypto'
import type { SzmqErrorCode } from '../../shared/errors.ts'
import { CONTENT_TYPE } from './record.codec.ts'

/** `AlertDescription` of RFC 8446 §6.2 that szmq sends itself. */
export const ALERT = {
  badCertificate: 42,
  unsupportedCertificate: 43,
  certificateRevoked: 44,
  certificateExpired: 45,
  certificateUnknown: 46,
  unknownCa: 48,
  accessDenied: 49,
  noApplicationProtocol: 120,
} as const

export type AlertCode = (typeof ALERT)[keyof typeof ALERT]

const ALERT_BY_CODE: { readonly [code in SzmqErrorCode]?: AlertCode } = {
  ERR_SZMQ_CERTIFICATE_EXPIRED: ALERT.certificateExpired,
  ERR_SZMQ_CERTIFICATE_NOT_YET_VALID: ALERT.badCertificate,
  ERR_SZMQ_CERTIFICATE_REVOKED: ALERT.certificateRevoked,
  ERR_SZMQ_UNKNOWN_CA: ALERT.unknownCa,
  ERR_SZMQ_WRONG_KEY_USAGE: ALERT.unsupportedCertificate,
  ERR_SZMQ_BAD_CREDENTIALS: ALERT.certificateUnknown,
  ERR_SZMQ_NOT_AUTHORIZED: ALERT.accessDenied,
  ERR_SZMQ_PROTOCOL_MISMATCH: ALERT.noApplicationProtocol,
}

/** What tells a peer that it is refused for a reason of this code. */
export function alertFor(code: SzmqErrorCode): AlertCode {
  return ALERT_BY_CODE[code] ?? ALERT.badCertificate
}

/** A fatal alert as a plain-text record: what a side may send as long as it has not sent ChangeCipherSpec in TLS 1.2. */
export function encodeFatalAlert(code: AlertCode): Uint8Array {
  const TLS_1_2 = [3, 3] as const
  return Uint8Array.of(CONTENT_TYPE.alert, ...TLS_1_2, 0, 2, FATAL, code)
}

/**
 * A fatal alert as an encrypted TLS 1.3 record (RFC 8446 §5.2), for a verdict that OpenSSL cannot be told: Node judges a certificate
 * only after OpenSSL accepted it. It must be the first record under `trafficSecret`.
 *
 * @returns undefined for a cipher suite that is not one of the three of TLS 1.3 that OpenSSL offers by default.
 */
export function sealFatalAlert(code: AlertCode, cipherSuite: string, trafficSecret: Uint8Array): Uint8Array | undefined {
  const suite = SUITES[cipherSuite]
  if (suite === undefined) return undefined
  const inner = Uint8Array.of(FATAL, code, CONTENT_TYPE.alert)
  const header = Uint8Array.of(CONTENT_TYPE.applicationData, 3, 3, 0, inner.length + TAG_BYTES)
  const key = expandLabel(trafficSecret, 'key', suite.keyBytes, suite.hash)
  // The nonce of record number 0 is the IV itself.
  const nonce = expandLabel(trafficSecret, 'iv', NONCE_BYTES, suite.hash)
  const cipher =
    suite.aead === 'chacha20-poly1305'
      ? createCipheriv(suite.aead, key, nonce, { authTagLength: TAG_BYTES })
      : createCipheriv(suite.aead, key, nonce, { authTagLength: TAG_BYTES })
  cipher.setAAD(header, { plaintextLength: inner.length })
  return Buffer.concat([header, cipher.update(inner), cipher.final(), cipher.getAuthTag()])
}

const FATAL = 2
const TAG_BYTES = 16
const NONCE_BYTES = 12

interface Suite {
  readonly aead: 'aes-128-gcm' | 'aes-256-gcm' | 'chacha20-poly1305'
  readonly keyBytes: number
  readonly hash: 'sha256' | 'sha384'
}

const SUITES: Readonly<Record<string, Suite>> = {
  TLS_AES_128_GCM_SHA256: { aead: 'aes-128-gcm', keyBytes: 16, hash: 'sha256' },
  TLS_AES_256_GCM_SHA384: { aead: 'aes-256-gcm', keyBytes: 32, hash: 'sha384' },
  TLS_CHACHA20_POLY1305_SHA256: { aead: 'chacha20-poly1305', keyBytes: 32, hash: 'sha256' },
}

/** HKDF-Expand-Label with an empty context (RFC 8446 §7.1), for outputs no longer than one hash. */
function expandLabel(secret: Uint8Array, label: string, length: number, hash: Suite['hash']): Buffer {
  const name = Buffer.from(`tls13 ${label}`, 'latin1')
  const info = Buffer.concat([Uint8Array.of(0, length, name.length), name, Uint8Array.of(0, 1)])
  return createHmac(hash, secret).update(info).digest().subarray(0, length)
}
