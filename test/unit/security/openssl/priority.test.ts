import { execFile } from 'node:child_process'
import { constants, webcrypto } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { Duplex } from 'node:stream'
import { connect, createSecureContext, TLSSocket, type SecureContextOptions } from 'node:tls'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, it } from 'vitest'
import { findSecurityLevel, isOpensslAtLeast } from '../../../../src/security/openssl/priority-level.ts'
import { canOffer } from '../../../../src/security/openssl/priority-problems.ts'
import { fateOf } from '../../../../src/security/openssl/priority-specials.ts'
import {
  OPENSSL_CIPHERS,
  OPENSSL_GROUPS,
  OPENSSL_KEY_EXCHANGES,
  OPENSSL_MACS,
  OPENSSL_SIGNATURES,
  OPENSSL_SUITES,
} from '../../../../src/security/openssl/priority-tables.ts'
import { defaultOpensslPriority, toOpensslOptions, type OpensslOptions } from '../../../../src/security/openssl/priority.ts'
import { loadX509 } from '../../../../src/security/pki/x509.driver.ts'
import { PROFILES } from '../../../../src/security/priority/priority-keywords.ts'
import { SPECIALS } from '../../../../src/security/priority/priority-specials.ts'
import { DEFAULT_PRIORITY, parsePriority } from '../../../../src/security/priority/priority.ts'
import { SzmqError } from '../../../../src/shared/errors.ts'

const run = promisify(execFile)
const HERE = process.versions.openssl
const hasHybridGroups = isOpensslAtLeast(HERE, 3, 5)

function translate(text: string, opensslVersion = '3.0.19'): OpensslOptions {
  return toOpensslOptions(parsePriority(text), opensslVersion)
}

function refusal(text: string, opensslVersion?: string): string {
  try {
    translate(text, opensslVersion)
  } catch (error) {
    if (error instanceof SzmqError && error.code === 'ERR_SZMQ_INVALID_ARGUMENT') return error.message
    throw error
  }
  throw new Error(`${text} was accepted`)
}

