import type { CArguments, CResult, Pointer } from './prototype.ts'

/**
 * GnuTLS's own structures behind a session, for all that szmq has no word for: every GnuTLS function can be called on them. They live as long as
 * the engine is not destroyed. szmq frees them; nobody else may.
 */
export interface GnutlsHandles {
  /** The live `gnutls_session_t`. */
  readonly session: Pointer
  /** `gnutls_certificate_credentials_t`, of X.509 credentials and raw public keys. Shared by all engines of the factory, as the following ones. */
  readonly certificateCredentials: Pointer | undefined
  /** `gnutls_psk_client_credentials_t` or `gnutls_psk_server_credentials_t`. */
  readonly pskCredentials: Pointer | undefined
  /** `gnutls_srp_client_credentials_t` or `gnutls_srp_server_credentials_t`. */
  readonly srpCredentials: Pointer | undefined
  /** `gnutls_anon_client_credentials_t` or `gnutls_anon_server_credentials_t`. */
  readonly anonymousCredentials: Pointer | undefined
  /** `gnutls_priority_t` */
  readonly priority: Pointer
  /** `gnutls_dh_params_t` of `dhParametersPem`. */
  readonly dhParameters: Pointer | undefined
  /**
   * Calls any function of GnuTLS by its prototype, as it stands in the manual:
   * `call('const char *gnutls_cipher_get_name(gnutls_cipher_algorithm_t algorithm)', 4)`. Types are read from the text: numbers for integers and
   * enums, strings for `const char *`, bytes or pointers for other pointers, one-element arrays for `_Out_ T *`. What C keeps a pointer to must
   * not be JavaScript's. Structures other than `gnutls_datum_t` and `gnutls_typed_vdata_st` must be declared as `void *`.
   *
   * @throws ERR_SZMQ_INVALID_STATE after the end of the engine, and within a callback of it
   * @throws ERR_SZMQ_INVALID_ARGUMENT for a text that is no prototype of a GnuTLS function, for values that do not fit, and for functions that free
   *   what szmq frees
   */
  call<const Prototype extends string>(prototype: Prototype, ...args: CArguments<Prototype>): CResult<Prototype>
}

/** What would leave szmq with a freed pointer. Their structures are szmq's, or can be left to the end of the process. */
export const FORBIDDEN_FUNCTIONS: ReadonlySet<string> = new Set([
  'gnutls_deinit',
  'gnutls_global_deinit',
  'gnutls_priority_deinit',
  'gnutls_certificate_free_credentials',
  'gnutls_psk_free_client_credentials',
  'gnutls_psk_free_server_credentials',
  'gnutls_srp_free_client_credentials',
  'gnutls_srp_free_server_credentials',
  'gnutls_anon_free_client_credentials',
  'gnutls_anon_free_server_credentials',
  'gnutls_dh_params_deinit',
  'gnutls_transport_set_int2',
  'gnutls_transport_set_fastopen',
  'gnutls_transport_set_ptr',
  'gnutls_transport_set_ptr2',
])
