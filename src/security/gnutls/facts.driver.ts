import type { PeerIdentity } from '../identity.ts'
import type { TlsFacts } from '../tls-engine.ts'
import type { GnutlsLibrary } from './library.driver.ts'
import { takeDatum } from './memory.driver.ts'
import { toGroupName, toSuiteName, toVersionName } from './names.ts'
import type { Pointer } from './prototype.ts'

/** What a session has negotiated. */
export function readFacts(library: GnutlsLibrary, session: Pointer, peer: PeerIdentity): TlsFacts {
  const { fn } = library
  const alpn = takeDatum(library, (datum) => fn.gnutls_alpn_get_selected_protocol(session, datum))
  const group = fn.gnutls_group_get(session)
  return {
    engine: 'gnutls',
    version: toVersionName(fn.gnutls_protocol_get_name(fn.gnutls_protocol_get_version(session)) ?? 'unknown'),
    cipherSuite: readSuite(library, session),
    group: group === 0 ? 'unknown' : toGroupName(fn.gnutls_group_get_name(group) ?? 'unknown'),
    alpn: alpn?.toString('utf8'),
    isResumed: fn.gnutls_session_is_resumed(session) !== 0,
    peer,
  }
}

function readSuite(library: GnutlsLibrary, session: Pointer): string {
  const { fn } = library
  if (library.has('gnutls_ciphersuite_get')) {
    const name = library.find('const char *gnutls_ciphersuite_get(void *session)')(session)
    if (name !== null) return name
  }
  const name = fn.gnutls_cipher_suite_get_name(
    fn.gnutls_kx_get(session),
    fn.gnutls_cipher_get(session),
    fn.gnutls_mac_get(session),
  )
  return toSuiteName(name ?? 'unknown')
}
