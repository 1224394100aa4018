import { randomBytes } from 'node:crypto'
import { inspect } from 'node:util'
import { beforeAll, describe, expect, it } from 'vitest'
import {
  createGnutlsEngineFactory,
  type GnutlsEngineOptions,
  type GnutlsTlsEngine,
} from '../../src/security/gnutls-engine.driver.ts'
import { loadGnutls } from '../../src/security/gnutls/library.driver.ts'
import { PskCredentials } from '../../src/security/credentials/psk-credentials.ts'
import { RecordSplitter } from '../../src/security/records/record.codec.ts'
import type { TlsEngine, TlsEvent } from '../../src/security/tls-engine.ts'
import type { SzmqErrorCode } from '../../src/shared/errors.ts'
import { EnginePair } from './engine-pair.ts'
import { createTestPki, type TestPki } from './test-pki.ts'
import { describeTlsEngineContract } from './tls-engine.contract.ts'

describeTlsEngineContract('gnutls to gnutls', { client: createGnutlsEngineFactory, server: createGnutlsEngineFactory })

describe('gnutls engine', () => {
  let pki: TestPki
  beforeAll(async () => {
    pki = await createTestPki()
  })

  type Given = { client?: Partial<GnutlsEngineOptions>; server?: Partial<GnutlsEngineOptions> }

  function createPair({ client, server }: Given = {}): EnginePair {
    return new EnginePair({
      client: createGnutlsEngineFactory({ role: 'client', credentials: pki.nodeA, serverName: 'node-b', ...client }),
      server: createGnutlsEngineFactory({ role: 'server', credentials: pki.nodeB, ...server }),
    })
  }

  describe('negotiation', () => {
    it('prefers TLS 1.3', async () => {
      const pair = createPair()
      await pair.handshake()
      expect((await pair.client.untilSecure()).version).toBe('TLSv1.3')
      pair.destroy()
    })

    it.each([
      ['NORMAL:-VERS-TLS1.3:-GROUP-ALL:+GROUP-SECP384R1:+GROUP-SECP256R1', 'TLSv1.2', 'secp384r1'],
      ['NORMAL:-GROUP-ALL:+GROUP-SECP256R1', 'TLSv1.3', 'prime256v1'],
      ['NORMAL:-GROUP-ALL:+GROUP-X448:+GROUP-SECP256R1', 'TLSv1.3', 'X448'],
      ['NORMAL:-GROUP-ALL:+GROUP-FFDHE3072', 'TLSv1.3', 'ffdhe3072'],
      ['SECURE128', 'TLSv1.3', 'prime256v1'],
    ])('takes the priority string %s as it is', async (priority, version, group) => {
      const pair = createPair({ client: { priority }, server: { priority } })
      await pair.handshake()
      for (const end of [pair.client, pair.server]) expect(await end.untilSecure()).toMatchObject({ version, group })
      pair.destroy()
    })

    it.each([
      ['NORMAL:-CIPHER-ALL:+CHACHA20-POLY1305', 'TLS_CHACHA20_POLY1305_SHA256'],
      ['NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+AES-128-GCM', 'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256'],
      ['NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+CHACHA20-POLY1305', 'TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256'],
    ])('names the cipher suite of %s as IANA does', async (priority, cipherSuite) => {
      const pair = createPair({ client: { priority }, server: { priority } })
      await pair.handshake()
      expect((await pair.server.untilSecure()).cipherSuite).toBe(cipherSuite)
      pair.destroy()
    })

    it('narrows a priority string by minVersion and maxVersion', async () => {
      const pair = createPair({ client: { priority: 'NORMAL', maxVersion: 'TLSv1.2' } })
      await pair.handshake()
      expect((await pair.client.untilSecure()).version).toBe('TLSv1.2')
      pair.destroy()
    })

    it('agrees on X25519MLKEM768 where the library has it', async (context) => {
      const name = loadGnutls().find('int gnutls_group_get_id(const char *name)')('X25519-MLKEM768')
      if (name === 0) context.skip(`GnuTLS ${loadGnutls().version} has no hybrid groups`)
      const priority = 'NORMAL:-GROUP-ALL:+GROUP-X25519-MLKEM768'
      const pair = createPair({ client: { priority }, server: { priority } })
      await pair.handshake()
      expect((await pair.client.untilSecure()).group).toBe('X25519MLKEM768')
      pair.destroy()
    })

    it('names a HelloRetryRequest', async () => {
      const pair = createPair({ server: { priority: 'NORMAL:-VERS-ALL:+VERS-TLS1.3:-GROUP-ALL:+GROUP-SECP384R1' } })
      await pair.handshake()
      expect(pair.client.messages('received').slice(0, 3)).toEqual(['HelloRetryRequest', 'ChangeCipherSpec', 'ServerHello'])
      expect(pair.server.messages('sent').slice(0, 3)).toEqual(['HelloRetryRequest', 'ChangeCipherSpec', 'ServerHello'])
      expect((await pair.server.untilSecure()).group).toBe('secp384r1')
      pair.destroy()
    })

    it('names each encrypted message of TLS 1.3 with its size', async () => {
      const pair = createPair()
      await pair.handshake()
      await pair.settle()
      const tickets = ['NewSessionTicket', 'NewSessionTicket']
      const seen = ['EncryptedExtensions', 'CertificateRequest', 'Certificate', 'CertificateVerify', 'Finished', ...tickets]
      expect(pair.server.messages('sent')).toEqual(['ServerHello', 'ChangeCipherSpec', ...seen])
      expect(pair.client.messages('received')).toEqual(['ServerHello', 'ChangeCipherSpec', ...seen])
      const sizes = (events: readonly TlsEvent[], direction: 'sent' | 'received'): readonly number[] =>
        events.flatMap((event) => (event.kind === 'handshake.message' && event.direction === direction ? [event.bytes] : []))
      expect(sizes(pair.server.events, 'sent')).toEqual(sizes(pair.client.events, 'received'))
      expect(sizes(pair.client.events, 'sent')).toEqual(sizes(pair.server.events, 'received'))
      // Finished: a header and an HMAC with SHA-384.
      expect(sizes(pair.server.events, 'sent').at(-3)).toBe(4 + 48)
      pair.destroy()
    })

    const mismatches: readonly (readonly [
      what: string,
      client: Partial<GnutlsEngineOptions>,
      server: Partial<GnutlsEngineOptions>,
      atServer: SzmqErrorCode,
      atClient: SzmqErrorCode,
    ])[] = [
      [
        'version',
        { minVersion: 'TLSv1.3' },
        { maxVersion: 'TLSv1.2' },
        'ERR_SZMQ_NO_SHARED_VERSION',
        'ERR_SZMQ_NO_SHARED_VERSION',
      ],
      [
        'cipher in TLS 1.2',
        { priority: 'NORMAL:-CIPHER-ALL:+AES-128-GCM', maxVersion: 'TLSv1.2' },
        { priority: 'NORMAL:-CIPHER-ALL:+AES-256-GCM' },
        'ERR_SZMQ_NO_SHARED_CIPHER',
        'ERR_SZMQ_HANDSHAKE_FAILED',
      ],
      [
        'cipher in TLS 1.3',
        { priority: 'NORMAL:-CIPHER-ALL:+AES-128-GCM', minVersion: 'TLSv1.3' },
        { priority: 'NORMAL:-CIPHER-ALL:+AES-256-GCM' },
        'ERR_SZMQ_NO_SHARED_CIPHER',
        'ERR_SZMQ_HANDSHAKE_FAILED',
      ],
      [
        'group',
        { priority: 'NORMAL:-GROUP-ALL:+GROUP-X25519', minVersion: 'TLSv1.3' },
        { priority: 'NORMAL:-GROUP-ALL:+GROUP-SECP521R1' },
        'ERR_SZMQ_NO_SHARED_GROUP',
        'ERR_SZMQ_HANDSHAKE_FAILED',
      ],
      [
        'application protocol',
        { alpn: 'szmq/1' },
        { alpn: 'szmq/2' },
        'ERR_SZMQ_PROTOCOL_MISMATCH',
        'ERR_SZMQ_PROTOCOL_MISMATCH',
      ],
    ]
    it.each(mismatches)(
      'fails on both sides when there is no %s in common',
      async (_what, client, server, atServer, atClient) => {
        const pair = createPair({ client, server })
        pair.start()
        const [serverError, clientError] = [await pair.server.untilFailed(), await pair.client.untilFailed()]
        expect([serverError.code, clientError.code], serverError.message).toEqual([atServer, atClient])
        pair.destroy()
      },
    )

    it.each(['TLSv1.2', 'TLSv1.3'] as const)('refuses a peer without the application protocol in %s', async (version) => {
      const versions = { minVersion: version, maxVersion: version }
      const atClient = createPair({ client: { alpn: 'szmq/1', ...versions } })
      atClient.start()
      expect((await atClient.client.untilFailed()).code).toBe('ERR_SZMQ_PROTOCOL_MISMATCH')
      expect((await atClient.server.untilFailed()).blame).toBe('peer')
      const atServer = createPair({ server: { alpn: 'szmq/1', ...versions } })
      atServer.start()
      expect((await atServer.server.untilFailed()).code).toBe('ERR_SZMQ_PROTOCOL_MISMATCH')
      expect((await atServer.client.untilFailed()).blame).toBe('peer')
      for (const pair of [atClient, atServer]) pair.destroy()
    })

    it.each([
      ['RSA key exchange without forward secrecy', 'NORMAL:-KX-ALL:+RSA'],
      ['CBC', 'NORMAL:-CIPHER-ALL:+AES-256-CBC'],
      ['anonymous peers', 'NORMAL:-KX-ALL:+ANON-DH:+ANON-ECDH'],
    ])('does not allow %s by default', async (_what, priority) => {
      const credentials = [pki.nodeA, { kind: 'insecureAnonymous' } as const]
      const pair = createPair({ client: { credentials, priority, maxVersion: 'TLSv1.2' } })
      pair.start()
      expect((await pair.server.untilFailed()).code).toBe('ERR_SZMQ_NO_SHARED_CIPHER')
      pair.destroy()
    })

    it('takes Diffie-Hellman parameters of the server’s own in TLS 1.2', async () => {
      const psk = { key: randomBytes(32), identity: 'a' }
      const priority = 'NORMAL:-VERS-TLS1.3:-KX-ALL:+DHE-PSK:-GROUP-DH-ALL'
      const pair = createPair({
        client: { credentials: PskCredentials.client(psk), priority },
        server: { credentials: PskCredentials.server({ keyOf: () => psk.key }), priority, dhParametersPem: DH_PARAMETERS },
      })
      await pair.handshake()
      const server = gnutlsOf(pair.server.engine)
      expect(server.gnutls.dhParameters).toBeTypeOf('bigint')
      expect((await pair.server.untilSecure()).cipherSuite).toMatch(/^TLS_DHE_PSK_WITH_/)
      expect(
        gnutlsOf(pair.client.engine).gnutls.call(
          'int gnutls_dh_get_prime_bits(gnutls_session_t session)',
          gnutlsOf(pair.client.engine).gnutls.session,
        ),
      ).toBe(2048)
      pair.destroy()
    })
  })

  describe('refusal', () => {
    it.each(['TLSv1.2', 'TLSv1.3'] as const)(
      'does not show the client certificate to an unverified server in %s',
      async (version) => {
        const pair = createPair({
          client: { minVersion: version, maxVersion: version },
          server: { credentials: pki.unknownCa },
        })
        pair.start()
        await pair.server.untilFailed()
        const splitter = new RecordSplitter()
        const records = pair.client.events.flatMap((event) =>
          event.kind === 'ciphertext' ? [...splitter.split(event.bytes)].map(({ bytes }) => bytes.length) : [],
        )
        // The ClientHello, in TLS 1.3 a ChangeCipherSpec, and an alert.
        expect(records.slice(1)).toEqual(version === 'TLSv1.2' ? [7] : [6, 24])
        pair.destroy()
      },
    )

    it('tells the peer why, in both directions', async () => {
      const atServer = createPair({ client: { credentials: pki.expired } })
      atServer.start()
      expect((await atServer.client.untilFailed()).message).toMatch(
        /certificate_expired.*\(GnuTLS: GNUTLS_A_CERTIFICATE_EXPIRED\)$/,
      )
      const atClient = createPair({ server: { credentials: pki.unknownCa } })
      atClient.start()
      expect((await atClient.server.untilFailed()).message).toMatch(/unknown_ca/)
      for (const pair of [atServer, atClient]) pair.destroy()
    })

    it('says what was seen, what was expected and what to do', async () => {
      const pair = createPair({
        client: { credentials: pki.withCrl, serverName: 'localhost' },
        server: { credentials: pki.revoked },
      })
      pair.start()
      const { message } = await pair.client.untilFailed()
      expect(message).toMatch(/"node-b" \(DNS:node-b, .*issued by "test CA"; valid \d{4}-/)
      expect(message).toMatch(/revoked it: the peer needs a new one/)
      pair.destroy()
    })
  })

  describe('options', () => {
    it.each([
      ['a priority string with a token that is none', { priority: 'NORMAL:+NONSENSE' }],
      ['versions that exclude each other', { minVersion: 'TLSv1.3', maxVersion: 'TLSv1.2' }],
      ['a name that no certificate carries', { serverName: 'node b' }],
    ] as const)('refuse %s at once', (_what, options) => {
      expect(() => createGnutlsEngineFactory({ role: 'client', credentials: pki.nodeA, ...options })).toThrow(
        expect.objectContaining({ code: 'ERR_SZMQ_INVALID_ARGUMENT' }),
      )
    })

    it('show the place where GnuTLS stopped reading a priority string', () => {
      const priority = 'SECURE256:-VERS-TLS1.2:+NONSENSE:+AES-128-GCM'
      expect(() => createGnutlsEngineFactory({ role: 'client', credentials: pki.nodeA, priority })).toThrow(
        /SECURE256:-VERS-TLS1\.2: >>> \+NONSENSE/,
      )
    })

    it('refuse DH parameters that are none', () => {
      const make = (): unknown =>
        createGnutlsEngineFactory({ role: 'server', credentials: pki.nodeB, dhParametersPem: pki.ca.certificatePem })
      expect(make).toThrow(expect.objectContaining({ code: 'ERR_SZMQ_BAD_CREDENTIALS' }))
    })
  })

  describe('the listener', () => {
    const STEPS = 40

    it('may destroy the engine, close it, or send, at any event', async () => {
      const actions: readonly ((engine: TlsEngine) => void)[] = [
        (engine) => {
          engine.destroy()
        },
        (engine) => {
          engine.close()
        },
        (engine) => {
          engine.receive(Uint8Array.of(22, 3, 3, 0, 1, 1))
        },
        (engine) => {
          try {
            engine.send(Uint8Array.of(1))
          } catch {
            // Not at each step is it allowed.
          }
        },
      ]
      for (const act of actions) {
        for (let step = 1; step <= STEPS; step++) {
          const pair = createPair()
          let heard = 0
          pair.server.onEvent = () => {
            heard += 1
            if (heard === step) act(pair.server.engine)
          }
          pair.start()
          await pair.settle()
          pair.client.engine.close()
          await pair.settle()
          expect(pair.server.count('failed')).toBeLessThanOrEqual(1)
          pair.destroy()
        }
      }
    })

    it('hears everything within the call', () => {
      const toServer: Uint8Array[] = []
      const events: string[] = []
      const client = createGnutlsEngineFactory({ role: 'client', credentials: pki.nodeA })((event) => {
        events.push(event.kind)
        if (event.kind === 'ciphertext') toServer.push(event.bytes)
      })
      client.start()
      expect(events).toEqual(['handshake.message', 'ciphertext'])
      client.destroy()
    })

    it('is not called while GnuTLS works: functions of the options may destroy the engine', async () => {
      for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
        const key = randomBytes(32)
        const pair: EnginePair = createPair({
          client: { credentials: PskCredentials.client({ identity: 'a', key }), minVersion: version, maxVersion: version },
          server: {
            credentials: PskCredentials.server({
              keyOf: () => {
                pair.server.engine.destroy()
                return key
              },
            }),
          },
        })
        pair.start()
        await pair.settle()
        expect(pair.server.has('secure')).toBe(false)
        const asked: EnginePair = createPair({
          server: {
            authorize: () => {
              asked.server.engine.destroy()
              return true
            },
            minVersion: version,
            maxVersion: version,
          },
        })
        asked.start()
        await asked.settle()
        expect(asked.server.has('secure')).toBe(false)
        for (const each of [pair, asked]) each.destroy()
      }
    })
  })

  describe('a function of the options', () => {
    it('that calls the engine back is stopped, and fails that session alone', async () => {
      const uses: readonly ((engine: TlsEngine) => unknown)[] = [
        (engine) =>
          gnutlsOf(engine).gnutls.call('int gnutls_handshake(gnutls_session_t session)', gnutlsOf(engine).gnutls.session),
        (engine) => engine.exportKeyingMaterial('EXPORTER-x', 16),
        (engine) => engine.send(Uint8Array.of(1)),
      ]
      for (const use of uses) {
        const pair: EnginePair = createPair({
          server: {
            authorize: () => {
              use(pair.server.engine)
              return true
            },
          },
        })
        pair.start()
        expect((await pair.server.untilFailed()).code).toBe('ERR_SZMQ_NOT_AUTHORIZED')
        pair.destroy()
      }
    })

    it('may hand over ciphertext: it waits its turn', async () => {
      const pair: EnginePair = createPair({
        client: {
          authorize: () => {
            pair.client.engine.receive(Uint8Array.of(23, 3, 3, 0, 1, 1))
            return true
          },
        },
      })
      pair.start()
      expect((await pair.client.untilFailed()).code).toBe('ERR_SZMQ_BAD_RECORD')
      pair.destroy()
    })
  })

  describe('rekey', () => {
    it('takes new keys in both directions, as often as it is asked, and data goes on', async () => {
      const lines: string[] = []
      const pair = createPair({ server: { insecureKeyLog: (line) => lines.push(line) } })
      await pair.handshake()
      for (let round = 1; round <= 3; round++) {
        expect(pair.client.engine.rekey()).toBe(true)
        pair.client.engine.send(Uint8Array.of(round))
        await pair.server.untilReceived(round)
        pair.server.engine.send(Uint8Array.of(round))
        await pair.client.untilReceived(round)
      }
      expect(pair.server.messages('received').filter((name) => name === 'KeyUpdate').length).toBe(3)
      expect(pair.client.messages('received').filter((name) => name === 'KeyUpdate').length).toBe(3)
      expect([...pair.server.plaintext]).toEqual([1, 2, 3])
      pair.destroy()
    })

    it('is not there in TLS 1.2', async () => {
      const pair = createPair({ client: { maxVersion: 'TLSv1.2' } })
      expect(pair.client.engine.rekey()).toBe(false)
      await pair.handshake()
      expect(pair.client.engine.rekey()).toBe(false)
      pair.destroy()
    })
  })

  describe('GnuTLS itself', () => {
    it('is within reach: any of its functions, on the live session', async () => {
      const pair = createPair()
      await pair.handshake()
      const { gnutls } = gnutlsOf(pair.client.engine)
      const { session } = gnutls
      expect(gnutls.call('size_t gnutls_record_get_max_size(gnutls_session_t session)', session)).toBe(16_384)
      const cipher: number = gnutls.call('gnutls_cipher_algorithm_t gnutls_cipher_get(gnutls_session_t session)', session)
      const name: string | null = gnutls.call('const char *gnutls_cipher_get_name(gnutls_cipher_algorithm_t algorithm)', cipher)
      expect(name).toBe('AES-256-GCM')
      const size: [number | null] = [64]
      const id = Buffer.alloc(64)
      expect(
        gnutls.call(
          'int gnutls_session_get_id(gnutls_session_t session, _Out_ void *id, _Inout_ size_t *size)',
          session,
          id,
          size,
        ),
      ).toBe(0)
      expect(size[0]).toBeGreaterThan(0)
      expect(gnutls.certificateCredentials).toBeTypeOf('bigint')
      expect(gnutls.priority).toBeTypeOf('bigint')
      expect(gnutls.pskCredentials).toBeUndefined()
      pair.destroy()
    })

    it('can be told things before the handshake, and what it writes leaves', async () => {
      const pair = createPair()
      const client = gnutlsOf(pair.client.engine)
      client.gnutls.call('void gnutls_session_set_ptr(gnutls_session_t session, void *ptr)', client.gnutls.session, 7n)
      await pair.handshake()
      expect(client.gnutls.call('void *gnutls_session_get_ptr(gnutls_session_t session)', client.gnutls.session)).toBe(7n)
      const text = Buffer.from('by hand')
      const { session } = client.gnutls
      expect(
        client.gnutls.call(
          'ssize_t gnutls_record_send(gnutls_session_t session, const void *data, size_t size)',
          session,
          text,
          7,
        ),
      ).toBe(7)
      expect(Buffer.from(await pair.server.untilReceived(7)).toString()).toBe('by hand')
      pair.destroy()
    })

    it('is out of reach after the end: a freed pointer never gets to C', async () => {
      const pair = createPair()
      await pair.handshake()
      const { gnutls } = gnutlsOf(pair.client.engine)
      const { session } = gnutls
      pair.destroy()
      for (const use of [
        () => gnutls.call('size_t gnutls_record_get_max_size(gnutls_session_t session)', session),
        () => gnutlsOf(pair.client.engine).gnutls,
      ]) {
        expect(use).toThrow(expect.objectContaining({ code: 'ERR_SZMQ_INVALID_STATE' }))
      }
    })

    it.each([
      ['void gnutls_deinit(gnutls_session_t session)'],
      ['int gnutls_no_such_function(int a)'],
      ['int system(const char *command)'],
      ['nonsense'],
    ])('does not take %s', (prototype: string) => {
      const pair = createPair()
      const { gnutls } = gnutlsOf(pair.client.engine)
      expect(() => gnutls.call(prototype, gnutls.session)).toThrow(
        expect.objectContaining({ code: 'ERR_SZMQ_INVALID_ARGUMENT' }),
      )
      pair.destroy()
    })

    it('does not take values that do not fit', () => {
      const pair = createPair()
      const { gnutls } = gnutlsOf(pair.client.engine)
      const prototype: string = 'const char *gnutls_cipher_get_name(int algorithm)'
      expect(() => gnutls.call(prototype, 'text')).toThrow(expect.objectContaining({ code: 'ERR_SZMQ_INVALID_ARGUMENT' }))
      expect(() => gnutls.call(prototype)).toThrow(expect.objectContaining({ code: 'ERR_SZMQ_INVALID_ARGUMENT' }))
      pair.destroy()
    })

    it('knows TypeScript types of what it is given', () => {
      const pair = createPair()
      const { gnutls } = gnutlsOf(pair.client.engine)
      // @ts-expect-error: a number belongs there.
      expect(() => gnutls.call('const char *gnutls_cipher_get_name(int algorithm)', 'text')).toThrow()
      pair.destroy()
    })
  })

  describe('the hot path', () => {
    it('hands out one ciphertext for one turn, and one plaintext event for each record', async () => {
      const pair = createPair()
      await pair.handshake()
      await pair.settle()
      const [before, heard] = [pair.client.count('ciphertext'), pair.server.count('plaintext')]
      for (let at = 0; at < 4; at++) pair.client.engine.send(new Uint8Array(16_000))
      await pair.server.untilReceived(64_000)
      expect(pair.client.count('ciphertext') - before).toBe(1)
      expect(pair.server.count('plaintext') - heard).toBe(4)
      pair.destroy()
    })

    it('shows no secret in any event, nor of the engine itself', async () => {
      const key = randomBytes(32)
      const pair = createPair({
        client: { credentials: PskCredentials.client({ identity: 'a', key }) },
        server: { credentials: [pki.nodeB, PskCredentials.server({ keyOf: () => key })] },
      })
      await pair.handshake()
      const secrets = [
        pki.nodeB.revealPrivateKeyPem().split('\n')[1] ?? 'missing',
        key.toString('hex'),
        inspect(key).slice(8, 60),
      ]
      for (const end of [pair.client, pair.server]) {
        const shown = inspect([end.engine, ...end.events.filter(({ kind }: TlsEvent) => kind !== 'ciphertext')], { depth: 6 })
        for (const secret of secrets) expect(shown).not.toContain(secret)
      }
      pair.destroy()
    })
  })
})