describe('a priority in the words of OpenSSL', () => {
  it.each([
    ['NORMAL', 'TLSv1.2', 'TLSv1.3'],
    ['NORMAL:-VERS-TLS1.3', 'TLSv1.2', 'TLSv1.2'],
    ['NORMAL:-VERS-ALL:+VERS-TLS1.3', 'TLSv1.3', 'TLSv1.3'],
    ['SUITEB128', 'TLSv1.2', 'TLSv1.2'],
    ['NORMAL:-KX-ALL', 'TLSv1.3', 'TLSv1.3'],
    ['NORMAL:-MAC-ALL:+SHA1', 'TLSv1.2', 'TLSv1.2'],
  ])('%s speaks %s to %s: a version without a suite is off', (text, minVersion, maxVersion) => {
    expect(translate(text)).toMatchObject({ minVersion, maxVersion })
  })

  it('keeps the order of suites, groups and signatures', () => {
    expect(translate('NORMAL:-CIPHER-ALL:+CHACHA20-POLY1305:+AES-128-GCM:-KX-ALL:+ECDHE-RSA:+RSA').ciphers).toBe(
      'TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256:ECDHE-RSA-CHACHA20-POLY1305:ECDHE-RSA-AES128-GCM-SHA256:AES128-GCM-SHA256',
    )
    expect(translate('NORMAL:-GROUP-ALL:+GROUP-X25519:+GROUP-FFDHE2048:+GROUP-SECP256R1').groups).toBe('X25519:ffdhe2048:P-256')
    expect(translate('NORMAL:-SIGN-ALL:+SIGN-EDDSA-ED25519:+SIGN-ECDSA-SHA256:+SIGN-ECDSA-SECP256R1-SHA256').sigalgs).toBe(
      'ed25519:ecdsa_secp256r1_sha256',
    )
  })

  it('asks for DH parameters exactly when DHE is among the suites of TLS 1.2', () => {
    expect(translate('PFS').dhparam).toBe('auto')
    expect(translate('PFS:-DHE-RSA').dhparam).toBeUndefined()
    expect(translate('PFS:-VERS-ALL:+VERS-TLS1.3').dhparam).toBeUndefined()
  })

  it('offers static RSA when the string or its keyword has it', () => {
    const hasRsa = (text: string) => translate(text).ciphers.split(':').includes('AES256-GCM-SHA384')
    expect([hasRsa('NORMAL'), hasRsa('PFS:+RSA')]).toEqual([true, true])
    expect([hasRsa('PFS'), hasRsa('NORMAL:-RSA'), hasRsa('SECURE256'), hasRsa(DEFAULT_PRIORITY)]).toEqual([
      false,
      false,
      false,
      false,
    ])
  })

  it('says %SERVER_PRECEDENCE, %NO_ETM and tickets', () => {
    expect(translate('NORMAL')).toMatchObject({ honorCipherOrder: false, secureOptions: 0 })
    expect(translate('NORMAL:%SERVER_PRECEDENCE:%SAFE_RENEGOTIATION')).toMatchObject({
      honorCipherOrder: true,
      secureOptions: 0,
    })
    expect(translate('NORMAL:%NO_ETM:%NO_TICKETS').secureOptions).toBe(
      constants.SSL_OP_NO_ENCRYPT_THEN_MAC | constants.SSL_OP_NO_TICKET,
    )
    expect(translate('PFS').secureOptions).toBe(constants.SSL_OP_NO_TICKET)
    expect(translate('PFS:-VERS-ALL:+VERS-TLS1.3').secureOptions).toBe(0)
  })

  it('holds a profile by the security level, and never goes below what OpenSSL does by itself', () => {
    const level = (text: string, version?: string) => /@SECLEVEL=(\d)$/.exec(translate(text, version).ciphers)?.[1]
    expect(level('NORMAL')).toBeUndefined()
    expect(level('NORMAL:%PROFILE_VERY_WEAK')).toBeUndefined()
    expect(level('NORMAL:%PROFILE_MEDIUM')).toBe('2')
    expect(level('NORMAL:%PROFILE_MEDIUM', '3.5.8')).toBeUndefined()
    expect([level('SECURE256'), level('SUITEB128'), level('SUITEB192')]).toEqual(['3', '3', '4'])
  })

  it('marks two key shares where a hybrid group is in front', () => {
    const groups = (text: string) => translate(`NORMAL:-GROUP-ALL:${text}`, '3.5.8').groups
    expect(groups('+GROUP-X25519-MLKEM768:+GROUP-X25519:+GROUP-SECP256R1')).toBe('*X25519MLKEM768:*X25519:P-256')
    expect(groups('+GROUP-X25519:+GROUP-X25519-MLKEM768')).toBe('X25519:X25519MLKEM768')
  })

  it.each([
    ['NORMAL:+SRP', '"+SRP" at character 8'],
    ['NORMAL:+ANON-ECDH', '"+ANON-ECDH" at character 8'],
    ['NORMAL:+ANON-DH', '"+ANON-DH" at character 8'],
    ['NORMAL:+DHE-DSS', '"+DHE-DSS" at character 8'],
    ['NORMAL:+CTYPE-SRV-RAWPK', '"+CTYPE-SRV-RAWPK" at character 8'],
    ['NORMAL:+CTYPE-ALL', '"+CTYPE-ALL" at character 8'],
    ['NORMAL:+GOST', '"+GOST" at character 8'],
    ['NORMAL:+3DES-CBC', '"+3DES-CBC" at character 8'],
    ['NORMAL:+NULL', '"+NULL" at character 8'],
    ['NORMAL:+CAMELLIA-256-GCM', '"+CAMELLIA-256-GCM" at character 8'],
    ['NORMAL:+MD5', '"+MD5" at character 8'],
    ['NORMAL:+SIGN-RSA-SHA1', '"+SIGN-RSA-SHA1" at character 8'],
    ['NORMAL:+GROUP-SECP192R1', '"+GROUP-SECP192R1" at character 8'],
    ['NORMAL:+VERS-TLS1.1', '"+VERS-TLS1.1" at character 8'],
    ['NORMAL:%COMPAT', '"%COMPAT" at character 8'],
    ['NORMAL:%DISABLE_TLS13_COMPAT_MODE', '"%DISABLE_TLS13_COMPAT_MODE" at character 8'],
    ['NORMAL:%UNSAFE_RENEGOTIATION', '"%UNSAFE_RENEGOTIATION" at character 8'],
    ['SECURE256:+RSA', '"+RSA" at character 11'],
    ['NORMAL:-VERS-TLS1.3:+GROUP-FFDHE3072', '"+GROUP-FFDHE3072" at character 21'],
  ])('%s is refused by its token, with a word on the gnutls engine', (text, place) => {
    expect(refusal(text)).toContain(`priority token ${place}`)
    expect(refusal(text)).toContain('gnutls engine')
  })

  it.each([
    ['NORMAL:+GROUP-X25519-MLKEM768', 'OpenSSL has it from 3.5 on, this is 3.0.19'],
    ['NORMAL:+SIGN-ML-DSA-65', 'OpenSSL has it from 3.5 on'],
    ['NORMAL:+VERS-TLS1.3:+RSA-PSK', 'key exchange RSA-PSK cannot be had with it'],
    ['NORMAL:+VERS-DTLS1.2', 'never DTLS'],
    ['NORMAL:+VERS-TLS1.3:-MAC-ALL:+SHA1', 'nothing else here goes with TLS1.3'],
    ['NORMAL:-GROUP-ALL', 'leaves no group that OpenSSL offers at security level 1'],
    ['NORMAL:-SIGN-ALL', 'neither TLS 1.3 nor TLS 1.2'],
    ['NORMAL:-VERS-TLS1.2', 'neither TLS 1.3 nor TLS 1.2'],
    ['NORMAL:-VERS-TLS1.3:-KX-ALL:+PSK:%PROFILE_HIGH', '"+PSK"'],
    ['SUITEB128:%PROFILE_FUTURE', 'leaves no group that OpenSSL offers at security level 5'],
    ['SUITEB128:+GROUP-SECP521R1:%PROFILE_FUTURE', 'leaves no signature algorithm that OpenSSL offers at security level 5'],
    [
      'NORMAL:-CIPHER-ALL:+CIPHER-ALL:-AES-256-GCM:-CHACHA20-POLY1305:-AES-256-CCM:-AES-256-CBC:%PROFILE_ULTRA',
      'leaves no cipher suite',
    ],
  ])('%s is refused: %s', (text, part) => {
    expect(refusal(text)).toContain(part)
  })

  it('needs no group for static RSA', () => {
    expect(translate('NORMAL:-KX-ALL:+RSA:-VERS-TLS1.3:-GROUP-ALL').groups).toBeUndefined()
  })
})

