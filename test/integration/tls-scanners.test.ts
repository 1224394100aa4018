import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startSystem } from '../../src/index.ts'
import { createGnutlsEngineFactory } from '../../src/security/gnutls-engine.driver.ts'
import { createOpensslEngineFactory } from '../../src/security/openssl-engine.driver.ts'
import { initPki } from '../../src/security/pki/init.driver.ts'
import { issueInPki } from '../../src/security/pki/issue.driver.ts'
import { createOpensslPki } from '../contract/openssl-pki.ts'
import { filesOf } from '../support/szmq-command.ts'
import { bridgeTo, startTlsServer, type BridgedServer } from '../support/tls-server.ts'
import { runTlsTool, sslscan, testssl, TESTSSL_TIMEOUT_MS, type Finding, type ToolRun } from '../support/tls-tools.ts'

/** What standard tools find of szmq servers, through a bridge that decrypts nothing. */

type EngineName = 'openssl' | 'gnutls'
const ENGINES = ['openssl', 'gnutls'] as const
const MAKE = { openssl: createOpensslEngineFactory, gnutls: createGnutlsEngineFactory }
/** `ACCEPT`, the first inner frame: the server verified the client and lets it in (docs/wire.md). */
const ACCEPT = '\u0000\u0000\u0000\u0000\u0001'

interface Scanned {
  readonly node: BridgedServer
  /** Speaks TLS 1.2 too, asks for no certificate, so that scanners get through, and shows one of RSA. */
  readonly both: BridgedServer
  readonly nodeScan: Promise<ReadonlyMap<string, Finding>>
  readonly bothScan: Promise<ReadonlyMap<string, Finding>>
}

const open: AsyncDisposable[] = []
let folder: string
let scanned: Readonly<Record<EngineName, Scanned>>

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'szmq-scanners-'))
  await initPki({ folder })
  for (const name of ['node-a', 'node-b']) await issueInPki({ folder, name })
  await initPki({ folder: join(folder, 'strange') })
  await issueInPki({ folder: join(folder, 'strange'), name: 'stranger' })
  const [openssl, gnutls] = await Promise.all(ENGINES.map(start))
  if (openssl === undefined || gnutls === undefined) throw new Error('two engines were started')
  scanned = { openssl, gnutls }
}, 30_000)
afterAll(async () => {
  await Promise.all(open.map((each) => each[Symbol.asyncDispose]()))
  await rm(folder, { recursive: true })
}, 30_000)

async function start(engine: EngineName): Promise<Scanned> {
  const system = await startSystem({
    name: 'shop',
    onEvent: () => {},
    node: { name: 'node-a', listen: 'tcp://127.0.0.1:*', engine, tls: filesOf(folder, 'node-a') },
  })
  const node = await bridgeTo(`tcp://${new URL(system.address ?? '').host}`, () => system.stop())
  const { nodeA } = await createOpensslPki('rsa')
  const both = await startTlsServer(MAKE[engine]({ role: 'server', credentials: nodeA, clientCertificate: 'none' }))
  open.push(node, both)
  // All at once, beside the other tests: scanners wait most of their time. A test that looks at one fails as it did.
  const nodeScan = testssl(node.authority, ['-p', '-f', '-R', '-C', '-Z'])
  const bothScan = testssl(both.authority, ['-p', '-s', '-f', '-U'])
  for (const scan of [nodeScan, bothScan]) scan.catch(() => {})
  return { node, both, nodeScan, bothScan }
}

function certificateOf(name: string, where = folder): readonly string[] {
  const { certFile, keyFile } = filesOf(where, name)
  return ['-cert', certFile, '-key', keyFile]
}

function sClient(engine: EngineName, args: readonly string[], options: { until?: string } = {}): Promise<ToolRun> {
  const common = ['-connect', scanned[engine].node.authority, '-CAfile', join(folder, 'ca.pem'), '-verify_return_error']
  return runTlsTool('openssl', ['s_client', ...common, ...args], options)
}

const ALPN = ['-alpn', 'szmq-link/1']

