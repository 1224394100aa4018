import { describe, expect, it } from 'vitest'
import type { Credentials } from '../../../../src/security/credentials/credentials.ts'
import { toVerdict } from '../../../../src/security/gnutls/certificate-verdict.ts'
import { readOfferedVersions } from '../../../../src/security/gnutls/client-hello.ts'
import { CERT, E } from '../../../../src/security/gnutls/constants.ts'
import { toTlsError } from '../../../../src/security/gnutls/gnutls-errors.ts'
import { InputBuffer, OutputBuffer } from '../../../../src/security/gnutls/intermediate-buffer.ts'
import { placeOfChangeCipherSpec } from '../../../../src/security/gnutls/message-order.ts'
import { toGroupName, toSuiteName, toVersionName } from '../../../../src/security/gnutls/names.ts'
import { toPriorityText } from '../../../../src/security/gnutls/priority-text.ts'
import { DEFAULT_PRIORITY } from '../../../../src/security/priority/priority.ts'
import type { TlsEvent } from '../../../../src/security/tls-engine.ts'

describe('names', () => {
  it.each([
    ['TLS_ECDHE_ECDSA_AES_128_GCM_SHA256', 'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256'],
    ['TLS_ECDHE_RSA_CHACHA20_POLY1305', 'TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256'],
    ['TLS_RSA_AES_256_CBC_SHA1', 'TLS_RSA_WITH_AES_256_CBC_SHA'],
    ['TLS_DHE_PSK_AES_256_GCM_SHA384', 'TLS_DHE_PSK_WITH_AES_256_GCM_SHA384'],
    ['TLS_DH_ANON_AES_128_GCM_SHA256', 'TLS_DH_anon_WITH_AES_128_GCM_SHA256'],
    ['TLS_ECDH_ANON_AES_128_CBC_SHA1', 'TLS_ECDH_anon_WITH_AES_128_CBC_SHA'],
    ['TLS_SRP_SHA_AES_256_CBC_SHA1', 'TLS_SRP_SHA_WITH_AES_256_CBC_SHA'],
    ['TLS_AES_256_GCM_SHA384', 'TLS_AES_256_GCM_SHA384'],
    ['TLS_CHACHA20_POLY1305_SHA256', 'TLS_CHACHA20_POLY1305_SHA256'],
  ])('of cipher suites are IANA’s: %s is %s', (gnutls, iana) => {
    expect(toSuiteName(gnutls)).toBe(iana)
  })

  it.each([
    ['SECP256R1', 'prime256v1'],
    ['SECP384R1', 'secp384r1'],
    ['X25519', 'X25519'],
    ['FFDHE2048', 'ffdhe2048'],
    ['X25519-MLKEM768', 'X25519MLKEM768'],
    ['SECP256R1-MLKEM768', 'SecP256r1MLKEM768'],
  ])('of groups are OpenSSL’s: %s is %s', (gnutls, openssl) => {
    expect(toGroupName(gnutls)).toBe(openssl)
  })

  it('of versions too', () => {
    expect([toVersionName('TLS1.2'), toVersionName('TLS1.3')]).toEqual(['TLSv1.2', 'TLSv1.3'])
  })
})

describe('a verdict of several flags', () => {
  it.each([
    [0, undefined],
    [CERT.INVALID | CERT.EXPIRED, 'CERT_HAS_EXPIRED'],
    [CERT.INVALID | CERT.SIGNER_NOT_FOUND | CERT.EXPIRED, 'UNABLE_TO_GET_ISSUER_CERT'],
    [CERT.INVALID | CERT.REVOKED | CERT.EXPIRED, 'CERT_REVOKED'],
    [CERT.INVALID | CERT.PURPOSE_MISMATCH, 'INVALID_PURPOSE'],
    [CERT.INVALID, 'CERT_INVALID'],
    [1 << 30, 'GNUTLS_CERT_STATUS_40000000'],
  ])('%i is told as %s', (status, reason) => {
    expect(toVerdict(status)).toBe(reason)
  })
})