describe('the tables', () => {
  it('hold names that this OpenSSL takes', () => {
    const isHere = ({ since }: { readonly since?: string }) => since === undefined || hasHybridGroups
    for (const suite of Object.values(OPENSSL_SUITES)) createSecureContext({ ciphers: suite })
    for (const group of Object.values(OPENSSL_GROUPS).filter(isHere)) createSecureContext({ ecdhCurve: group.name })
    for (const signature of Object.values(OPENSSL_SIGNATURES).filter(isHere)) createSecureContext({ sigalgs: signature.name })
  })

  it('count strength as OpenSSL does at each level (openssl ciphers -s)', async () => {
    const text = 'NORMAL:+CAMELLIA-256-CBC:+CAMELLIA-128-CBC:+SHA256:+SHA384:+PSK:+DHE-PSK:+ECDHE-PSK'
    const suites = parsePriority(`${text}:-VERS-TLS1.3`).suites.filter(({ name }) => name in OPENSSL_SUITES)
    const names = suites.map(({ name }) => OPENSSL_SUITES[name])
    expect(names.length).toBeGreaterThan(60)
    for (const profile of PROFILES) {
      const level = findSecurityLevel(profile, '3.0.19')
      const { stdout } = await run('openssl', [
        'ciphers',
        '-s',
        '-tls1_2',
        '-psk',
        `${names.join(':')}:@SECLEVEL=${level.level}`,
      ])
      const ours = suites.filter((suite) => canOffer(suite, level)).map(({ name }) => OPENSSL_SUITES[name])
      const theirs = stdout
        .trim()
        .split(':')
        .filter((name) => !name.startsWith('TLS_'))
      expect({ profile, suites: ours }).toEqual({ profile, suites: theirs })
    }
  })
})

