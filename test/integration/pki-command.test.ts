import { chmod, copyFile, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadCredentials, type CredentialFiles } from '../../src/security/credentials/credential-files.driver.ts'
import { ensureDevelopmentCredentials } from '../../src/security/pki/development-credentials.driver.ts'
import { createOpensslEngineFactory } from '../../src/security/openssl-engine.driver.ts'
import { KEY_KINDS } from '../../src/security/pki/keys.driver.ts'
import { listPki } from '../../src/security/pki/listing.driver.ts'
import { createDevelopmentCa } from '../../src/security/pki/pki.driver.ts'
import { EnginePair } from '../contract/engine-pair.ts'
import { expectFailure, filesOf, modeOf, szmq, tool, type Ran } from '../support/szmq-command.ts'

let scratch: string
let count = 0
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'szmq-pki-command-'))
  await chmod(scratch, 0o755)
})
afterAll(() => rm(scratch, { recursive: true }))

async function newPki(...args: readonly string[]): Promise<string> {
  const folder = join(scratch, `pki-${(count += 1)}`)
  expect(await szmq('pki', 'init', '--folder', folder, ...args)).toMatchObject({ code: 0, err: '' })
  return folder
}

describe.each(KEY_KINDS)('a PKI with %s keys', (key) => {
  let folder: string
  let files: CredentialFiles & { readonly crlFile: string }
  beforeAll(async () => {
    folder = await newPki('--key', key, '--name', 'Shop "CA", one')
    const { code, out } = await szmq('pki', 'issue', 'node-a', '--folder', folder)
    expect(code).toBe(0)
    expect(out).toMatch(
      /^✓ node-a, valid until \d{4}-\d\d-\d\d \(90 days\)\n {2}names +DNS:node-a DNS:localhost IP:127\.0\.0\.1 IP:::1\n/,
    )
    const names = ['--dns', 'shop-b.example', '--ip', '10.0.0.5', '--uri', 'spiffe://shop.example/node-b']
    expect(await szmq('pki', 'issue', 'node-b', '--folder', folder, ...names, '--usage', 'server')).toMatchObject({ code: 0 })
    expect(await szmq('pki', 'issue', 'old', '--folder', folder)).toMatchObject({ code: 0 })
    expect(await szmq('pki', 'revoke', 'old', '--folder', folder, '--reason', 'keyCompromise')).toMatchObject({ code: 0 })
    files = filesOf(folder, 'node-a')
  })

  it('keeps keys for its owner', async () => {
    expect(await modeOf(folder)).toBe('700')
    for (const file of ['ca.key', 'node-a.key', 'node-b.key']) expect(await modeOf(folder, file)).toBe('600')
  })

  it('is right, says openssl', async () => {
    const verify = ['verify', '-x509_strict', '-CAfile', files.caFile, '-CRLfile', files.crlFile, '-crl_check']
    const good = [
      [files.certFile, '-purpose', 'sslserver', '-verify_hostname', 'node-a'],
      [files.certFile, '-purpose', 'sslclient', '-verify_ip', '::1'],
      [join(folder, 'node-b.pem'), '-purpose', 'sslserver', '-verify_hostname', 'shop-b.example', '-verify_ip', '10.0.0.5'],
    ]
    for (const [file = '', ...checks] of good) {
      expect(await tool('openssl', ...verify, ...checks, file)).toMatchObject({ code: 0, out: `${file}: OK\n` })
    }
    expect((await tool('openssl', ...verify, '-purpose', 'sslclient', join(folder, 'node-b.pem'))).err).toMatch(/purpose/)
    expect((await tool('openssl', ...verify, join(folder, 'old.pem'))).err).toMatch(/certificate revoked/)

    const { out: text } = await tool('openssl', 'x509', '-in', join(folder, 'node-b.pem'), '-noout', '-text')
    expect(text).toMatch(/Issuer: CN = "Shop \\"CA\\", one"/)
    expect(text).toMatch(/DNS:node-b, DNS:shop-b.example, IP Address:10.0.0.5, URI:spiffe:\/\/shop.example\/node-b/)
    expect(text).toMatch(key === 'ed25519' ? /Public Key Algorithm: ED25519/ : /ASN1 OID: prime256v1/)
    expect(text).toMatch(/CA:FALSE/)
  })

  it('has a revocation list with number, reason and end, says openssl', async () => {
    const { out, err } = await tool('openssl', 'crl', '-in', files.crlFile, '-noout', '-text', '-CAfile', files.caFile)
    expect(err).toMatch(/verify OK/)
    expect(out).toMatch(/X509v3 CRL Number: \n +2\n/)
    expect(out).toMatch(/X509v3 CRL Reason Code: \n +Key Compromise/)
    expect(out.match(/Serial Number/g)).toHaveLength(1)
  })

  it('is right, says certtool', async () => {
    const verify = ['--verify', '--load-ca-certificate', files.caFile, '--load-crl', files.crlFile, '--infile']
    expect(await tool('certtool', ...verify, files.certFile)).toMatchObject({ code: 0 })
    const revoked = await tool('certtool', ...verify, join(folder, 'old.pem'))
    expect(revoked.code).not.toBe(0)
    expect(revoked.out).toMatch(/revoked/)
  })

  it('serves a handshake between two engines, until one is revoked', async () => {
    expect((await szmq('pki', 'issue', 'peer', '--folder', folder)).code).toBe(0)
    const pairUp = async (): Promise<EnginePair> =>
      new EnginePair({
        client: createOpensslEngineFactory({
          role: 'client',
          credentials: await loadCredentials(filesOf(folder, 'peer')),
          serverName: 'node-a',
        }),
        server: createOpensslEngineFactory({ role: 'server', credentials: await loadCredentials(files) }),
      })
    const pair = await pairUp()
    await pair.handshake()
    pair.destroy()

    expect((await szmq('pki', 'revoke', 'peer', '--folder', folder)).code).toBe(0)
    const refused = await pairUp()
    refused.start()
    expect((await refused.server.untilFailed()).code).toBe('ERR_SZMQ_CERTIFICATE_REVOKED')
    refused.destroy()
  })
})