describe.each(ENGINES)('a node (%s)', (engine) => {
  it('lets openssl s_client in by TLS 1.3, as what its certificate says', async () => {
    const asked = ['-tls1_3', '-verify_hostname', 'node-a', '-showcerts']
    const { text } = await sClient(engine, [...ALPN, ...certificateOf('node-b'), ...asked], { until: ACCEPT })
    expect(text).toContain(ACCEPT)
    expect(text).toMatch(/^Verification: OK\nVerified peername: node-a$/m)
    expect(text).toMatch(/^New, TLSv1\.3, Cipher is TLS_AES_256_GCM_SHA384$/m)
    expect(text).toMatch(/^Server Temp Key: X25519, 253 bits$/m)
    expect(text).toMatch(/^ALPN protocol: szmq-link\/1$/m)
    expect(text).toMatch(/^Compression: NONE$/m)
    expect(text).toMatch(/^Acceptable client certificate CA names\n.*CN = szmq development CA$/m)
    const [leaf, ...above] = text.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? []
    expect(leaf).toBe((await readFile(join(folder, 'node-a.pem'), 'latin1')).trim())
    // s_client shows the first one once more.
    const ca = (await readFile(join(folder, 'ca.pem'), 'latin1')).trim()
    for (const each of above) expect([leaf, ca]).toContain(each)
  })

  it('lets gnutls-cli in', async () => {
    const { certFile, keyFile, caFile } = filesOf(folder, 'node-b')
    const [host = '', port = ''] = scanned[engine].node.authority.split(':')
    const trust = ['--x509cafile', caFile, '--sni-hostname', 'node-a', '--verify-hostname', 'node-a', '--alpn', 'szmq-link/1']
    const own = ['--x509certfile', certFile, '--x509keyfile', keyFile]
    const admitted = await runTlsTool('gnutls-cli', ['-p', port, ...trust, ...own, host], { until: ACCEPT })
    expect(admitted.text).toContain(ACCEPT)
    expect(admitted.text).toContain('- Status: The certificate is trusted.')
    expect(admitted.text).toMatch(
      /^- Description: \(TLS1\.3-X\.509\)-\(ECDHE-[A-Z0-9]+\)-\(ECDSA-SECP256R1-SHA256\)-\(AES-256-GCM\)$/m,
    )
    expect(admitted.text).toContain('- Application protocol: szmq-link/1')
    const refused = await runTlsTool('gnutls-cli', ['-p', port, ...trust, host])
    expect(refused.text).toContain('*** Received alert [116]: Certificate is required')
    expect(refused.text).not.toContain(ACCEPT)
  })

  it.each([
    ['without a certificate', () => ALPN, 'SSL alert number 116'],
    [
      'with a certificate of another CA',
      () => [...ALPN, ...certificateOf('stranger', join(folder, 'strange'))],
      'SSL alert number 48',
    ],
    ['of another protocol', () => ['-alpn', 'h2', ...certificateOf('node-b')], 'SSL alert number 120'],
    ['of no protocol', () => certificateOf('node-b'), 'SSL alert number 120'],
    // GnuTLS sees no TLS 1.3 cipher in such a hello and says handshake_failure; OpenSSL says protocol_version.
    [
      'that speaks TLS 1.2 at most',
      () => [...ALPN, ...certificateOf('node-b'), '-tls1_2'],
      `SSL alert number ${engine === 'gnutls' ? 40 : 70}`,
    ],
    [
      'that speaks TLS 1.1 at most',
      () => [...ALPN, ...certificateOf('node-b'), '-tls1_1', '-cipher', 'ALL:@SECLEVEL=0'],
      'SSL alert number 70',
    ],
  ])('refuses a client %s, and says why', async (_, args, alert) => {
    const { code, text } = await sClient(engine, args())
    expect(text).toContain(alert)
    expect(text).not.toContain(ACCEPT)
    expect(code).toBe(1)
  })

  it('shows sslscan TLS 1.3 and nothing else', async () => {
    const report = await sslscan(scanned[engine].node.authority)
    expect(protocolsOf(report)).toEqual(['TLSv1.3'])
    expect(ciphersOf(report)).toEqual(TLS13_CIPHERS)
    expect(report).toContain('Session renegotiation not supported')
    expect(report).toMatch(/^Subject: +node-a\nAltnames: DNS:node-a, DNS:localhost, IP Address:127\.0\.0\.1/m)
    expect(report).toMatch(/^Issuer: +szmq development CA$/m)
  })

  it(
    'gives testssl nothing to complain about',
    async () => {
      const found = await scanned[engine].nodeScan
      expectSound(found)
      expectFindings(found, {
        TLS1_2: 'not offered',
        TLS1_3: 'offered with final',
        PFS_ciphers: 'TLS_AES_256_GCM_SHA384 TLS_CHACHA20_POLY1305_SHA256 TLS_AES_128_GCM_SHA256',
        secure_renego: 'TLS 1.3 only server',
        secure_client_renego: 'not vulnerable, TLS 1.3 only',
        fallback_SCSV: 'only TLS 1.3 supported',
      })
    },
    TESTSSL_TIMEOUT_MS,
  )
})

