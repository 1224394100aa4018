import { createSecureContext } from 'node:tls'
import { messageOf } from '../../shared/errors.ts'
import type { CredentialTerm } from './credential-terms.ts'
import { badCredentials } from './pem.ts'
import { loadX509, type X509Library } from '../pki/x509.driver.ts'
import type { X509Credentials } from './x509-credentials.ts'

/**
 * Are these credentials, whose parts fit together, of any use as of `now`? OpenSSL must take them, and revocation lists must be
 * current, for with a stale one no peer is accepted.
 *
 * @returns how long the revocation lists are current.
 * @throws ERR_SZMQ_BAD_CREDENTIALS naming the part, what is wrong with it and what to do.
 */
export function proveCredentials(credentials: X509Credentials, now: Date): readonly CredentialTerm[] {
  const crls = credentials.trust.crlPem?.match(/-----BEGIN X509 CRL-----[^-]*-----END X509 CRL-----/g) ?? []
  requireOpenssl(credentials, crls)
  return crls.length === 0 ? [] : readCrls(crls).flatMap((crl) => proveCrl(crl, now))
}

function requireOpenssl(credentials: X509Credentials, crls: readonly string[]): void {
  const key = credentials.revealPrivateKeyPem()
  try {
    // Of a text with several lists Node takes the first alone.
    createSecureContext({ ca: credentials.trust.caPem, cert: credentials.certificatePem, key, crl: [...crls] })
  } catch (error) {
    // Without the cause: nothing that stood near a key travels on.
    throw badCredentials(`OpenSSL refuses the credentials (${messageOf(error)})`, 'have them issued anew')
  }
}

type Crl = InstanceType<X509Library['X509Crl']>

function readCrls(crls: readonly string[]): readonly Crl[] {
  const { X509Crl } = loadX509()
  return crls.map((crl, index) => {
    try {
      return new X509Crl(Buffer.from(crl.replaceAll(/-----[A-Z0-9 ]+-----|\s/g, ''), 'base64'))
    } catch (cause) {
      throw badCredentials(`list ${index + 1} of the crl is unreadable (${messageOf(cause)})`, 'copy the whole PEM block again')
    }
  })
}

function proveCrl({ issuer, thisUpdate, nextUpdate }: Crl, now: Date): readonly CredentialTerm[] {
  if (now < thisUpdate) {
    throw badCredentials(
      `the crl of ${issuer} is not valid before ${thisUpdate.toISOString()}`,
      'wait, or set this clock right',
    )
  }
  if (nextUpdate === undefined) return []
  if (now > nextUpdate) {
    throw badCredentials(
      `the crl of ${issuer} was to be replaced before ${nextUpdate.toISOString()}`,
      'have its CA issue a new one: with this one no peer would be accepted',
    )
  }
  return [{ what: 'crl', validFrom: thisUpdate.toISOString(), validTo: nextUpdate.toISOString() }]
}