function gnutlsOf(engine: TlsEngine): GnutlsTlsEngine {
  if ('gnutls' in Object.getPrototypeOf(engine)) return engine as GnutlsTlsEngine
  throw new Error('no gnutls engine')
}

/** `certtool --get-dh-params --bits 2048`: the group of RFC 7919 appendix A.1, as PKCS #3. */
const DH_PARAMETERS = `-----BEGIN DH PARAMETERS-----
MIIBDAKCAQEA//////////+t+FRYortKmq/cViAnPTzx2LnFg84tNpWp4TZBFGQz
+8yTnc4kmz75fS/jY2MMddj2gbICrsRhetPfHtXV/WVhJDP1H18GbtCFY2VVPe0a
87VXE15/V8k1mE8McODmi3fipona8+/och3xWKE2rec1MKzKT0g6eXq8CrGCsyT7
YdEIqUuyyOP7uWrat2DX9GgdT0Kj3jlN9K5W7edjcrsZCwenyO4KbXCeAvzhzffi
7MA0BM0oNC9hkXL+nOmFg/+OTxIy7vKBg8P+OxtMb61zO7X8vC7CIAXFjvGDfRaD
ssbzSibBsu/6iGtCOGEoXJf//////////wIBAgICAQA=
-----END DH PARAMETERS-----`