describe('szmq pki init', () => {
  it('never replaces a CA, unless told to; what the old one issued is then called a stranger', async () => {
    const folder = await newPki()
    await szmq('pki', 'issue', 'node-a', '--folder', folder)
    const before = await readFile(join(folder, 'ca.key'), 'utf8')
    expectFailure(await szmq('pki', 'init', '--folder', folder), 1, /there is a CA in .* already: give --force/)
    expect(await readFile(join(folder, 'ca.key'), 'utf8')).toBe(before)
    expect(await szmq('pki', 'init', '--folder', folder, '--force', '--days', '10')).toMatchObject({ code: 0 })
    expect(await readFile(join(folder, 'ca.key'), 'utf8')).not.toBe(before)
    expect((await szmq('pki', 'show', '--folder', folder)).out).toMatch(
      /\(10 days\)[^!]*No certificates yet[^!]*\n! .* of another CA/,
    )
    const again = await szmq('pki', 'issue', 'node-a', '--folder', folder, '--force')
    expect(again.out).toMatch(/\(10 days\), as long as its CA/)
    expect(await listPki(folder)).toMatchObject({ certificates: [{ name: 'node-a', daysLeft: 10 }], problems: [] })
  })

  it("keeps away from a key that stands alone, and from the mode of somebody's folder", async () => {
    const folder = join(scratch, 'lone')
    await mkdir(folder, { mode: 0o755 })
    await writeFile(join(folder, 'ca.key'), 'mine')
    expectFailure(await szmq('pki', 'init', '--folder', folder), 1, /ca\.key is there without its ca\.pem/)
    await rm(join(folder, 'ca.key'))
    await writeFile(join(folder, 'notes.txt'), '')
    expect((await szmq('pki', 'init', '--folder', folder)).out).toMatch(/\n! .*others may look into it/)
    expect(await modeOf(folder)).toBe('755')
    expect(await modeOf(folder, 'ca.key')).toBe('600')
  })

  it.each(['', ' ', 'x'.repeat(65), 'a\nb', 'a\u0000b'])('refuses the CA name %j', async (name) => {
    expectFailure(await szmq('pki', 'init', '--folder', join(scratch, 'bad-name'), '--name', name), 2, /cannot name a CA/)
  })
})

