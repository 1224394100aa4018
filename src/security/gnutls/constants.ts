/** Numbers of `gnutls/gnutls.h`, in GnuTLS's own names without the prefix. */

/** `gnutls_init_flags_t` */
export const INIT = {
  SERVER: 1,
  CLIENT: 1 << 1,
  NONBLOCK: 1 << 3,
  /** A client shows its one certificate whatever CAs the server names. */
  FORCE_CLIENT_CERT: 1 << 9,
  NO_TICKETS: 1 << 10,
  ENABLE_RAWPK: 1 << 18,
} as const

/** `gnutls_credentials_type_t` */
export const CRD = { CERTIFICATE: 1, ANON: 2, SRP: 3, PSK: 4 } as const

/** `gnutls_certificate_type_t` */
export const CRT = { X509: 1, RAWPK: 3 } as const

/** `gnutls_ctype_target_t` */
export const CTYPE = { CLIENT: 0, SERVER: 1, OURS: 2, PEERS: 3 } as const

/** `gnutls_x509_crt_fmt_t` */
export const X509_FMT = { DER: 0, PEM: 1 } as const

/** `gnutls_certificate_request_t` */
export const CERT_REQUEST = { none: 0, optional: 1, required: 2 } as const

/** `gnutls_protocol_t` */
export const PROTOCOL = { TLS1_2: 4, TLS1_3: 5 } as const

/** `gnutls_protocol_t` of TLS 1.0 to 1.3 as it stands on the wire. */
export const WIRE_VERSIONS: Readonly<Record<number, number>> = { 2: 0x0301, 3: 0x0302, 4: 0x0303, 5: 0x0304 }

/** `gnutls_close_request_t`: only our half. */
export const SHUT_WR = 1

/** `GNUTLS_HOOK_PRE`: before a message is parsed or sent. */
export const HOOK_PRE = 0

/** `GNUTLS_HANDSHAKE_ANY`: each kind of handshake message. */
export const HANDSHAKE_ANY = 0xffff_ffff

/** `gnutls_handshake_description_t`, where it differs from RFC 8446. */
export const HANDSHAKE = {
  CLIENT_HELLO: 1,
  NEW_SESSION_TICKET: 4,
  CERTIFICATE: 11,
  CLIENT_KEY_EXCHANGE: 16,
  FINISHED: 20,
  CHANGE_CIPHER_SPEC: 254,
  CLIENT_HELLO_V2: 1024,
  HELLO_RETRY_REQUEST: 1025,
} as const

/** `GNUTLS_KU_PEER`: the peer shall take new keys too. */
export const KU_PEER = 1

/** `GNUTLS_ALPN_MANDATORY`: a server gives up when a client offers other protocols only. */
export const ALPN_MANDATORY = 1

/** `GNUTLS_NAME_DNS` */
export const NAME_DNS = 1

/** `GNUTLS_DT_KEY_PURPOSE_OID` of `gnutls_vdata_types_t` */
export const DT_KEY_PURPOSE_OID = 2

/** `gnutls_psk_key_flags`: the key is given as bytes. */
export const PSK_KEY_RAW = 0

/** `GNUTLS_SEC_PARAM_MEDIUM`: FFDHE parameters of at least 2048 bits. */
export const SEC_PARAM_MEDIUM = 35

/** `gnutls_alert_level_t` */
export const ALERT_LEVEL = { WARNING: 1, FATAL: 2 } as const

/** `gnutls_alert_description_t`, those that szmq chooses itself. */
export const ALERT = {
  CLOSE_NOTIFY: 0,
  UNEXPECTED_MESSAGE: 10,
  HANDSHAKE_FAILURE: 40,
  BAD_CERTIFICATE: 42,
  UNSUPPORTED_CERTIFICATE: 43,
  CERTIFICATE_REVOKED: 44,
  CERTIFICATE_EXPIRED: 45,
  CERTIFICATE_UNKNOWN: 46,
  UNKNOWN_CA: 48,
  ACCESS_DENIED: 49,
  INTERNAL_ERROR: 80,
  NO_RENEGOTIATION: 100,
  UNKNOWN_PSK_IDENTITY: 115,
  CERTIFICATE_REQUIRED: 116,
  NO_APPLICATION_PROTOCOL: 120,
} as const

/** `gnutls_certificate_status_t` */
export const CERT = {
  INVALID: 1 << 1,
  REVOKED: 1 << 5,
  SIGNER_NOT_FOUND: 1 << 6,
  SIGNER_NOT_CA: 1 << 7,
  INSECURE_ALGORITHM: 1 << 8,
  NOT_ACTIVATED: 1 << 9,
  EXPIRED: 1 << 10,
  SIGNATURE_FAILURE: 1 << 11,
  REVOCATION_DATA_SUPERSEDED: 1 << 12,
  REVOCATION_DATA_ISSUED_IN_FUTURE: 1 << 15,
  SIGNER_CONSTRAINTS_FAILURE: 1 << 16,
  PURPOSE_MISMATCH: 1 << 18,
  UNKNOWN_CRIT_EXTENSIONS: 1 << 21,
} as const

/** Error codes that are decided upon. The others are told apart by their name only. */
export const E = {
  SUCCESS: 0,
  FATAL_ALERT_RECEIVED: -12,
  WARNING_ALERT_RECEIVED: -16,
  AGAIN: -28,
  KEYFILE_ERROR: -31,
  REHANDSHAKE: -37,
  NO_CIPHER_SUITES: -87,
  UNKNOWN_CIPHER_SUITE: -21,
  UNSUPPORTED_VERSION_PACKET: -8,
  CERTIFICATE_ERROR: -43,
  NO_CERTIFICATE_FOUND: -49,
  INVALID_REQUEST: -50,
  INTERRUPTED: -52,
  RECEIVED_ILLEGAL_PARAMETER: -55,
  USER_ERROR: -320,
} as const

/** What an SRP callback returns for a user who is unknown: GnuTLS then goes on with a made-up salt. */
export const SRP_UNKNOWN_USER = 1
