import { messageOf, SzmqError, type SzmqErrorCode } from '../../shared/errors.ts'

/** What OpenSSL gave up over, as one of szmq's errors. Its own error is the `cause`. */
export function toTlsError(thrown: unknown, phase: 'handshake' | 'session'): SzmqError {
  const reason = reasonOf(thrown)
  // Five of them lack the word: TLSV1_UNRECOGNIZED_NAME and the like.
  const alert = /^(?:.*ALERT_(?:SSLV3_)?|TLSV1_)([A-Z_]+)$/.exec(reason)?.[1]?.replace(/^NUMBER_/, '')
  const [code, text] = alert === undefined ? ownVerdict(reason, phase) : peerVerdict(alert, phase)
  return new SzmqError(code, `${text} (OpenSSL: ${reason})`, { cause: thrown })
}

type Verdict = readonly [SzmqErrorCode, string]

/** OpenSSL on this side stopped. */
function ownVerdict(reason: string, phase: 'handshake' | 'session'): Verdict {
  switch (reason) {
    case 'NO_SHARED_CIPHER':
    case 'NO_CIPHERS_AVAILABLE':
      return ['ERR_SZMQ_NO_SHARED_CIPHER', 'the peer offers no cipher suite that is allowed here: align the cipher lists']
    case 'UNSUPPORTED_PROTOCOL':
    case 'VERSION_TOO_LOW':
    case 'VERSION_TOO_HIGH':
    case 'WRONG_SSL_VERSION':
    case 'NO_PROTOCOLS_AVAILABLE':
    case 'BAD_PROTOCOL_VERSION_NUMBER':
      return [
        'ERR_SZMQ_NO_SHARED_VERSION',
        'the peer speaks no TLS version that is allowed here: align minVersion and maxVersion',
      ]
    case 'NO_SUITABLE_KEY_SHARE':
    case 'NO_SUITABLE_GROUPS':
    case 'NO_SHARED_GROUPS':
    case 'WRONG_CURVE':
      return ['ERR_SZMQ_NO_SHARED_GROUP', 'the peer offers no key exchange group that is allowed here: align the groups']
    case 'PEER_DID_NOT_RETURN_A_CERTIFICATE':
      return ['ERR_SZMQ_NO_CLIENT_CERTIFICATE', 'the client showed no certificate, and one is required: give it credentials']
    case 'NO_APPLICATION_PROTOCOL':
      return ['ERR_SZMQ_PROTOCOL_MISMATCH', 'the peer offers no application protocol (ALPN) that is spoken here']
    case 'BINDER_DOES_NOT_VERIFY':
      return ['ERR_SZMQ_WRONG_PASSWORD', "the pre-shared key is not the peer's: give both sides the same"]
    case 'HTTP_REQUEST':
    case 'HTTPS_PROXY_REQUEST':
      return ['ERR_SZMQ_BAD_RECORD', 'the peer speaks HTTP where TLS was expected']
    case 'DECRYPTION_FAILED_OR_BAD_RECORD_MAC':
    case 'CIPHER_OPERATION_FAILED':
    case 'DECRYPTION_FAILED':
    case 'WRONG_VERSION_NUMBER':
    case 'BAD_RECORD_TYPE':
    case 'UNEXPECTED_RECORD':
    case 'UNEXPECTED_MESSAGE':
    case 'BAD_PACKET_LENGTH':
    case 'BAD_PACKET':
    case 'DATA_LENGTH_TOO_LONG':
    case 'ENCRYPTED_LENGTH_TOO_LONG':
    case 'PACKET_LENGTH_TOO_LONG':
    case 'PACKET_LENGTH_TOO_SHORT':
    case 'RECORD_LENGTH_MISMATCH':
    case 'RECORD_TOO_SMALL':
    case 'LENGTH_TOO_SHORT':
    case 'LENGTH_MISMATCH':
      return ['ERR_SZMQ_BAD_RECORD', 'a TLS record was damaged, repeated, lost, forged, or is not TLS at all']
    default:
      return phase === 'handshake'
        ? ['ERR_SZMQ_HANDSHAKE_FAILED', 'the TLS handshake failed']
        : ['ERR_SZMQ_BAD_RECORD', 'the TLS session broke']
  }
}

/** The peer stopped and said why, by an alert. */
function peerVerdict(alert: string, phase: 'handshake' | 'session'): Verdict {
  const words = alert.toLowerCase()
  switch (alert) {
    case 'PROTOCOL_VERSION':
      return ['ERR_SZMQ_NO_SHARED_VERSION', 'the peer allows none of our TLS versions: align minVersion and maxVersion']
    case 'INSUFFICIENT_SECURITY':
      return ['ERR_SZMQ_NO_SHARED_CIPHER', 'the peer finds our cipher suites too weak: align the cipher lists']
    case 'NO_APPLICATION_PROTOCOL':
      return ['ERR_SZMQ_PROTOCOL_MISMATCH', 'the peer does not speak our application protocol (ALPN)']
    case 'BAD_CERTIFICATE':
    case 'UNSUPPORTED_CERTIFICATE':
    case 'CERTIFICATE_REVOKED':
    case 'CERTIFICATE_EXPIRED':
    case 'CERTIFICATE_UNKNOWN':
    case 'CERTIFICATE_REQUIRED':
    case 'UNKNOWN_CA':
    case 'UNRECOGNIZED_NAME':
      return ['ERR_SZMQ_REFUSED_BY_PEER', `the peer refuses our certificate: ${words}. Its own log tells more`]
    case 'ACCESS_DENIED':
      return ['ERR_SZMQ_REFUSED_BY_PEER', 'the peer knows who we are and does not let us in. Its own log tells more']
    case 'UNKNOWN_PSK_IDENTITY':
      return [
        'ERR_SZMQ_UNKNOWN_IDENTITY',
        'the peer does not know our PSK identity or user name: add it there, or correct ours',
      ]
    case 'BAD_RECORD_MAC':
    case 'BAD_MAC':
    case 'DECRYPTION_FAILED':
    case 'RECORD_OVERFLOW':
    case 'DECODE_ERROR':
    case 'DECRYPT_ERROR':
    case 'UNEXPECTED_MESSAGE':
    case 'ILLEGAL_PARAMETER':
      return ['ERR_SZMQ_STREAM_BROKEN', `what we sent reached the peer damaged: ${words}`]
    case 'HANDSHAKE_FAILURE':
      return [
        'ERR_SZMQ_HANDSHAKE_FAILED',
        'the peer refuses the handshake: no cipher suite or group in common, or it wants a certificate. Its own log tells more',
      ]
    default:
      return phase === 'handshake'
        ? ['ERR_SZMQ_HANDSHAKE_FAILED', `the peer ended the handshake: ${words}`]
        : ['ERR_SZMQ_REFUSED_BY_PEER', `the peer ended the session: ${words}`]
  }
}

function reasonOf(thrown: unknown): string {
  const code = thrown instanceof Error && 'code' in thrown ? thrown.code : undefined
  return typeof code === 'string' ? code.replace(/^ERR_(?:SSL|OSSL)_/, '') : messageOf(thrown)
}
