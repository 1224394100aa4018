import { parseCandidate } from '../../../src/security/credentials/credential-candidate.ts'
import { PskCredentials } from '../../../src/security/credentials/psk-credentials.ts'
import { RawPublicKeyCredentials } from '../../../src/security/credentials/raw-public-key-credentials.ts'
import { SrpCredentials } from '../../../src/security/credentials/srp-credentials.ts'
import { createCrl, createDevelopmentCa, issueCertificate } from '../../../src/security/pki/pki.driver.ts'
import { concatBytes } from '../../../src/shared/bytes.ts'
import { SzmqError } from '../../../src/shared/errors.ts'
import type { FuzzTarget } from '../fuzz-target.ts'
import { kindOf, promise, valueOrSzmqError } from '../promises.ts'

/** Characters of base64 that no error may show of a private key. */
const SECRET_CHARACTERS = 24

/** Pieces: CA, certificate, private key and, if there, CRL, as PEM. The key and the certificate are also read as raw public keys. */
export const credentialsTarget: FuzzTarget = {
  name: 'credentials',
  share: 3,
  maxMs: 300,
  prepare: async () => {
    const ca = await createDevelopmentCa({ name: 'a CA' })
    const own = await issueCertificate(ca, { name: 'node' })
    const other = await issueCertificate(ca, { name: 'other' })
    const crl = await createCrl(ca, { revoked: [other.certificatePem] })
    const pems = [ca.certificatePem, own.certificatePem, own.privateKeyPem, crl].map((pem) => Buffer.from(pem))
    const now = new Date()
    return {
      seeds: [
        pems,
        pems.slice(0, 3),
        [Buffer.from(other.certificatePem), Buffer.concat(pems.slice(0, 2)), Buffer.from(other.privateKeyPem)],
        [],
      ],
      words: [
        '-----BEGIN CERTIFICATE-----',
        '-----END CERTIFICATE-----\n',
        '-----BEGIN EC PRIVATE KEY-----',
        'ENCRYPTED',
        '\r\n',
        '-----',
        '\0',
        '=',
      ].map((word) => Buffer.from(word)),
      run: (input) => {
        const [caPem = new Uint8Array(), certificate = new Uint8Array(), privateKey = new Uint8Array(), crlPem] = input
        const key = Buffer.from(privateKey).toString('latin1')
        const text = Buffer.from(certificate).toString('latin1').slice(0, 300)
        const outcomes = [
          () => parseCandidate({ ca: caPem, certificate, privateKey, crl: crlPem }, { now }),
          () => new RawPublicKeyCredentials({ privateKey, trustedKeys: [certificate] }),
          () => PskCredentials.client({ identity: text, key: concatBytes([caPem.subarray(0, 70)]) }),
          () => SrpCredentials.client({ username: text, password: key.slice(0, 300) }),
        ].map((call) => valueOrSzmqError<unknown>(call))
        for (const outcome of outcomes) if (outcome instanceof SzmqError) checkSecrets(outcome, key)
        return outcomes.map((outcome, at) => `${at} ${kindOf(outcome)}`)
      },
    }
  },
}

/** Nothing that stood in the key's text stands in an error or its causes. */
function checkSecrets(error: SzmqError, key: string): void {
  const lines = key.split(/\s+/).filter((line) => line.length >= SECRET_CHARACTERS && !line.startsWith('--'))
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    const shown = at.message
    promise(
      !lines.some((line) => shown.includes(line.slice(0, SECRET_CHARACTERS))),
      'an error shows what stood in the private key',
    )
  }
}