describe('szmq pki issue', () => {
  let folder: string
  beforeAll(async () => {
    folder = await newPki()
  })

  it('never replaces a certificate or key, unless told to', async () => {
    const { certFile, keyFile } = filesOf(folder, 'kept')
    await szmq('pki', 'issue', 'kept', '--folder', folder)
    const before = await readFile(certFile, 'utf8')
    expectFailure(
      await szmq('pki', 'issue', 'kept', '--folder', folder),
      1,
      /kept\.pem exists \(valid until .*\): give --force/,
    )
    expect(await readFile(certFile, 'utf8')).toBe(before)
    await rm(certFile)
    expectFailure(await szmq('pki', 'issue', 'kept', '--folder', folder), 1, /kept\.key is there without .*kept\.pem/)
    expect((await szmq('pki', 'issue', 'kept', '--folder', folder, '--force')).code).toBe(0)
    await loadCredentials(filesOf(folder, 'kept'))
    // The replaced one is still good, so it can still be revoked.
    const { certificates } = await listPki(folder)
    expect(certificates.filter(({ name }) => name === 'kept').map(({ isInPlace }) => isInPlace)).toEqual([true, false])
    expect(await modeOf(keyFile)).toBe('600')
  })

  it('does not write through a link that somebody put in its way', async () => {
    const target = join(scratch, 'target')
    await symlink(target, join(folder, 'linked.key'))
    expectFailure(await szmq('pki', 'issue', 'linked', '--folder', folder), 1, /linked\.key is there/)
    expect((await szmq('pki', 'issue', 'linked', '--folder', folder, '--force')).code).toBe(0)
    await expect(stat(target)).rejects.toMatchObject({ code: 'ENOENT' })
  })

  it.each(['', '../x', 'a/b', '/etc/x', '.hidden', '-x', 'ca', 'CA', 'x'.repeat(300), 'a\u0000b', 'a b', 'ä', 'a\u001b[31m'])(
    'refuses the name %j',
    async (name) => {
      const before = await readdir(folder)
      expectFailure(await szmq('pki', 'issue', '--folder', folder, '--', name), 2, /cannot name credentials/)
      expect(await readdir(folder)).toEqual(before)
    },
  )

  it.each([
    [['--dns', 'a b'], /is not a DNS name/],
    [['--dns', '10.0.0.1'], /is not a DNS name/],
    [['--dns', ''], /is not a DNS name/],
    [['--ip', 'node-a'], /is not an IPv4 or IPv6 address/],
    [['--uri', 'node-a'], /is not a URI/],
    [['--uri', 'spiffe://Shop/../a'], /is not a SPIFFE ID/],
    [['--days', '0'], /--days.*whole number of days from 1/],
    [['--days', '1e9'], /--days.*whole number/],
    [['--key', 'rsa'], /--key.*ecdsa-p256, ed25519/],
    [['--usage', 'server,mail'], /--usage.*server, client/],
    [['--folder', ''], /--folder.*path of a folder/],
    [['--forse'], /unknown option '--forse' \(Did you mean --force\?\): see szmq pki issue --help/],
    [['more'], /too many arguments/],
  ])('refuses %j', async (options, text) => {
    expectFailure(await szmq('pki', 'issue', 'odd', '--folder', folder, ...options), 2, text)
  })

  it('refuses more names than anybody needs', async () => {
    const names = Array.from({ length: 101 }, (_, n) => ['--dns', `n${n}`]).flat()
    expectFailure(await szmq('pki', 'issue', 'odd', '--folder', folder, ...names), 2, /102 names are more than 100/)
  })

  it('issues to many names at once, and to one of those who want the same', async () => {
    const names = ['p', 'q', 'r', 's', 's', 's']
    const results = await Promise.all(names.map((name) => szmq('pki', 'issue', name, '--folder', folder)))
    expect(results.slice(0, 3).map(({ code }) => code)).toEqual([0, 0, 0])
    expect(results.slice(3).filter(({ code }) => code === 0).length).toBe(1)
    for (const name of ['p', 'q', 'r', 's']) await loadCredentials(filesOf(folder, name))
  })

  it('extends a folder of development credentials, and the other way round', async () => {
    const shared = join(scratch, 'shared')
    const { a } = await ensureDevelopmentCredentials({ folder: shared, names: ['a'] })
    expect((await szmq('pki', 'issue', 'b', '--folder', shared)).code).toBe(0)
    expect((await szmq('pki', 'revoke', 'a', '--folder', shared)).code).toBe(0)
    expect((await szmq('pki', 'show', '--folder', shared)).out).toMatch(/ a +revoked .*\n +b +valid/)
    const { b, c } = await ensureDevelopmentCredentials({ folder: shared, names: ['b', 'c'] })
    for (const files of [a, b, c]) await loadCredentials(files)
    expect((await listPki(shared)).certificates.map(({ name }) => name)).toEqual(['a', 'b', 'c'])
  })
})