describe('errors', () => {
  it.each([
    ['GNUTLS_E_NO_CIPHER_SUITES', 'ERR_SZMQ_NO_SHARED_CIPHER'],
    ['GNUTLS_E_UNSUPPORTED_VERSION_PACKET', 'ERR_SZMQ_NO_SHARED_VERSION'],
    ['GNUTLS_E_NO_COMMON_KEY_SHARE', 'ERR_SZMQ_NO_SHARED_GROUP'],
    ['GNUTLS_E_CERTIFICATE_REQUIRED', 'ERR_SZMQ_NO_CLIENT_CERTIFICATE'],
    ['GNUTLS_E_DECRYPTION_FAILED', 'ERR_SZMQ_BAD_RECORD'],
    ['GNUTLS_E_KEY_USAGE_VIOLATION', 'ERR_SZMQ_WRONG_KEY_USAGE'],
    ['GNUTLS_E_SOMETHING_NEW', 'ERR_SZMQ_HANDSHAKE_FAILED'],
  ])('%s is %s and says so', (name, code) => {
    const error = toTlsError({ result: -1, name, alert: undefined, phase: 'handshake' })
    expect(error.code).toBe(code)
    expect(error.message.endsWith(`(GnuTLS: ${name})`)).toBe(true)
  })

  it.each([
    ['GNUTLS_A_UNKNOWN_CA', 'ERR_SZMQ_REFUSED_BY_PEER'],
    ['GNUTLS_A_UNKNOWN_PSK_IDENTITY', 'ERR_SZMQ_UNKNOWN_IDENTITY'],
    ['GNUTLS_A_BAD_RECORD_MAC', 'ERR_SZMQ_STREAM_BROKEN'],
    ['GNUTLS_A_PROTOCOL_VERSION', 'ERR_SZMQ_NO_SHARED_VERSION'],
    ['GNUTLS_A_HANDSHAKE_FAILURE', 'ERR_SZMQ_HANDSHAKE_FAILED'],
    ['GNUTLS_A_INTERNAL_ERROR', 'ERR_SZMQ_HANDSHAKE_FAILED'],
  ])('the alert %s is %s', (alert, code) => {
    const name = 'GNUTLS_E_FATAL_ALERT_RECEIVED'
    const error = toTlsError({ result: E.FATAL_ALERT_RECEIVED, name, alert, phase: 'handshake' })
    expect(error.code).toBe(code)
    expect(error.message.endsWith(`(GnuTLS: ${alert})`)).toBe(true)
  })

  it('an unknown failure in an open session means that its stream is broken', () => {
    const error = toTlsError({ result: -1, name: 'GNUTLS_E_SOMETHING_NEW', alert: undefined, phase: 'session' })
    expect(error.code).toBe('ERR_SZMQ_BAD_RECORD')
  })
})

describe('the priority string', () => {
  const kinds = (...list: Credentials['kind'][]): ReadonlySet<Credentials['kind']> => new Set(list)

  it('is szmq’s default, without old versions', () => {
    expect(toPriorityText({}, kinds('x509'))).toBe(`${DEFAULT_PRIORITY}:-VERS-DTLS-ALL:-VERS-TLS1.1:-VERS-TLS1.0:-VERS-SSL3.0`)
  })

  it('gets what the credentials need', () => {
    expect(toPriorityText({}, kinds('srp'))).toContain(':+SRP:+AES-256-CBC:+SHA1:')
    expect(toPriorityText({ priority: 'NORMAL' }, kinds('psk'))).toMatch(/^NORMAL:\+ECDHE-PSK:\+DHE-PSK:\+GROUP-FFDHE2048/)
    expect(toPriorityText({}, kinds('rawPublicKey'))).toContain(':+CTYPE-CLI-RAWPK:+CTYPE-SRV-RAWPK:-CTYPE-X509:')
    expect(toPriorityText({}, kinds('rawPublicKey', 'x509'))).not.toContain('-CTYPE-X509')
  })

  it('keeps what it says itself of these', () => {
    const priority = 'NORMAL:-KX-ALL:+dhe-psk:-GROUP-ALL:+GROUP-FFDHE3072'
    expect(toPriorityText({ priority }, kinds('psk'))).toBe(`${priority}:-VERS-DTLS-ALL:-VERS-TLS1.1:-VERS-TLS1.0:-VERS-SSL3.0`)
    expect(toPriorityText({ priority: 'NORMAL:-SRP' }, kinds('srp'))).not.toContain('+SRP')
  })

  it('is narrowed by versions, never widened', () => {
    const narrowed = toPriorityText({ minVersion: 'TLSv1.3', maxVersion: 'TLSv1.3' }, kinds('x509'))
    expect(narrowed.endsWith(':-VERS-TLS1.2')).toBe(true)
    expect(toPriorityText({ priority: 'NORMAL', maxVersion: 'TLSv1.2' }, kinds('x509'))).toBe(
      'NORMAL:-VERS-DTLS-ALL:-VERS-TLS1.1:-VERS-TLS1.0:-VERS-SSL3.0:-VERS-TLS1.3',
    )
  })
})