describe('docs/priority.md', () => {
  /** The cells of each table row whose first cell is a name in code. */
  const rows = readFileSync(new URL('../../../../docs/priority.md', import.meta.url), 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim().replaceAll('`', '')),
    )
  const rowsOf = (prefix: string) =>
    rows.filter(([name]) => name?.startsWith(prefix)).map(([name = '', ...cells]) => [name, ...cells])

  it('has the groups of the table', () => {
    const expected = Object.entries(OPENSSL_GROUPS).map(([group, { name, bits, versions, since = '3.0' }]) => {
      return [`GROUP-${group}`, name, String(bits), versions.map((version) => version.replace('TLS', '')).join(', '), since]
    })
    expect(new Set(rowsOf('GROUP-'))).toEqual(new Set(expected))
  })

  it('has the versions', () => {
    const expected = [translate('NORMAL').maxVersion, translate('NORMAL').minVersion]
    expect(rowsOf('VERS-').map(([, name]) => name)).toEqual(expected)
  })

  it('has the signature algorithms of the table', () => {
    const expected = Object.entries(OPENSSL_SIGNATURES).map(([signature, { name, bits, since = '3.0' }]) => {
      return [`SIGN-${signature}`, name, String(bits), since]
    })
    expect(new Set(rowsOf('SIGN-'))).toEqual(new Set(expected))
  })

  it('has every switch that is no error', () => {
    const expected = SPECIALS.filter((special) => fateOf(special) !== 'cannot').map((special) => `%${special}`)
    const written = rowsOf('%')
      .map(([name]) => name)
      .filter((name) => name !== '%X')
    expect(new Set(written)).toEqual(new Set(expected))
    const level = Object.fromEntries(
      rowsOf('%PROFILE').map(([name, text]) => [name, Number(/^level (\d)/.exec(text ?? '')?.[1] ?? 0)]),
    )
    for (const profile of PROFILES.slice(3))
      expect(findSecurityLevel(profile, '3.0.19').level).toBe(level[`%PROFILE_${profile}`])
  })

  it('names the ciphers, MACs and key exchanges that are no error, in order', () => {
    const text = readFileSync(new URL('../../../../docs/priority.md', import.meta.url), 'utf8')
    for (const table of [OPENSSL_CIPHERS, OPENSSL_MACS]) expect(text).toContain(`\`${Object.keys(table).join(' ')}\``)
    for (const keyExchange of Object.keys(OPENSSL_KEY_EXCHANGES))
      expect(text).toMatch(new RegExp(`[` + '`' + ` ]${keyExchange}[` + '`' + ` ]`))
  })
})

interface Identity {
  readonly cert: string
  readonly key: string
}