describe('szmq pki revoke', () => {
  it('revokes by name or by the first digits of a serial number, and forgets nobody', async () => {
    const folder = await newPki()
    for (const name of ['a', 'b', 'c']) await szmq('pki', 'issue', name, '--folder', folder)
    await szmq('pki', 'issue', 'a', '--folder', folder, '--force')
    const serial = (await listPki(folder)).certificates.find(({ name }) => name === 'b')?.serialNumber ?? ''
    expect((await szmq('pki', 'revoke', 'a', '--folder', folder)).out.match(/✓ a revoked/g)).toHaveLength(2)
    expect((await szmq('pki', 'revoke', serial.slice(0, 12).toLowerCase(), '--folder', folder)).code).toBe(0)
    expect((await szmq('pki', 'revoke', '--refresh', '--folder', folder, '--days', '7')).code).toBe(0)
    const { crl, certificates } = await listPki(folder)
    expect(crl).toMatchObject({ number: 4, revoked: 3, daysLeft: 7 })
    expect(certificates.map(({ name, status }) => `${name} ${status}`)).toEqual([
      'a revoked',
      'a revoked',
      'b revoked',
      'c valid',
    ])
    expectFailure(await szmq('pki', 'revoke', 'a', '--folder', folder), 1, /a was revoked on .* already/)
    expectFailure(await szmq('pki', 'revoke', 'nobody', '--folder', folder), 1, /no certificate named "nobody"/)
  })

  it('wants one thing to do, and a reason that there is', async () => {
    const folder = await newPki()
    expectFailure(await szmq('pki', 'revoke', '--folder', folder), 2, /nothing to revoke: give a name/)
    expectFailure(await szmq('pki', 'revoke', 'a', '--refresh', '--folder', folder), 2, /both a certificate and --refresh/)
    expectFailure(await szmq('pki', 'revoke', 'a', '--reason', 'mood', '--folder', folder), 2, /keyCompromise/)
  })

  it('does not begin a new list when the old one is lost, broken or of another CA', async () => {
    const folder = await newPki()
    const crlFile = join(folder, 'ca.crl')
    await szmq('pki', 'issue', 'a', '--folder', folder)
    await writeFile(crlFile, 'x')
    expectFailure(await szmq('pki', 'revoke', 'a', '--folder', folder), 1, /ca\.crl does not count: .* no "BEGIN X509 CRL"/)
    await copyFile(join(await newPki(), 'ca.crl'), crlFile)
    expectFailure(await szmq('pki', 'revoke', 'a', '--folder', folder), 1, /ca\.crl does not count: .*not signed by this CA/)
    expect((await szmq('pki', 'show', '--folder', folder)).out).toMatch(/CRL +none\n[^!]*\n! .*not signed by this CA/)
    await rm(crlFile)
    expectFailure(await szmq('pki', 'revoke', 'a', '--folder', folder), 1, /ca\.crl is missing: put it back/)
  })
})

