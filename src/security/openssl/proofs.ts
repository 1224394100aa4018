import { SzmqError } from '../../shared/errors.ts'
import type { Credentials } from '../credentials/credentials.ts'
import type { PskCredentials } from '../credentials/psk-credentials.ts'
import type { X509Credentials } from '../credentials/x509-credentials.ts'
import type { X509Trust } from '../credentials/x509-trust.ts'

/** The credentials that OpenSSL can use, by kind. */
export interface OpensslProofs {
  readonly own: X509Credentials | undefined
  readonly trust: X509Trust | undefined
  readonly psk: PskCredentials | undefined
}

/**
 * @throws ERR_SZMQ_INVALID_ARGUMENT for credentials that only the gnutls engine can use · ERR_SZMQ_BAD_CREDENTIALS for none, or for a
 *   server with none to show
 */
export function sortProofs(role: 'client' | 'server', given: Credentials | readonly Credentials[]): OpensslProofs {
  let own: X509Credentials | undefined
  let trust: X509Trust | undefined
  let psk: PskCredentials | undefined
  for (const credentials of [given].flat()) {
    switch (credentials.kind) {
      case 'x509':
        own = credentials
        trust = credentials.trust
        break
      case 'x509Trust':
        trust = credentials
        break
      case 'psk':
        psk = credentials
        break
      case 'srp':
        throw onlyGnutls('SRP')
      case 'rawPublicKey':
        throw onlyGnutls('raw public keys')
      case 'insecureAnonymous':
        throw onlyGnutls('anonymous key exchange')
    }
  }
  if (role === 'server' && own === undefined && psk === undefined && trust !== undefined) {
    const seen = 'a server with a CA alone has nothing to show'
    throw new SzmqError('ERR_SZMQ_BAD_CREDENTIALS', `${seen}: give it a certificate and a key`)
  }
  if (own !== undefined || trust !== undefined || psk !== undefined) return { own, trust, psk }
  throw new SzmqError('ERR_SZMQ_BAD_CREDENTIALS', 'an empty list of credentials: give X.509 credentials or a pre-shared key')
}

function onlyGnutls(what: string): SzmqError {
  return new SzmqError('ERR_SZMQ_INVALID_ARGUMENT', `the openssl engine cannot do ${what}: use the gnutls engine`)
}
