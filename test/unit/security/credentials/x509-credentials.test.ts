import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadCredentials } from '../../../../src/security/credentials/credential-files.driver.ts'
import {
  X509Credentials,
  parseX509Credentials,
  type X509CredentialsInput,
} from '../../../../src/security/credentials/x509-credentials.ts'
import { createCrl, createDevelopmentCa, issueCertificate } from '../../../../src/security/pki/pki.driver.ts'
import { SzmqError } from '../../../../src/shared/errors.ts'

const now = new Date()
let good: X509CredentialsInput
let otherKey: string
let crl: string

beforeAll(async () => {
  const ca = await createDevelopmentCa({ name: 'test CA' })
  const [a, b] = await Promise.all([issueCertificate(ca, { name: 'node-a' }), issueCertificate(ca, { name: 'node-b' })])
  good = { ca: ca.certificatePem, certificate: a.certificatePem, privateKey: a.privateKeyPem }
  otherKey = b.privateKeyPem
  crl = await createCrl(ca, { revoked: [] })
})

function problemOf(input: X509CredentialsInput, at = now): string {
  try {
    parseX509Credentials(input, { now: at })
  } catch (error) {
    if (error instanceof SzmqError && error.code === 'ERR_SZMQ_BAD_CREDENTIALS') return error.message
    throw error
  }
  return 'none'
}

describe('parseX509Credentials', () => {
  it('takes PEM text and PEM bytes', () => {
    const bytes = { ...good, privateKey: Buffer.from(String(good.privateKey)), crl }
    const credentials = parseX509Credentials(bytes, { now })
    expect(credentials).toBeInstanceOf(X509Credentials)
    expect(credentials.revealPrivateKeyPem()).toBe(good.privateKey)
    expect(credentials.certificate.subjectAltName).toBe('DNS:node-a')
  })

  it('says what is wrong and what to do', () => {
    expect(problemOf({ ...good, ca: '' })).toMatch(/the ca is empty/)
    expect(problemOf({ ...good, ca: 'hello' })).toMatch(/the ca holds no PEM block.*CERTIFICATE/)
    expect(problemOf({ ...good, certificate: good.privateKey })).toMatch(/the certificate holds a "PRIVATE KEY"/)
    expect(problemOf({ ...good, privateKey: good.certificate })).toMatch(/the private key holds no "BEGIN PRIVATE KEY"/)
    expect(problemOf({ ...good, privateKey: otherKey })).toMatch(/does not belong to the certificate of CN=node-a/)
    expect(problemOf({ ...good, crl: good.certificate })).toMatch(/the crl holds a "CERTIFICATE"/)
    expect(problemOf({ ...good, certificate: String(good.certificate).replace(/\n.{20}/, '\n') })).toMatch(
      /certificate 1 .* unreadable/,
    )
    expect(problemOf({ ...good, certificate: String(good.certificate).slice(0, 200) })).toMatch(/no whole certificate/)
    expect(problemOf({ ...good, privateKey: String(good.privateKey).replace(/\n.{20}/, '\n') })).toMatch(
      /private key is unreadable/,
    )
    expect(
      problemOf({ ...good, privateKey: '-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n' }),
    ).toMatch(/encrypted.*openssl pkey/)
  })

  it('refuses an own certificate outside its time', () => {
    expect(problemOf(good, new Date(now.getTime() + 31 * 86_400_000))).toMatch(/expired on .*issued anew/)
    expect(problemOf(good, new Date(now.getTime() - 86_400_000))).toMatch(/not valid before/)
  })

  it('shows the private key nowhere', () => {
    const credentials = parseX509Credentials(good, { now })
    const secret = String(good.privateKey).split('\n')[1] ?? 'missing'
    const shown = [inspect(credentials, { depth: 9, showHidden: true }), JSON.stringify(credentials)]
    for (const text of shown) expect(text).not.toContain(secret)
    for (const broken of [
      { ...good, privateKey: otherKey },
      { ...good, privateKey: `${String(good.privateKey).slice(0, 120)}\n` },
    ]) {
      try {
        parseX509Credentials(broken, { now })
        expect.unreachable()
      } catch (error) {
        expect(inspect(error, { depth: 9 })).not.toContain(String(broken.privateKey).split('\n')[1])
      }
    }
  })
})

describe('loadCredentials', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'szmq-credentials-'))
  })
  afterAll(async () => {
    await rm(folder, { recursive: true })
  })

  it('reads files, and names the one that is missing or the ones that do not fit', async () => {
    const files = { caFile: join(folder, 'ca.pem'), certFile: join(folder, 'a.pem'), keyFile: join(folder, 'a.key') }
    await expect(loadCredentials(files)).rejects.toMatchObject({ code: 'ERR_SZMQ_BAD_CREDENTIALS' })
    await Promise.all([
      writeFile(files.caFile, good.ca),
      writeFile(files.certFile, good.certificate),
      writeFile(files.keyFile, good.privateKey),
    ])
    expect((await loadCredentials(files)).certificatePem).toBe(good.certificate)
    await expect(loadCredentials({ ...files, keyFile: join(folder, 'no.key') })).rejects.toThrow(/private key file .*no\.key/)
    await writeFile(files.keyFile, otherKey)
    await expect(loadCredentials(files)).rejects.toThrow(/does not belong.*a\.key/)
  })
})