describe('what a ClientHello offers', () => {
  const hello = (...extensions: readonly number[]): Uint8Array =>
    Uint8Array.of(
      3,
      3,
      ...Array.from({ length: 32 }, () => 1),
      2,
      9,
      9,
      0,
      2,
      0x13,
      1,
      1,
      0,
      0,
      extensions.length,
      ...extensions,
    )

  it('is read from supported_versions behind other extensions', () => {
    const body = hello(0, 0, 0, 3, 1, 2, 3, 0, 43, 0, 5, 4, 3, 4, 3, 3)
    expect([...(readOfferedVersions(body) ?? [])]).toEqual([0x0304, 0x0303])
  })

  it('is unknown without it, and for any bytes', () => {
    expect(readOfferedVersions(hello(0, 0, 0, 0))).toBeUndefined()
    const whole = hello(0, 43, 0, 5, 4, 3, 4, 3, 3)
    for (let length = 0; length < whole.length; length++) {
      expect(readOfferedVersions(whole.subarray(0, length))?.size ?? 0).toBeLessThanOrEqual(2)
    }
  })
})

describe('the buffer between ZeroMQ and GnuTLS', () => {
  it('gives 5 bytes, then a body, out of whole messages', () => {
    const input = new InputBuffer()
    input.put(Uint8Array.of(1, 2, 3, 4, 5, 6, 7))
    input.put(Uint8Array.of())
    input.put(Uint8Array.of(8, 9))
    expect(input.length).toBe(9)
    expect([...(input.take(5) ?? [])]).toEqual([1, 2, 3, 4, 5])
    expect([...(input.take(100) ?? [])]).toEqual([6, 7])
    expect([...(input.take(1) ?? [])]).toEqual([8])
    expect([input.length, input.take(3)?.[0], input.take(1)]).toEqual([1, 9, undefined])
  })

  it('gathers what goes out into one piece that belongs to whoever takes it', () => {
    const output = new OutputBuffer()
    expect(output.take()).toBeUndefined()
    for (const length of [3, 5_000, 20_000]) output.claim(length).fill(length & 0xff)
    const whole = output.take()
    expect([whole?.length, whole?.[0], whole?.[3], whole?.at(-1)]).toEqual([25_003, 3, 5_000 & 0xff, 20_000 & 0xff])
    output.claim(2).fill(9)
    expect(whole?.[0]).toBe(3)
    expect([...(output.take() ?? [])]).toEqual([9, 9])
  })

  it('keeps no large buffer for a small record', () => {
    const output = new OutputBuffer()
    output.expect(1_000_000)
    output.claim(10).fill(1)
    expect(output.take()?.buffer.byteLength).toBe(10)
  })
})

describe('the place of ChangeCipherSpec', () => {
  const sent = (...names: readonly string[]): readonly TlsEvent[] =>
    names.map((message) => ({ kind: 'handshake.message', direction: 'sent', message, bytes: 4 }))

  it.each([
    [['Certificate', 'ClientKeyExchange', 'Finished'], false, 2],
    [['Finished'], false, 0],
    [['ServerHello', 'Finished'], false, 1],
    [['ServerHello', 'EncryptedExtensions', 'Finished'], true, 1],
    [['Certificate', 'Finished'], true, 0],
    [[], true, 0],
  ])('among %j is in front of what it seals', (names, isTls13, place) => {
    expect(placeOfChangeCipherSpec(sent(...names), isTls13)).toBe(place)
  })
})
