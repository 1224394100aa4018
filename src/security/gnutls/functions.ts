import type { CFunction } from './prototype.ts'

/** Sessions and records. */
const SESSION = [
  'int gnutls_init(_Out_ void **session, unsigned int flags)',
  'void gnutls_deinit(void *session)',
  'int gnutls_handshake(void *session)',
  'intptr_t gnutls_record_send(void *session, const void *data, size_t size)',
  'intptr_t gnutls_record_recv(void *session, _Out_ void *data, size_t size)',
  'int gnutls_bye(void *session, int how)',
  'int gnutls_session_key_update(void *session, unsigned int flags)',
  'int gnutls_alert_send(void *session, int level, int description)',
  'int gnutls_alert_get(void *session)',
  'const char *gnutls_alert_get_strname(int description)',
  'int gnutls_error_to_alert(int error, _Out_ int *level)',
  'int gnutls_error_is_fatal(int error)',
  'const char *gnutls_strerror(int error)',
  'const char *gnutls_strerror_name(int error)',
  'const char *gnutls_check_version(const char *version)',
] as const

/** Callbacks, by the pointers of `callbacks.driver.ts`. */
const CALLBACK = [
  'void gnutls_transport_set_ptr(void *session, uintptr_t id)',
  'void gnutls_transport_set_errno(void *session, int error)',
  'void gnutls_transport_set_push_function(void *session, void *push)',
  'void gnutls_transport_set_pull_function(void *session, void *pull)',
  'void gnutls_transport_set_pull_timeout_function(void *session, void *timeout)',
  'void gnutls_handshake_set_hook_function(void *session, unsigned int type, int when, void *hook)',
  'void gnutls_session_set_keylog_function(void *session, void *keylog)',
  'void gnutls_certificate_set_verify_function(void *credentials, void *verify)',
  'void gnutls_psk_set_server_credentials_function2(void *credentials, void *key_of)',
  'void gnutls_srp_set_server_credentials_function(void *credentials, void *verifier_of)',
] as const

/** What is agreed upon, and what was. */
const NEGOTIATION = [
  'int gnutls_priority_init(_Out_ void **priority, const char *text, _Out_ void **error_at)',
  'void gnutls_priority_deinit(void *priority)',
  'int gnutls_priority_protocol_list(void *priority, _Out_ void **list)',
  'int gnutls_priority_set(void *session, void *priority)',
  'int gnutls_server_name_set(void *session, int type, const void *name, size_t length)',
  'int gnutls_alpn_set_protocols(void *session, const gnutls_datum_t *protocols, unsigned int count, unsigned int flags)',
  'int gnutls_alpn_get_selected_protocol(void *session, _Out_ gnutls_datum_t *protocol)',
  'int gnutls_protocol_get_version(void *session)',
  'const char *gnutls_protocol_get_name(int version)',
  'int gnutls_kx_get(void *session)',
  'int gnutls_cipher_get(void *session)',
  'int gnutls_mac_get(void *session)',
  'const char *gnutls_kx_get_name(int kx)',
  'const char *gnutls_cipher_suite_get_name(int kx, int cipher, int mac)',
  'int gnutls_group_get(void *session)',
  'const char *gnutls_group_get_name(int group)',
  'int gnutls_session_is_resumed(void *session)',
  'int gnutls_auth_server_get_type(void *session)',
  'int gnutls_auth_client_get_type(void *session)',
  'int gnutls_prf_rfc5705(void *session, size_t label_size, const char *label, size_t context_size, const void *context, size_t size, _Out_ void *out)',
  'void gnutls_session_get_random(void *session, _Out_ gnutls_datum_t *client, _Out_ gnutls_datum_t *server)',
] as const

/** Sessions that are resumed. */
const RESUMPTION = [
  'int gnutls_session_ticket_enable_server(void *session, const gnutls_datum_t *key)',
  'int gnutls_session_set_data(void *session, const void *data, size_t size)',
  'int gnutls_session_get_data2(void *session, _Out_ gnutls_datum_t *data)',
  'void gnutls_db_set_cache_expiration(void *session, int seconds)',
  'void gnutls_db_set_ptr(void *session, uintptr_t id)',
  'void gnutls_db_set_retrieve_function(void *session, void *retrieve)',
  'void gnutls_db_set_store_function(void *session, void *store)',
  'void gnutls_db_set_remove_function(void *session, void *remove)',
] as const