describe.each(ENGINES)('a server that speaks TLS 1.2 too (%s)', (engine) => {
  it.each(['RSA', 'ECDSA'] as const)('shows sslscan authenticated encryption with forward secrecy alone (%s)', async (key) => {
    const { nodeA } = await createOpensslPki(key === 'RSA' ? 'rsa' : 'ecdsa')
    await using server = await startTlsServer(MAKE[engine]({ role: 'server', credentials: nodeA, clientCertificate: 'none' }))
    const report = await sslscan(server.authority)
    expect(protocolsOf(report)).toEqual(['TLSv1.2', 'TLSv1.3'])
    const tls12 = ['AES128-GCM-SHA256', 'AES256-GCM-SHA384', 'CHACHA20-POLY1305'].map((cipher) => `ECDHE-${key}-${cipher}`)
    expect(ciphersOf(report)).toEqual([...tls12, ...TLS13_CIPHERS])
    expect(report).toContain('Session renegotiation not supported')
    expect(report).toContain('TLSv1.2 not vulnerable to heartbleed')
    expect(report).not.toMatch(/DHE 1024|SHA1|CBC/)
  })

  it(
    'gives testssl nothing to complain about',
    async () => {
      const found = await scanned[engine].bothScan
      expectSound(found)
      expectFindings(found, {
        TLS1_2: 'offered',
        TLS1_3: 'offered with final',
        secure_renego: 'supported',
        secure_client_renego: 'not vulnerable',
        fallback_SCSV: 'no protocol below TLS 1.2 offered',
        cipherlist_NULL: 'not offered',
        cipherlist_aNULL: 'not offered',
        cipherlist_EXPORT: 'not offered',
        cipherlist_LOW: 'not offered',
        cipherlist_3DES_IDEA: 'not offered',
        cipherlist_AVERAGE: 'not offered',
        cipherlist_STRONG: 'offered',
      })
      for (const id of ['POODLE_SSL', 'SWEET32', 'FREAK', 'DROWN', 'LOGJAM', 'BEAST', 'LUCKY13', 'RC4']) {
        expect(found.get(id), id).toMatchObject({ severity: 'OK' })
      }
    },
    TESTSSL_TIMEOUT_MS,
  )
})

const TLS13_CIPHERS = ['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256']

function protocolsOf(report: string): readonly string[] {
  return [...report.matchAll(/^(SSLv\d|TLSv1\.\d) +enabled$/gm)].map(([, name = '']) => name)
}

function ciphersOf(report: string): readonly string[] {
  return [...report.matchAll(/^(?:Preferred|Accepted) +TLSv1\.\d +\d+ bits +(\S+)/gm)].map(([, name = '']) => name).toSorted()
}

/** What holds for all: nothing old, forward secrecy, no finding above a note. */
function expectSound(found: ReadonlyMap<string, Finding>): void {
  const absent = Object.fromEntries(['SSLv2', 'SSLv3', 'TLS1', 'TLS1_1'].map((id) => [id, 'not offered']))
  expectFindings(found, { ...absent, PFS: 'offered', PFS_ECDHE_curves: 'prime256v1 secp384r1 secp521r1 X25519 X448' })
  expect(found.get('CRIME_TLS')).toMatchObject({ severity: 'OK' })
  // Of the scanner itself: engines that OpenSSL dropped, and that it cannot go further without our protocol or a certificate.
  const own = new Set(['engine_problem', 'optimal_proto'])
  const complaints = [...found].filter(([id, { severity }]) => !own.has(id) && !['OK', 'INFO', 'DEBUG'].includes(severity))
  expect(complaints).toEqual([])
}

function expectFindings(found: ReadonlyMap<string, Finding>, expected: Readonly<Record<string, string>>): void {
  const seen = Object.keys(expected).map((id) => [id, found.get(id)?.finding.trim()])
  expect(Object.fromEntries(seen)).toEqual(expected)
}