describe('szmq pki show', () => {
  it('lists for people and for machines', async () => {
    const folder = await newPki()
    expect((await szmq('pki', 'show', '--folder', folder)).out).toMatch(
      /CRL +number 1, 0 revoked.*\n\n +No certificates yet: szmq pki issue NAME/,
    )
    await szmq('pki', 'issue', 'node-a', '--folder', folder, '--days', '5')
    const { out } = await szmq('pki', 'show', '--folder', folder)
    expect(out).toMatch(
      /NAME +STATUS +UNTIL +SERIAL +SHA-256\n +node-a +valid, 5 days left +\d{4}-\d\d-\d\d +[0-9A-F]{16} +([0-9A-F]{2}:?){8}\n$/,
    )
    expect(Math.max(...out.split('\n').map((line) => line.length))).toBeLessThanOrEqual(100)
    const { out: json } = await szmq('pki', 'show', '--json', '--folder', folder)
    const [line = ''] = (
      await tool('openssl', 'x509', '-in', join(folder, 'node-a.pem'), '-noout', '-serial', '-fingerprint', '-sha256')
    ).out.split('\n\n')
    const [, serialNumber, fingerprint256] = /serial=(.*)\nsha256 Fingerprint=(.*)\n/i.exec(line) ?? []
    expect(JSON.parse(json)).toMatchObject({
      ca: { name: 'szmq development CA', validity: 'valid', daysLeft: 3650 },
      crl: { number: 1, revoked: 0, daysLeft: 30 },
      certificates: [
        { name: 'node-a', status: 'valid', daysLeft: 5, serialNumber, fingerprint256, names: expect.any(Array) as unknown },
      ],
      problems: [],
    })
    const details = await szmq('pki', 'show', 'node-a', '--folder', folder)
    expect(details.out).toMatch(new RegExp(`SHA-256 +${fingerprint256 ?? '?'}`))
  })

  it('tells of any PEM file, without a PKI, and never of a key', async () => {
    const folder = await newPki()
    await szmq('pki', 'issue', 'n', '--folder', folder)
    await szmq('pki', 'revoke', 'n', '--folder', folder)
    const { keyFile, certFile, crlFile } = filesOf(folder, 'n')
    const nowhere = ['--folder', join(scratch, 'nowhere')]
    expect((await szmq('pki', 'show', certFile, ...nowhere)).out).toMatch(/^n\n +status +valid, 90 days left/)
    expect((await szmq('pki', 'show', crlFile, ...nowhere)).out).toMatch(/number +2\n.*\n +revoked +1\n/)
    const secret = (await readFile(keyFile, 'utf8')).split('\n')[1] ?? '?'
    for (const more of [[], ['--json']]) {
      const { out } = await szmq('pki', 'show', keyFile, ...nowhere, ...more)
      expect(out).toMatch(/ecdsa-p256/)
      expect(out).not.toContain(secret)
    }
    await writeFile(join(scratch, 'text.txt'), 'text')
    expectFailure(await szmq('pki', 'show', join(scratch, 'text.txt')), 1, /holds no PEM block/)
    expectFailure(await szmq('pki', 'show', scratch), 1, /is not a file/)
    expectFailure(await szmq('pki', 'show', '/dev/zero'), 1, /is not a file/)
    expectFailure(
      await szmq('pki', 'show', 'nobody', '--folder', folder),
      1,
      /no certificate of this name, and there is no file "nobody"/,
    )
  })

  it('gives a certificate no power over the terminal', async () => {
    const hostile = await createDevelopmentCa({ name: 'a\u001b[2J\nCA ok\u202e' })
    await writeFile(join(scratch, 'hostile.pem'), hostile.certificatePem)
    const { out } = await szmq('pki', 'show', join(scratch, 'hostile.pem'))
    // oxlint-disable-next-line no-control-regex -- these must not come out
    expect(out).not.toMatch(/[\u001b\u202e]|^CA ok/m)
    expect(out).toContain('status')
  })

  it('goes on when one file is broken, and names it', async () => {
    const folder = await newPki()
    await szmq('pki', 'issue', 'good', '--folder', folder)
    await writeFile(join(folder, 'broken.pem'), '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n')
    const { code, out } = await szmq('pki', 'show', '--folder', folder)
    expect(code).toBe(0)
    expect(out).toMatch(/good +valid[^!]*\n! .*broken\.pem is no readable certificate/)
  })
})

