/** Names of GnuTLS in the words that both engines use: cipher suites by IANA, groups by OpenSSL. */

/** `TLS1.3` → `TLSv1.3` */
export function toVersionName(gnutlsName: string): string {
  return gnutlsName.replace(/^TLS(?=\d)/, 'TLSv')
}

/** `SECP256R1` → `prime256v1`, `X25519-MLKEM768` → `X25519MLKEM768` */
export function toGroupName(gnutlsName: string): string {
  const name = gnutlsName.toUpperCase()
  if (name === 'SECP256R1') return 'prime256v1'
  if (name.startsWith('FFDHE')) return name.toLowerCase()
  if (name.includes('-MLKEM')) return name.replace('-', '').replace(/^SECP(\d+)R1/, 'SecP$1r1')
  return name.startsWith('SECP') ? name.toLowerCase() : name
}

/**
 * `TLS_ECDHE_ECDSA_AES_128_GCM_SHA256` → `TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256`. Names of TLS 1.3, which name no key exchange, stay.
 * `gnutls_ciphersuite_get` does so by itself since 3.7.4.
 */
export function toSuiteName(gnutlsName: string): string {
  const parts = /^TLS_(.+?)_((?:AES|CAMELLIA|CHACHA20|3DES|ARCFOUR|NULL|GOST|MAGMA|KUZNYECHIK)_?.*)$/.exec(gnutlsName)
  const [, exchange, cipher] = parts ?? []
  if (exchange === undefined || cipher === undefined) return gnutlsName
  const named = exchange
    .replace('DHE_ANON', 'DH_ANON')
    .replace('DH_ANON', 'DH_anon')
    .replace(/^SRP_SHA$/, 'SRP_SHA')
  const hashed = cipher === 'CHACHA20_POLY1305' ? 'CHACHA20_POLY1305_SHA256' : cipher.replace(/SHA1$/, 'SHA')
  return `TLS_${named}_WITH_${hashed}`
}