/** Credentials of each kind. */
const CREDENTIALS = [
  'int gnutls_credentials_set(void *session, int type, void *credentials)',
  'int gnutls_certificate_allocate_credentials(_Out_ void **credentials)',
  'void gnutls_certificate_free_credentials(void *credentials)',
  'int gnutls_certificate_set_x509_trust_mem(void *credentials, const gnutls_datum_t *ca, int format)',
  'int gnutls_certificate_set_x509_crl_mem(void *credentials, const gnutls_datum_t *crl, int format)',
  'int gnutls_certificate_set_x509_key_mem(void *credentials, const gnutls_datum_t *certificate, const gnutls_datum_t *key, int format)',
  'int gnutls_certificate_set_rawpk_key_mem(void *credentials, const gnutls_datum_t *spki, const gnutls_datum_t *key, int format, const char *pass, unsigned int usage, void *names, unsigned int names_length, unsigned int flags)',
  'int gnutls_certificate_set_known_dh_params(void *credentials, int security)',
  'void gnutls_certificate_set_dh_params(void *credentials, void *parameters)',
  'void gnutls_certificate_server_set_request(void *session, int request)',
  'int gnutls_psk_allocate_client_credentials(_Out_ void **credentials)',
  'void gnutls_psk_free_client_credentials(void *credentials)',
  'int gnutls_psk_set_client_credentials2(void *credentials, const gnutls_datum_t *identity, const gnutls_datum_t *key, int flags)',
  'int gnutls_psk_allocate_server_credentials(_Out_ void **credentials)',
  'void gnutls_psk_free_server_credentials(void *credentials)',
  'int gnutls_psk_set_server_credentials_hint(void *credentials, const char *hint)',
  'int gnutls_psk_set_server_known_dh_params(void *credentials, int security)',
  'void gnutls_psk_set_server_dh_params(void *credentials, void *parameters)',
  'int gnutls_psk_server_get_username2(void *session, _Out_ gnutls_datum_t *identity)',
  'int gnutls_srp_allocate_client_credentials(_Out_ void **credentials)',
  'void gnutls_srp_free_client_credentials(void *credentials)',
  'int gnutls_srp_set_client_credentials(void *credentials, const char *username, const char *password)',
  'int gnutls_srp_allocate_server_credentials(_Out_ void **credentials)',
  'void gnutls_srp_free_server_credentials(void *credentials)',
  'void gnutls_srp_set_server_fake_salt_seed(void *credentials, const gnutls_datum_t *seed, unsigned int salt_length)',
  'void gnutls_srp_set_prime_bits(void *session, unsigned int bits)',
  'const char *gnutls_srp_server_get_username(void *session)',
  'int gnutls_srp_verifier(const char *username, const char *password, const gnutls_datum_t *salt, const gnutls_datum_t *generator, const gnutls_datum_t *prime, _Out_ gnutls_datum_t *verifier)',
  'int gnutls_anon_allocate_client_credentials(_Out_ void **credentials)',
  'void gnutls_anon_free_client_credentials(void *credentials)',
  'int gnutls_anon_allocate_server_credentials(_Out_ void **credentials)',
  'void gnutls_anon_free_server_credentials(void *credentials)',
  'int gnutls_anon_set_server_known_dh_params(void *credentials, int security)',
  'void gnutls_anon_set_server_dh_params(void *credentials, void *parameters)',
  'int gnutls_dh_params_init(_Out_ void **parameters)',
  'void gnutls_dh_params_deinit(void *parameters)',
  'int gnutls_dh_params_import_pkcs3(void *parameters, const gnutls_datum_t *pkcs3, int format)',
] as const

/** What the peer showed. */
const CERTIFICATE = [
  'int gnutls_certificate_type_get2(void *session, int target)',
  'void *gnutls_certificate_get_peers(void *session, _Out_ unsigned int *count)',
  'int gnutls_certificate_verify_peers(void *session, const gnutls_typed_vdata_st *data, unsigned int elements, _Out_ unsigned int *status)',
  'int gnutls_x509_crt_init(_Out_ void **certificate)',
  'void gnutls_x509_crt_deinit(void *certificate)',
  'int gnutls_x509_crt_import(void *certificate, const gnutls_datum_t *data, int format)',
  'int gnutls_x509_crt_get_raw_dn(void *certificate, _Out_ gnutls_datum_t *name)',
  'int gnutls_x509_crt_get_raw_issuer_dn(void *certificate, _Out_ gnutls_datum_t *name)',
  'int gnutls_x509_crl_init(_Out_ void **crl)',
  'void gnutls_x509_crl_deinit(void *crl)',
  'int gnutls_x509_crl_import(void *crl, const gnutls_datum_t *data, int format)',
  'int gnutls_x509_crl_get_raw_issuer_dn(void *crl, _Out_ gnutls_datum_t *name)',
  'intptr_t gnutls_x509_crl_get_this_update(void *crl)',
  'intptr_t gnutls_x509_crl_get_next_update(void *crl)',
  'int gnutls_x509_crl_verify(void *crl, void *authorities, unsigned int count, unsigned int flags, _Out_ unsigned int *status)',
] as const

/** The prototypes of all functions that the engine calls. */
export const PROTOTYPES = [...SESSION, ...CALLBACK, ...NEGOTIATION, ...RESUMPTION, ...CREDENTIALS, ...CERTIFICATE] as const

type Prototype = (typeof PROTOTYPES)[number]

type NameOf<P extends string> = P extends `${string}gnutls_${infer Rest}(${string}` ? `gnutls_${Rest}` : never

/** GnuTLS's functions by name. */
export type GnutlsFunctions = { readonly [P in Prototype as NameOf<P>]: CFunction<P> }