const KEYS = {
  rsa: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-384', modulusLength: 3072, publicExponent: new Uint8Array([1, 0, 1]) },
  ecdsa: { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' },
} as const

async function createIdentity(kind: keyof typeof KEYS): Promise<Identity> {
  const x509 = loadX509()
  const keys = (await webcrypto.subtle.generateKey(KEYS[kind], true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: `CN=${kind}`,
    keys,
    signingAlgorithm: KEYS[kind],
    notBefore: new Date(Date.now() - 60_000),
    notAfter: new Date(Date.now() + 3_600_000),
  })
  const key = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64')
  return { cert: certificate.toString('pem'), key: `-----BEGIN PRIVATE KEY-----\n${key}\n-----END PRIVATE KEY-----\n` }
}

interface Outcome {
  readonly version: string | null
  readonly cipher: string
  /** Of the ephemeral key, as the client sees it. */
  readonly key: string
  readonly sigalgs: readonly string[]
}

function toContext(text: string, role: 'client' | 'server'): SecureContextOptions {
  const { groups, dhparam, ...options } = translate(text, HERE)
  const dh = role === 'server' && dhparam !== undefined ? { dhparam } : {}
  return { ...options, ...dh, ...(groups === undefined ? {} : { ecdhCurve: groups }) }
}

interface Sides {
  readonly client: string
  readonly server: string
  readonly identity: Identity | undefined
  readonly psk?: Buffer
}

/** One real handshake over a Duplex in memory. Rejects with the first error of either side. */
async function shakeHands({ client, server, identity, psk }: Sides): Promise<Outcome> {
  const [near, far] = pair()
  const pskClient = psk === undefined ? {} : { pskCallback: () => ({ psk, identity: 'node' }) }
  const pskServer = psk === undefined ? {} : { pskCallback: () => psk }
  const serverContext = createSecureContext({ ...toContext(server, 'server'), ...identity })
  const serverOptions = { isServer: true, secureContext: serverContext, ...pskServer }
  const accepted = new TLSSocket(far, serverOptions)
  const connected = connect({
    socket: near,
    secureContext: createSecureContext(toContext(client, 'client')),
    rejectUnauthorized: false,
    checkServerIdentity: () => undefined,
    ...pskClient,
  })
  try {
    const done = [connected, accepted].map(
      (socket) =>
        new Promise<void>((resolve, reject) => {
          socket.on('error', reject)
          socket.on('_tlsError', reject)
          socket.on('secure', () => {
            resolve()
          })
        }),
    )
    await Promise.all(done)
    const info: object | null = connected.getEphemeralKeyInfo()
    const { type, name, size }: { type?: string; name?: string; size?: number } = info ?? {}
    return {
      version: connected.getProtocol(),
      cipher: connected.getCipher().name,
      key: type === 'DH' ? `DH ${size}` : (name ?? 'none'),
      sigalgs: accepted.getSharedSigalgs(),
    }
  } finally {
    accepted.destroy()
    connected.destroy()
  }
}

function pair(): readonly [Duplex, Duplex] {
  const near: Duplex = new Duplex({ read: () => {}, write: (chunk, _encoding, done) => done(void far.push(chunk)) })
  const far: Duplex = new Duplex({ read: () => {}, write: (chunk, _encoding, done) => done(void near.push(chunk)) })
  return [near, far]
}

describe('a handshake of node:tls', () => {
  let rsa: Identity
  let ecdsa: Identity
  beforeAll(async () => {
    rsa = await createIdentity('rsa')
    ecdsa = await createIdentity('ecdsa')
  })

  const TLS12 = 'NORMAL:-VERS-ALL:+VERS-TLS1.2'
  const TLS13 = 'NORMAL:-VERS-ALL:+VERS-TLS1.3'
  it.each([
    [`${TLS12}:-KX-ALL:+DHE-RSA`, 'rsa', 'TLSv1.2', 'DHE-RSA-AES256-GCM-SHA384', /^DH (2048|3072)$/],
    [`${TLS12}:-KX-ALL:+RSA`, 'rsa', 'TLSv1.2', 'AES256-GCM-SHA384', /^none$/],
    [
      `${TLS12}:+ECDHE-ECDSA:-CIPHER-ALL:+CHACHA20-POLY1305`,
      'ecdsa',
      'TLSv1.2',
      'ECDHE-ECDSA-CHACHA20-POLY1305',
      /^prime256v1$/,
    ],
    [`${TLS12}:-CIPHER-ALL:+AES-128-CBC:-MAC-ALL:+SHA256`, 'rsa', 'TLSv1.2', 'ECDHE-RSA-AES128-SHA256', /^prime256v1$/],
    [
      `${TLS12}:+CAMELLIA-128-CBC:-KX-ALL:+ECDHE-RSA:-CIPHER-ALL:+CAMELLIA-128-CBC:+SHA256`,
      'rsa',
      'TLSv1.2',
      'ECDHE-RSA-CAMELLIA128-SHA256',
      /^prime256v1$/,
    ],
    [`${TLS13}:-GROUP-ALL:+GROUP-FFDHE2048`, 'ecdsa', 'TLSv1.3', 'TLS_AES_256_GCM_SHA384', /^DH 2048$/],
    [`${TLS13}:-GROUP-ALL:+GROUP-X25519:-CIPHER-ALL:+AES-128-CCM`, 'rsa', 'TLSv1.3', 'TLS_AES_128_CCM_SHA256', /^X25519$/],
    [
      `${TLS13}:-CURVE-ALL:+CURVE-SECP384R1:-CIPHER-ALL:+CHACHA20-POLY1305`,
      'ecdsa',
      'TLSv1.3',
      'TLS_CHACHA20_POLY1305_SHA256',
      /^secp384r1$/,
    ],
    [`${TLS13}:%PROFILE_HIGH`, 'ecdsa', 'TLSv1.3', 'TLS_AES_256_GCM_SHA384', /^prime256v1$/],
    ['SECURE256', 'rsa', 'TLSv1.3', 'TLS_AES_256_GCM_SHA384', /^secp384r1$/],
    ['SUITEB128', 'ecdsa', 'TLSv1.2', 'ECDHE-ECDSA-AES256-GCM-SHA384', /^prime256v1$/],
    ['PFS:-VERS-TLS1.3', 'rsa', 'TLSv1.2', 'ECDHE-RSA-AES256-GCM-SHA384', /^prime256v1$/],
    [DEFAULT_PRIORITY, 'ecdsa', 'TLSv1.3', 'TLS_AES_256_GCM_SHA384', /^X25519$/],
  ] as const)('under %s with a certificate of %s ends in %s with %s', async (text, kind, version, cipher, key) => {
    const outcome = await shakeHands({ client: text, server: text, identity: kind === 'rsa' ? rsa : ecdsa })
    expect(outcome).toMatchObject({ version, cipher })
    expect(outcome.key).toMatch(key)
  })

  it('by PSK needs no certificate', async () => {
    const text = `${TLS12}:-KX-ALL:+PSK`
    const outcome = await shakeHands({ client: text, server: text, identity: undefined, psk: Buffer.alloc(32, 7) })
    expect(outcome).toMatchObject({ version: 'TLSv1.2', cipher: 'PSK-AES256-GCM-SHA384' })
  })

  it('follows the order of the client, and of the server with %SERVER_PRECEDENCE', async () => {
    const agree = async (server: string) => (await shakeHands({ client: 'NORMAL', server, identity: ecdsa })).cipher
    expect(await agree('PERFORMANCE')).toBe('TLS_AES_256_GCM_SHA384')
    expect(await agree('PERFORMANCE:%SERVER_PRECEDENCE')).toBe('TLS_AES_128_GCM_SHA256')
  })

  it('offers the signature algorithms of the string', async () => {
    const client = `${TLS13}:-SIGN-ALL:+SIGN-RSA-PSS-RSAE-SHA512:+SIGN-RSA-PSS-RSAE-SHA384`
    const { sigalgs } = await shakeHands({ client, server: 'NORMAL', identity: rsa })
    expect(sigalgs).toEqual(['RSA-PSS+SHA512', 'RSA-PSS+SHA384'])
  })

  it.each([
    [TLS13, TLS12],
    [`${TLS12}:-KX-ALL:+RSA`, 'PFS'],
    [`${TLS13}:-GROUP-ALL:+GROUP-X25519`, `${TLS13}:-GROUP-ALL:+GROUP-SECP256R1`],
    [`${TLS13}:-CIPHER-ALL:+AES-128-GCM`, 'SECURE256'],
  ])('fails between %s and %s', async (client, server) => {
    await expect(shakeHands({ client, server, identity: rsa })).rejects.toThrow(/SSL|alert/)
  })

  it.runIf(hasHybridGroups)('agrees on X25519MLKEM768 by default where OpenSSL has it', async () => {
    const text = defaultOpensslPriority(HERE)
    expect(translate(text, HERE).groups).toBe('*X25519MLKEM768:*X25519:P-256:P-384:P-521:X448')
    const strict = `${TLS13}:-GROUP-ALL:+GROUP-X25519-MLKEM768`
    const { version } = await shakeHands({ client: text, server: strict, identity: ecdsa })
    expect(version).toBe('TLSv1.3')
    await expect(shakeHands({ client: DEFAULT_PRIORITY, server: strict, identity: ecdsa })).rejects.toThrow()
  })
})

describe('the default priority', () => {
  it('offers the suites that szmq offered before it had priorities, no more and no fewer', async () => {
    const before = 'TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256:ECDHE+AESGCM:ECDHE+CHACHA20'
    const offeredBefore = await readOfferedSuites({ ciphers: before, minVersion: 'TLSv1.2' })
    const offered = await readOfferedSuites(toContext(DEFAULT_PRIORITY, 'client'))
    expect(new Set(offered)).toEqual(new Set(offeredBefore))
    expect(offered.slice(0, 4)).toEqual(offeredBefore.slice(0, 4))
  })
})

/** The code points in a ClientHello (RFC 8446 §4.1.2). */
async function readOfferedSuites(options: SecureContextOptions): Promise<readonly number[]> {
  const [near, far] = pair()
  const socket = connect({ socket: near, secureContext: createSecureContext(options) })
  socket.on('error', () => {})
  const hello = await new Promise<Buffer>((resolve) => far.once('data', resolve))
  socket.destroy()
  const sessionIdAt = 5 + 4 + 2 + 32
  const suitesAt = sessionIdAt + 1 + hello.readUInt8(sessionIdAt)
  const suites = hello.subarray(suitesAt + 2, suitesAt + 2 + hello.readUInt16BE(suitesAt))
  return Array.from({ length: suites.length / 2 }, (_, index) => suites.readUInt16BE(2 * index))
}
