import { execFile } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadCredentials } from '../../../../src/security/credentials/credential-files.driver.ts'
import { ensureDevelopmentCredentials } from '../../../../src/security/pki/development-credentials.driver.ts'
import {
  createCrl,
  createDevelopmentCa,
  createSelfSignedCertificate,
  issueCertificate,
} from '../../../../src/security/pki/pki.driver.ts'

const run = promisify(execFile)
const DAY_MS = 86_400_000

let scratch: string
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'szmq-pki-'))
})
afterAll(async () => {
  await rm(scratch, { recursive: true })
})

async function put(name: string, text: string): Promise<string> {
  const path = join(scratch, name)
  await writeFile(path, text)
  return path
}

/** OpenSSL's own word: what it printed, whether it succeeded or not. */
async function openssl(...args: readonly string[]): Promise<string> {
  try {
    const { stdout, stderr } = await run('openssl', args)
    return stdout + stderr
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string }
    return stdout + stderr
  }
}

describe('development certificates, as the openssl command sees them', () => {
  it('verify as server and as client, by name, address and URI', async () => {
    const ca = await createDevelopmentCa({ name: 'dev, "CA"/=+' })
    const issued = await issueCertificate(ca, {
      name: 'node-a',
      dnsNames: ['node-a'],
      ipAddresses: ['127.0.0.1', '::1'],
      uris: ['spiffe://szmq/node-a'],
    })
    const [caFile, certFile, keyFile] = [
      await put('ca.pem', ca.certificatePem),
      await put('a.pem', issued.certificatePem),
      await put('a.key', issued.privateKeyPem),
    ]
    for (const check of [
      ['-purpose', 'sslserver', '-verify_hostname', 'node-a'],
      ['-purpose', 'sslclient', '-verify_ip', '127.0.0.1'],
      ['-x509_strict', '-verify_ip', '::1'],
    ]) {
      expect(await openssl('verify', '-CAfile', caFile, ...check, certFile)).toMatch(/: OK/)
    }
    const text = await openssl('x509', '-in', certFile, '-noout', '-text')
    expect(text).toMatch(/CA:FALSE/)
    expect(text).toMatch(/URI:spiffe:\/\/szmq\/node-a/)
    expect(text).toMatch(/TLS Web Server Authentication, TLS Web Client Authentication/)
    expect(await openssl('pkey', '-in', keyFile, '-noout', '-text')).toMatch(/P-256/)
    expect(await openssl('x509', '-in', caFile, '-noout', '-text')).toMatch(/CA:TRUE, pathlen:0/)
  })

  it('never share a serial number', async () => {
    const ca = await createDevelopmentCa({ name: 'ca' })
    const issued = await Promise.all(Array.from({ length: 20 }, () => issueCertificate(ca, { name: 'x' })))
    expect(new Set(issued.map(({ certificatePem }) => new X509Certificate(certificatePem).serialNumber)).size).toBe(20)
  })

  it('are refused once revoked, expired, from elsewhere or self-signed', async () => {
    const ca = await createDevelopmentCa({ name: 'ca' })
    const [a, b, old, own] = await Promise.all([
      issueCertificate(ca, { name: 'a' }),
      issueCertificate(ca, { name: 'b' }),
      issueCertificate(ca, { name: 'old', notBefore: new Date(Date.now() - 2 * DAY_MS), days: 1 }),
      createSelfSignedCertificate({ name: 'own' }),
    ])
    const caFile = await put('r-ca.pem', ca.certificatePem)
    const crlFile = await put('r.crl', await createCrl(ca, { revoked: [a.certificatePem] }))
    const verify = ['verify', '-CAfile', caFile, '-crl_check', '-CRLfile', crlFile]
    expect(await openssl(...verify, await put('r-a.pem', a.certificatePem))).toMatch(/certificate revoked/)
    expect(await openssl(...verify, await put('r-b.pem', b.certificatePem))).toMatch(/: OK/)
    expect(await openssl('verify', '-CAfile', caFile, await put('r-old.pem', old.certificatePem))).toMatch(/expired/)
    expect(await openssl('verify', '-CAfile', caFile, await put('r-own.pem', own.certificatePem))).toMatch(/self[- ]signed/)
    expect(await openssl('crl', '-in', crlFile, '-noout', '-CAfile', caFile)).toMatch(/verify OK/)
  })

  // The X.509 library took the last part for hexadecimal digits: a certificate for another address.
  it('writes IPv6 addresses that end as IPv4 ones do', async () => {
    const ca = await createDevelopmentCa({ name: 'CA' })
    const { certificatePem } = await issueCertificate(ca, { name: 'a', ipAddresses: ['::ffff:10.0.0.1', '2001:db8::1.2.3.4'] })
    expect(new X509Certificate(certificatePem).subjectAltName).toBe(
      'IP Address:0:0:0:0:0:FFFF:A00:1, IP Address:2001:DB8:0:0:0:0:102:304',
    )
    await expect(issueCertificate(ca, { name: 'a', ipAddresses: ['fe80::1%eth0'] })).rejects.toMatchObject({
      code: 'ERR_SZMQ_INVALID_ARGUMENT',
    })
  })

  it('are refused before they are made, for an address that is none or a CA that is unreadable', async () => {
    const ca = await createDevelopmentCa({ name: 'ca' })
    await expect(issueCertificate(ca, { name: 'a', ipAddresses: ['node-a'] })).rejects.toMatchObject({
      code: 'ERR_SZMQ_INVALID_ARGUMENT',
    })
    await expect(issueCertificate({ ...ca, privateKeyPem: 'x' }, { name: 'a' })).rejects.toMatchObject({
      code: 'ERR_SZMQ_BAD_CREDENTIALS',
    })
  })

  it('leave no trace of decorator metadata on Reflect', async () => {
    await createDevelopmentCa({ name: 'ca' })
    expect('getMetadata' in Reflect).toBe(false)
  })
})

