import { describe, expect, it } from 'vitest'
import { toTlsError as fromGnutls } from '../../../../src/security/gnutls/gnutls-errors.ts'
import { toTlsError as fromOpenssl } from '../../../../src/security/openssl/errors.ts'

/** As OpenSSL names them, and GnuTLS. */
const ALERTS: readonly (readonly [openssl: string, gnutls: string])[] = [
  ['TLSV1_ALERT_PROTOCOL_VERSION', 'PROTOCOL_VERSION'],
  ['TLSV1_ALERT_INSUFFICIENT_SECURITY', 'INSUFFICIENT_SECURITY'],
  ['TLSV1_ALERT_NO_APPLICATION_PROTOCOL', 'NO_APPLICATION_PROTOCOL'],
  ['TLSV1_ALERT_UNKNOWN_PSK_IDENTITY', 'UNKNOWN_PSK_IDENTITY'],
  ['TLSV1_UNRECOGNIZED_NAME', 'UNRECOGNIZED_NAME'],
  ['TLSV1_ALERT_UNKNOWN_CA', 'UNKNOWN_CA'],
  ['TLSV1_ALERT_ACCESS_DENIED', 'ACCESS_DENIED'],
  ['TLSV13_ALERT_CERTIFICATE_REQUIRED', 'CERTIFICATE_REQUIRED'],
  ['SSLV3_ALERT_BAD_CERTIFICATE', 'BAD_CERTIFICATE'],
  ['SSLV3_ALERT_CERTIFICATE_EXPIRED', 'CERTIFICATE_EXPIRED'],
  ['SSLV3_ALERT_CERTIFICATE_REVOKED', 'CERTIFICATE_REVOKED'],
  ['SSLV3_ALERT_CERTIFICATE_UNKNOWN', 'CERTIFICATE_UNKNOWN'],
  ['SSLV3_ALERT_UNSUPPORTED_CERTIFICATE', 'UNSUPPORTED_CERTIFICATE'],
  ['SSLV3_ALERT_BAD_RECORD_MAC', 'BAD_RECORD_MAC'],
  ['SSLV3_ALERT_HANDSHAKE_FAILURE', 'HANDSHAKE_FAILURE'],
  ['SSLV3_ALERT_UNEXPECTED_MESSAGE', 'UNEXPECTED_MESSAGE'],
  ['SSLV3_ALERT_ILLEGAL_PARAMETER', 'ILLEGAL_PARAMETER'],
  ['TLSV1_ALERT_DECODE_ERROR', 'DECODE_ERROR'],
  ['TLSV1_ALERT_DECRYPT_ERROR', 'DECRYPT_ERROR'],
  ['TLSV1_ALERT_RECORD_OVERFLOW', 'RECORD_OVERFLOW'],
  ['TLSV1_ALERT_INTERNAL_ERROR', 'INTERNAL_ERROR'],
]

describe.each(['handshake', 'session'] as const)("the peer's alert in a %s", (phase) => {
  // Unknown PSK identities had one code with OpenSSL and another with GnuTLS.
  it.each(ALERTS)('%s has the same code whichever library reads it', (openssl, gnutls) => {
    const thrown = Object.assign(new Error('alert'), { code: `ERR_SSL_${openssl}` })
    const read = fromOpenssl(thrown, phase)
    const told = fromGnutls({ result: -12, name: 'GNUTLS_E_FATAL_ALERT_RECEIVED', alert: `GNUTLS_A_${gnutls}`, phase })
    expect(read.code).toBe(told.code)
    expect(read.message).toContain('peer')
  })
})
