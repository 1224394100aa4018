import { webcrypto, type KeyObject } from 'node:crypto'

export const KEY_KINDS = ['ecdsa-p256', 'ed25519'] as const
/** The kinds of key that the development PKI makes, for CAs and for nodes. */
export type KeyKind = (typeof KEY_KINDS)[number]

/** For the X.509 library and for Web Cryptography: how a key of each kind is made and signs. */
export const SIGNATURES = {
  'ecdsa-p256': { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' },
  ed25519: { name: 'Ed25519' },
} as const satisfies Record<KeyKind, object>

export async function generateKeys(kind: KeyKind): Promise<webcrypto.CryptoKeyPair> {
  return (await webcrypto.subtle.generateKey(SIGNATURES[kind], true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair
}

/** As a key that signs; it cannot be taken out again. */
export async function importSigningKey(kind: KeyKind, key: KeyObject): Promise<webcrypto.CryptoKey> {
  return webcrypto.subtle.importKey('pkcs8', key.export({ type: 'pkcs8', format: 'der' }), SIGNATURES[kind], false, ['sign'])
}

/** PKCS #8 as PEM text, not encrypted: a secret. */
export async function exportPrivateKey(key: webcrypto.CryptoKey): Promise<string> {
  const base64 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key)).toString('base64')
  return `-----BEGIN PRIVATE KEY-----\n${(base64.match(/.{1,64}/g) ?? []).join('\n')}\n-----END PRIVATE KEY-----\n`
}

/** @returns undefined for a key that this PKI would not make. */
export function findKeyKind({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): KeyKind | undefined {
  if (asymmetricKeyType === 'ed25519') return 'ed25519'
  return asymmetricKeyType === 'ec' && asymmetricKeyDetails?.namedCurve === 'prime256v1' ? 'ecdsa-p256' : undefined
}
