import { parseX509Credentials, type X509Credentials } from '../../src/security/credentials/x509-credentials.ts'
import {
  createCrl,
  createDevelopmentCa,
  createSelfSignedCertificate,
  issueCertificate,
  type CertificateRequest,
  type DevelopmentCa,
} from '../../src/security/pki/pki.driver.ts'

const DAY_MS = 86_400_000

/** X509Credentials of good peers and of each kind of bad one. All trust the same CA. */
export interface TestPki {
  readonly ca: DevelopmentCa
  /** DNS `node-a`, `localhost`, IP `127.0.0.1`, URI `spiffe://szmq/node-a`. */
  readonly nodeA: X509Credentials
  /** DNS `node-b`, and the rest as above. */
  readonly nodeB: X509Credentials
  readonly expired: X509Credentials
  readonly notYetValid: X509Credentials
  readonly unknownCa: X509Credentials
  readonly selfSigned: X509Credentials
  /** On the list of {@link withCrl}. */
  readonly revoked: X509Credentials
  readonly clientUseOnly: X509Credentials
  readonly serverUseOnly: X509Credentials
  /** Carries its name as common name only. */
  readonly commonNameOnly: X509Credentials
  /** A good peer that has a current revocation list. */
  readonly withCrl: X509Credentials
  /** As {@link nodeB}, with a current revocation list. */
  readonly nodeBWithCrl: X509Credentials
  readonly withStaleCrl: X509Credentials
}

export async function createTestPki(): Promise<TestPki> {
  const ca = await createDevelopmentCa({ name: 'test CA' })
  const strangeCa = await createDevelopmentCa({ name: 'strange CA' })
  const now = Date.now()
  const issue = async (
    request: CertificateRequest,
    options: { by?: DevelopmentCa; crl?: string } = {},
  ): Promise<X509Credentials> => {
    const { certificatePem, privateKeyPem } = await issueCertificate(options.by ?? ca, request)
    const at = request.notBefore === undefined ? new Date(now) : new Date(request.notBefore.getTime() + 1_000)
    return parseX509Credentials(
      { ca: ca.certificatePem, certificate: certificatePem, privateKey: privateKeyPem, crl: options.crl },
      { now: at },
    )
  }
  const node = (name: string): CertificateRequest => ({
    name,
    dnsNames: [name, 'localhost'],
    ipAddresses: ['127.0.0.1'],
    uris: [`spiffe://szmq/${name}`],
  })
  const peer = node('node-b')
  const revoked = await issue(peer)
  const crl = await createCrl(ca, { revoked: [revoked.certificatePem] })
  const selfSigned = await createSelfSignedCertificate(peer)
  const staleCrl = await createCrl(ca, {
    revoked: [],
    thisUpdate: new Date(now - 2 * DAY_MS),
    nextUpdate: new Date(now - DAY_MS),
  })
  return {
    ca,
    nodeA: await issue(node('node-a')),
    nodeB: await issue(peer),
    expired: await issue({ ...peer, notBefore: new Date(now - 2 * DAY_MS), notAfter: new Date(now - DAY_MS) }),
    notYetValid: await issue({ ...peer, notBefore: new Date(now + DAY_MS), notAfter: new Date(now + 2 * DAY_MS) }),
    unknownCa: await issue(peer, { by: strangeCa }),
    selfSigned: parseX509Credentials(
      { ca: ca.certificatePem, certificate: selfSigned.certificatePem, privateKey: selfSigned.privateKeyPem },
      { now: new Date(now) },
    ),
    revoked,
    clientUseOnly: await issue({ ...peer, usages: ['client'] }),
    serverUseOnly: await issue({ ...peer, usages: ['server'] }),
    commonNameOnly: await issue({ name: 'node-b', dnsNames: ['other'] }),
    withCrl: await issue(node('node-a'), { crl }),
    nodeBWithCrl: await issue(peer, { crl }),
    withStaleCrl: await issue(node('node-a'), { crl: staleCrl }),
  }
}