describe('a CA that cannot sign', () => {
  it.each(['issue', 'revoke'])('is named by %s, with what to do', async (verb) => {
    const go = (folder: string): Promise<Ran> => szmq('pki', verb, 'n', '--folder', folder)
    expectFailure(
      await go(join(scratch, 'nowhere')),
      1,
      /there is no PKI in .*nowhere \(no ca\.pem\): make one with "szmq pki init"/,
    )
    await expect(stat(join(scratch, 'nowhere'))).rejects.toMatchObject({ code: 'ENOENT' })

    const folder = await newPki()
    const other = await newPki('--key', 'ed25519')
    const [pem, key] = [join(folder, 'ca.pem'), join(folder, 'ca.key')]
    const good = await readFile(pem)
    await copyFile(join(other, 'ca.key'), key)
    expectFailure(await go(folder), 1, /ca\.pem and .*ca\.key cannot be used: .*does not belong to its certificate/)
    await writeFile(key, 'x')
    expectFailure(await go(folder), 1, /private key is unreadable/)
    await rm(key)
    expectFailure(await go(folder), 1, /ca\.key is missing: put the CA's key back/)
    await writeFile(pem, 'x')
    expectFailure(await go(folder), 1, /ca\.pem is no readable certificate/)
    await writeFile(pem, Buffer.alloc(100_000, 'x'))
    expectFailure(await go(folder), 1, /ca\.pem is larger than 65536 bytes/)
    await writeFile(pem, good)

    const yesterday = new Date(Date.now() - 86_400_000)
    const old = await createDevelopmentCa({ name: 'old', notBefore: new Date(0), notAfter: yesterday })
    await writeFile(pem, old.certificatePem)
    await writeFile(key, old.privateKeyPem)
    expectFailure(
      await go(folder),
      1,
      /the CA "old" in .* expired on \d{4}-\d\d-\d\d: make a new one with "szmq pki init --force"/,
    )
    expect((await szmq('pki', 'show', '--folder', folder)).out).toMatch(/CA +old, ecdsa-p256, expired /)
  })
})

describe('a folder that cannot be used', () => {
  it('is named, when it is a file', async () => {
    const file = join(scratch, 'file')
    await writeFile(file, '')
    for (const verb of [['init'], ['issue', 'a'], ['show'], ['revoke', 'a']]) {
      expectFailure(await szmq('pki', ...verb, '--folder', file), 1, /the folder .*file cannot be used \(E/)
    }
  })

  it('is named, when it may not be written', async () => {
    const folder = await newPki()
    await chmod(folder, 0o555)
    await chmod(join(folder, 'ca.key'), 0o444)
    await asNobody(async () => {
      expectFailure(await szmq('pki', 'issue', 'a', '--folder', folder), 1, /cannot be used \(EACCES.*: make it yours to write/)
      expectFailure(await szmq('pki', 'init', '--folder', join(folder, 'deeper')), 1, /cannot be used \(EACCES/)
    })
  })
})

describe('help', () => {
  it.each([[[]], [['pki']], [['pki', 'init']], [['pki', 'issue']], [['pki', 'show']], [['pki', 'revoke']]])(
    'of szmq %j has an example',
    async (command) => {
      const { code, out, err } = await szmq(...command, '--help')
      expect({ code, err }).toEqual({ code: 0, err: '' })
      expect(out).toMatch(/\nExample:\n {2}szmq pki /)
    },
  )

  it('is what a command without a verb gets, as wrong use', async () => {
    for (const command of [[], ['pki']]) {
      const { code, out, err } = await szmq(...command)
      expect({ code, out }).toEqual({ code: 2, out: '' })
      expect(err).toMatch(/^Usage: szmq/)
    }
  })
})

/** As a user who owns nothing: as root, permissions would stop nobody. */
async function asNobody(work: () => Promise<void>): Promise<void> {
  if (process.geteuid?.() !== 0) return work()
  process.seteuid?.(65_534)
  try {
    await work()
  } finally {
    process.seteuid?.(0)
  }
}
