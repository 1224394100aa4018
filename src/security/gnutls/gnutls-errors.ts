import { SzmqError, type SzmqErrorCode } from '../../shared/errors.ts'
import { E } from './constants.ts'

/** What a GnuTLS function answered. */
export interface GnutlsFailure {
  readonly result: number
  /** `gnutls_strerror_name(result)`, such as `GNUTLS_E_NO_CIPHER_SUITES`. */
  readonly name: string
  /** `gnutls_alert_get_strname` of the last alert, such as `GNUTLS_A_UNKNOWN_CA`, if the result is that one came. */
  readonly alert: string | undefined
  readonly phase: 'handshake' | 'session'
}

/** What GnuTLS gave up over, as one of szmq's errors: the same codes for the same causes as `openssl-errors.ts`. */
export function toTlsError({ result, name, alert, phase }: GnutlsFailure): SzmqError {
  const isAlert = ALERTS.has(result) && alert !== undefined
  const [code, text] = isAlert ? peerVerdict(alert, phase) : ownVerdict(name, phase)
  return new SzmqError(code, `${text} (GnuTLS: ${isAlert ? alert : name})`)
}

const ALERTS: ReadonlySet<number> = new Set([E.FATAL_ALERT_RECEIVED, E.WARNING_ALERT_RECEIVED])

type Verdict = readonly [SzmqErrorCode, string]

/** GnuTLS on this side stopped. */
function ownVerdict(name: string, phase: 'handshake' | 'session'): Verdict {
  switch (name.replace('GNUTLS_E_', '')) {
    case 'NO_CIPHER_SUITES':
    case 'UNKNOWN_CIPHER_SUITE':
    case 'INSUFFICIENT_CREDENTIALS':
    case 'INSUFFICIENT_SECURITY':
      return ['ERR_SZMQ_NO_SHARED_CIPHER', 'the peer offers no cipher suite that is allowed here: align the cipher lists']
    case 'UNSUPPORTED_VERSION_PACKET':
      return [
        'ERR_SZMQ_NO_SHARED_VERSION',
        'the peer speaks no TLS version that is allowed here: align minVersion and maxVersion',
      ]
    case 'NO_COMMON_KEY_SHARE':
    case 'ECC_NO_SUPPORTED_CURVES':
    case 'ECC_UNSUPPORTED_CURVE':
    case 'DH_PRIME_UNACCEPTABLE':
      return ['ERR_SZMQ_NO_SHARED_GROUP', 'the peer offers no key exchange group that is allowed here: align the groups']
    case 'NO_CERTIFICATE_FOUND':
    case 'CERTIFICATE_REQUIRED':
      return ['ERR_SZMQ_NO_CLIENT_CERTIFICATE', 'the client showed no certificate, and one is required: give it credentials']
    case 'NO_APPLICATION_PROTOCOL':
      return ['ERR_SZMQ_PROTOCOL_MISMATCH', 'the peer offers no application protocol (ALPN) that is spoken here']
    case 'KEY_USAGE_VIOLATION':
      return ['ERR_SZMQ_WRONG_KEY_USAGE', "the peer's certificate does not allow what its key was used for"]
    case 'CERTIFICATE_ERROR':
    case 'CERTIFICATE_VERIFICATION_ERROR':
    case 'UNSUPPORTED_CERTIFICATE_TYPE':
    case 'X509_UNSUPPORTED_CRITICAL_EXTENSION':
    case 'PK_INVALID_PUBKEY':
    case 'CONSTRAINT_ERROR':
    case 'CERTIFICATE_TIME_ERROR':
      return ['ERR_SZMQ_CERTIFICATE_INVALID', "the peer's certificate cannot be used"]
    case 'DECRYPTION_FAILED':
    case 'UNEXPECTED_PACKET':
    case 'UNEXPECTED_PACKET_LENGTH':
    case 'UNEXPECTED_HANDSHAKE_PACKET':
    case 'RECORD_OVERFLOW':
    case 'RECORD_LIMIT_REACHED':
    case 'TOO_MANY_EMPTY_PACKETS':
    case 'TOO_MANY_HANDSHAKE_PACKETS':
    case 'ERROR_IN_FINISHED_PACKET':
    case 'LARGE_PACKET':
    case 'REHANDSHAKE':
    case 'PREMATURE_TERMINATION':
      return ['ERR_SZMQ_BAD_RECORD', 'a TLS record was damaged, repeated, lost, forged, or is not TLS at all']
    default:
      return phase === 'handshake'
        ? ['ERR_SZMQ_HANDSHAKE_FAILED', 'the TLS handshake failed']
        : ['ERR_SZMQ_BAD_RECORD', 'the TLS session broke']
  }
}

/** The peer stopped and said why, by an alert. */
function peerVerdict(alert: string, phase: 'handshake' | 'session'): Verdict {
  const name = alert.replace('GNUTLS_A_', '')
  const words = name.toLowerCase()
  switch (name) {
    case 'PROTOCOL_VERSION':
      return ['ERR_SZMQ_NO_SHARED_VERSION', 'the peer allows none of our TLS versions: align minVersion and maxVersion']
    case 'INSUFFICIENT_SECURITY':
      return ['ERR_SZMQ_NO_SHARED_CIPHER', 'the peer finds our cipher suites too weak: align the cipher lists']
    case 'NO_APPLICATION_PROTOCOL':
      return ['ERR_SZMQ_PROTOCOL_MISMATCH', 'the peer does not speak our application protocol (ALPN)']
    case 'UNKNOWN_PSK_IDENTITY':
      return [
        'ERR_SZMQ_UNKNOWN_IDENTITY',
        'the peer does not know our PSK identity or user name: add it there, or correct ours',
      ]
    case 'BAD_CERTIFICATE':
    case 'UNSUPPORTED_CERTIFICATE':
    case 'CERTIFICATE_REVOKED':
    case 'CERTIFICATE_EXPIRED':
    case 'CERTIFICATE_UNKNOWN':
    case 'CERTIFICATE_REQUIRED':
    case 'UNKNOWN_CA':
    case 'ACCESS_DENIED':
    case 'UNRECOGNIZED_NAME':
      return ['ERR_SZMQ_REFUSED_BY_PEER', `the peer refuses our certificate: ${words}. Its own log tells more`]
    case 'BAD_RECORD_MAC':
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
    case 'CLOSE_NOTIFY':
      return ['ERR_SZMQ_HANDSHAKE_FAILED', 'the peer closed in the middle of the handshake: its own log tells why']
    default:
      return phase === 'handshake'
        ? ['ERR_SZMQ_HANDSHAKE_FAILED', `the peer ended the handshake: ${words}`]
        : ['ERR_SZMQ_REFUSED_BY_PEER', `the peer ended the session: ${words}`]
  }
}
