import { randomBytes, webcrypto } from 'node:crypto'
import { createDevelopmentCa, issueCertificate, loadX509 } from './internals.ts'

export type CertificateKind = 'rsa-3072' | 'ecdsa-p256' | 'ed25519'

/** What one end shows and trusts, as PEM texts. */
export interface EndPem {
  readonly ca: string
  readonly certificate: string
  readonly privateKey: string
}

/** A CA and both ends' certificates under it, all with keys of one kind. */
export interface Certificates {
  readonly client: EndPem
  readonly server: EndPem
}

/** The DNS name of the server. */
export const SERVER_NAME = 'server'

/** Made anew in each run. */
export async function makeCertificates(kind: CertificateKind): Promise<Certificates> {
  if (kind === 'rsa-3072') return makeRsaCertificates()
  const ca = await createDevelopmentCa({ name: 'bench CA', key: kind })
  const [client, server] = await Promise.all([
    issueCertificate(ca, { name: 'client', key: kind }),
    issueCertificate(ca, { name: SERVER_NAME, key: kind }),
  ])
  const end = ({ certificatePem, privateKeyPem }: typeof client): EndPem => ({
    ca: ca.certificatePem,
    certificate: certificatePem,
    privateKey: privateKeyPem,
  })
  return { client: end(client), server: end(server) }
}

/** As long as GnuTLS's own benchmark takes it. */
const RSA = {
  name: 'RSASSA-PKCS1-v1_5',
  hash: 'SHA-256',
  modulusLength: 3_072,
  publicExponent: new Uint8Array([1, 0, 1]),
}

/** The development PKI makes no RSA keys: nobody should begin with them today. */
async function makeRsaCertificates(): Promise<Certificates> {
  const x509 = loadX509()
  const validity = { notBefore: new Date(Date.now() - 60_000), notAfter: new Date(Date.now() + 86_400_000) }
  const caKeys = await webcrypto.subtle.generateKey(RSA, true, ['sign', 'verify'])
  const ca = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: '01',
    name: 'CN=bench RSA CA',
    ...validity,
    signingAlgorithm: RSA,
    keys: caKeys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
    ],
  })
  const issue = async (name: string): Promise<EndPem> => {
    const keys = await webcrypto.subtle.generateKey(RSA, true, ['sign', 'verify'])
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: `40${randomBytes(8).toString('hex')}`,
      subject: `CN=${name}`,
      issuer: ca.subjectName,
      ...validity,
      publicKey: keys.publicKey,
      signingKey: caKeys.privateKey,
      signingAlgorithm: RSA,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        // Key encipherment is what the static RSA exchange does.
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyEncipherment, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
        new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: name }]),
      ],
    })
    const key = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey))
    return { ca: ca.toString('pem'), certificate: certificate.toString('pem'), privateKey: toPem(key) }
  }
  return { client: await issue('client'), server: await issue(SERVER_NAME) }
}

function toPem(pkcs8: Buffer): string {
  const lines = pkcs8.toString('base64').match(/.{1,64}/g) ?? []
  return `-----BEGIN PRIVATE KEY-----\n${lines.join('\n')}\n-----END PRIVATE KEY-----\n`
}
