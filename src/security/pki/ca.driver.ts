import { createPrivateKey, X509Certificate, type KeyObject, type webcrypto } from 'node:crypto'
import type * as X509 from '@peculiar/x509'
import { messageOf, SzmqError } from '../../shared/errors.ts'
import { findKeyKind, importSigningKey, type KeyKind } from './keys.driver.ts'
import { loadX509 } from './x509.driver.ts'

/** A certificate and its private key, as PEM text. The key is a secret. */
export interface IssuedCertificate {
  readonly certificatePem: string
  readonly privateKeyPem: string
}

/** A CA for development and tests: its key lies about as a plain string. For production have your own CA issue certificates. */
export type DevelopmentCa = IssuedCertificate

/** A CA that was found able to sign. */
export interface Issuer {
  readonly certificate: X509.X509Certificate
  readonly keyKind: KeyKind
  readonly privateKey: webcrypto.CryptoKey
  readonly notAfter: Date
}

/** @throws ERR_SZMQ_BAD_CREDENTIALS saying what about the CA is wrong: unreadable, no CA, or a key that is not its own. */
export async function readCa(ca: DevelopmentCa): Promise<Issuer> {
  const certificate = readCertificate(ca.certificatePem)
  const key = readKey(ca.privateKeyPem)
  const keyKind = findKeyKind(key)
  if (keyKind === undefined) throw bad(`its private key is of type ${key.asymmetricKeyType ?? 'unknown'}`)
  if (!certificate.ca) throw bad(`the certificate of ${certificate.subject.replaceAll('\n', ', ')} is not one of a CA`)
  if (!certificate.checkPrivateKey(key)) throw bad('its private key does not belong to its certificate')
  const parsed = new (loadX509().X509Certificate)(certificate.raw)
  return { certificate: parsed, keyKind, privateKey: await importSigningKey(keyKind, key), notAfter: parsed.notAfter }
}

function readCertificate(pem: string): X509Certificate {
  try {
    return new X509Certificate(pem)
  } catch (cause) {
    throw bad(`its certificate is unreadable (${messageOf(cause)})`)
  }
}

function readKey(pem: string): KeyObject {
  try {
    return createPrivateKey(pem)
  } catch {
    // Without the cause: nothing that stood near a key travels on.
    throw bad('its private key is unreadable')
  }
}

function bad(seen: string): SzmqError {
  return new SzmqError(
    'ERR_SZMQ_BAD_CREDENTIALS',
    `the development CA cannot sign: ${seen}; a CA certificate and its own ECDSA P-256 or Ed25519 key (PKCS #8) are expected, both as PEM`,
  )
}