describe('ensureDevelopmentCredentials', () => {
  it('makes a folder that only its owner enters, with files that load', async () => {
    const folder = join(scratch, 'first')
    const files = await ensureDevelopmentCredentials({ folder, names: ['node-a', 'node-b'] })
    expect((await readdir(folder)).toSorted()).toEqual([
      'ca.key',
      'ca.pem',
      'node-a.key',
      'node-a.pem',
      'node-b.key',
      'node-b.pem',
    ])
    expect((await stat(folder)).mode & 0o777).toBe(0o700)
    for (const name of ['ca.key', 'node-a.key']) expect((await stat(join(folder, name))).mode & 0o777).toBe(0o600)
    const credentials = await loadCredentials(files['node-a'])
    expect(credentials.certificate.subjectAltName).toContain('DNS:node-a')
    expect(await openssl('verify', '-CAfile', files['node-b'].caFile, files['node-b'].certFile)).toMatch(/: OK/)
  })

  it('keeps what is good, and adds names later', async () => {
    const folder = join(scratch, 'again')
    const { 'node-a': files } = await ensureDevelopmentCredentials({ folder, names: ['node-a'] })
    const before = await Promise.all([files.caFile, files.certFile, files.keyFile].map((file) => readFile(file, 'utf8')))
    await ensureDevelopmentCredentials({ folder, names: ['node-a', 'node-b'] })
    const after = await Promise.all([files.caFile, files.certFile, files.keyFile].map((file) => readFile(file, 'utf8')))
    expect(after).toEqual(before)
  })

  it('issues anew what ends within a day, and everything when the CA does', async () => {
    const folder = join(scratch, 'renew')
    const { a } = await ensureDevelopmentCredentials({ folder, names: ['a'], days: 0.5 })
    const short = await readFile(a.certFile, 'utf8')
    await ensureDevelopmentCredentials({ folder, names: ['a'] })
    const long = await readFile(a.certFile, 'utf8')
    expect(long).not.toBe(short)

    await Promise.all([rm(join(folder, 'ca.pem')), rm(join(folder, 'ca.key'))])
    await ensureDevelopmentCredentials({ folder, names: ['a'] })
    expect(await readFile(a.certFile, 'utf8')).not.toBe(long)
    expect(await openssl('verify', '-CAfile', a.caFile, a.certFile)).toMatch(/: OK/)
    await loadCredentials(a)
  })

  it('heals half a pair, and never overwrites a file of another origin', async () => {
    const folder = join(scratch, 'heal')
    const { a } = await ensureDevelopmentCredentials({ folder, names: ['a'] })
    await rm(a.keyFile)
    await ensureDevelopmentCredentials({ folder, names: ['a'] })
    await loadCredentials(a)

    const foreign = await createSelfSignedCertificate({ name: 'foreign' })
    await writeFile(a.certFile, foreign.certificatePem)
    await expect(ensureDevelopmentCredentials({ folder, names: ['a'] })).rejects.toMatchObject({
      code: 'ERR_SZMQ_BAD_CREDENTIALS',
    })
    expect(await readFile(a.certFile, 'utf8')).toBe(foreign.certificatePem)
  })

  it('gives every process the same when many start at once', async () => {
    const folder = join(scratch, 'crowd')
    const module = new URL('../../../../src/security/pki/development-credentials.driver.ts', import.meta.url).href
    const script = `const { ensureDevelopmentCredentials } = await import(${JSON.stringify(module)})
      const { a } = await ensureDevelopmentCredentials({ folder: ${JSON.stringify(folder)}, names: ['a'] })
      const { readFileSync } = await import('node:fs')
      process.stdout.write(readFileSync(a.caFile, 'utf8') + readFileSync(a.certFile, 'utf8'))`
    const runs = await Promise.all(
      Array.from({ length: 3 }, () => run(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script])),
    )
    expect(new Set(runs.map(({ stdout }) => stdout)).size).toBe(1)
    expect((await readdir(folder)).filter((name) => name.endsWith('.tmp') || name === '.lock')).toEqual([])
  })

  it.each(['', 'ca', '../x', 'a/b', '.hidden', 'x'.repeat(65)])('refuses the name "%s"', async (name) => {
    await expect(ensureDevelopmentCredentials({ folder: join(scratch, 'names'), names: [name] })).rejects.toMatchObject({
      code: 'ERR_SZMQ_INVALID_ARGUMENT',
    })
  })
})
