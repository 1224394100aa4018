import { beforeAll, describe, expect, it } from 'vitest'
import type { TlsEngineFactory } from '../../src/security/tls-engine.ts'
import type { TlsOptions } from '../../src/security/tls-options.ts'
import type { X509Credentials } from '../../src/security/credentials/x509-credentials.ts'
import { EnginePair } from './engine-pair.ts'
import { createOpensslPki, type TestKey } from './openssl-pki.ts'

export interface TlsPrioritiesOptions {
  readonly client: (options: TlsOptions) => TlsEngineFactory
  readonly server: (options: TlsOptions) => TlsEngineFactory
}

const ONLY_1_2 = 'NORMAL:-VERS-ALL:+VERS-TLS1.2'
const ONLY_1_3 = 'NORMAL:-VERS-ALL:+VERS-TLS1.3'

interface Agreement {
  readonly key: TestKey
  readonly priority: string
  readonly version: 'TLSv1.2' | 'TLSv1.3'
  readonly suite: RegExp
  readonly group?: RegExp
}

/** What priority strings lead to: the key exchanges of the slides and of today. */
const AGREEMENTS: readonly Agreement[] = [
  { key: 'ecdsa', priority: 'NORMAL', version: 'TLSv1.3', suite: /^TLS_AES_256_GCM_SHA384$/ },
  // Its certificates must be worth 256 bits as well.
  { key: 'ecdsa-p521', priority: 'SECURE256', version: 'TLSv1.3', suite: /^TLS_(AES_256_GCM_SHA384|CHACHA20)/ },
  { key: 'rsa', priority: 'PFS', version: 'TLSv1.3', suite: /^TLS_AES/ },
  { key: 'ecdsa', priority: 'NORMAL:-VERS-TLS1.3', version: 'TLSv1.2', suite: /^TLS_ECDHE_ECDSA_WITH_/ },
  { key: 'rsa', priority: `${ONLY_1_2}:-KX-ALL:+DHE-RSA`, version: 'TLSv1.2', suite: /^TLS_DHE_RSA_WITH_/ },
  { key: 'rsa', priority: `${ONLY_1_2}:-KX-ALL:+ECDHE-RSA`, version: 'TLSv1.2', suite: /^TLS_ECDHE_RSA_WITH_/ },
  { key: 'ecdsa', priority: `${ONLY_1_2}:-KX-ALL:+ECDHE-ECDSA`, version: 'TLSv1.2', suite: /^TLS_ECDHE_ECDSA_WITH_/ },
  { key: 'rsa', priority: `${ONLY_1_2}:-KX-ALL:+RSA`, version: 'TLSv1.2', suite: /^TLS_RSA_WITH_/ },
  {
    key: 'ecdsa',
    priority: 'NORMAL:-CIPHER-ALL:+CHACHA20-POLY1305',
    version: 'TLSv1.3',
    suite: /^TLS_CHACHA20_POLY1305_SHA256$/,
  },
  {
    key: 'rsa',
    priority: `${ONLY_1_2}:-KX-ALL:+ECDHE-RSA:-CIPHER-ALL:+CHACHA20-POLY1305`,
    version: 'TLSv1.2',
    suite: /^TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305/,
  },
  { key: 'ecdsa', priority: `${ONLY_1_3}:-GROUP-ALL:+GROUP-X25519`, version: 'TLSv1.3', suite: /^TLS_/, group: /^X25519$/ },
  {
    key: 'ecdsa',
    priority: `${ONLY_1_3}:-GROUP-ALL:+GROUP-SECP384R1`,
    version: 'TLSv1.3',
    suite: /^TLS_/,
    group: /^secp384r1$/,
  },
  {
    key: 'ecdsa',
    priority: `${ONLY_1_3}:-GROUP-ALL:+GROUP-FFDHE2048`,
    version: 'TLSv1.3',
    suite: /^TLS_/,
    group: /^ffdhe2048$/,
  },
  { key: 'ed25519', priority: ONLY_1_3, version: 'TLSv1.3', suite: /^TLS_/, group: /^(X25519|prime256v1|X25519MLKEM768)$/ },
  { key: 'ed25519', priority: `${ONLY_1_3}:-SIGN-ALL:+SIGN-EDDSA-ED25519`, version: 'TLSv1.3', suite: /^TLS_/ },
]

/** One language for both engines: what a GnuTLS priority string makes them agree on. Also for two different ones. */
export function describeTlsPriorities(title: string, make: TlsPrioritiesOptions): void {
  describe(title, () => {
    const credentials = new Map<TestKey, { readonly nodeA: X509Credentials; readonly nodeB: X509Credentials }>()
    beforeAll(async () => {
      for (const key of ['rsa', 'ecdsa', 'ecdsa-p521', 'ed25519'] as const) credentials.set(key, await createOpensslPki(key))
    })

    function createPair(key: TestKey, priorities: { readonly client?: string; readonly server?: string }): EnginePair {
      const nodes = credentials.get(key)
      if (nodes === undefined) throw new Error('beforeAll has not run')
      return new EnginePair({
        client: make.client({ role: 'client', credentials: nodes.nodeA, serverName: 'node-b', priority: priorities.client }),
        server: make.server({ role: 'server', credentials: nodes.nodeB, priority: priorities.server }),
      })
    }

    for (const { key, priority, version, suite, group } of AGREEMENTS) {
      it(`agrees by "${priority}" with ${key} keys`, async () => {
        const pair = createPair(key, { client: priority, server: priority })
        pair.start()
        const all = await Promise.all([pair.client.untilSecure(), pair.server.untilSecure()])
        for (const facts of all) {
          expect(facts.version).toBe(version)
          expect(facts.cipherSuite).toMatch(suite)
          if (group !== undefined) expect(facts.group).toMatch(group)
        }
        expect(all[0].cipherSuite).toBe(all[1].cipherSuite)
        pair.client.engine.send(new Uint8Array(20_000).fill(7))
        expect((await pair.server.untilReceived(20_000)).every((byte) => byte === 7)).toBe(true)
        pair.destroy()
      })
    }

    it('takes no static RSA unless it is asked for, at either side', async () => {
      const staticRsa = `${ONLY_1_2}:-KX-ALL:+RSA`
      for (const priorities of [{ client: staticRsa }, { server: staticRsa }]) {
        const pair = createPair('rsa', priorities)
        pair.start()
        expect((await pair.server.untilFailed()).code).toBe('ERR_SZMQ_NO_SHARED_CIPHER')
        await pair.client.untilFailed()
        pair.destroy()
      }
    })

    it('finds no group, version or suite in common, and says which', async () => {
      const cases = [
        {
          client: `${ONLY_1_3}:-GROUP-ALL:+GROUP-X25519`,
          server: `${ONLY_1_3}:-GROUP-ALL:+GROUP-SECP384R1`,
          code: 'ERR_SZMQ_NO_SHARED_GROUP',
        },
        { client: ONLY_1_3, server: ONLY_1_2, code: 'ERR_SZMQ_NO_SHARED_VERSION' },
        {
          client: `${ONLY_1_3}:-CIPHER-ALL:+AES-128-GCM`,
          server: `${ONLY_1_3}:-CIPHER-ALL:+CHACHA20-POLY1305`,
          code: 'ERR_SZMQ_NO_SHARED_CIPHER',
        },
      ]
      for (const { client, server, code } of cases) {
        const pair = createPair('ecdsa', { client, server })
        pair.start()
        expect((await pair.server.untilFailed()).code).toBe(code)
        expect((await pair.client.untilFailed()).blame).toBe('peer')
        pair.destroy()
      }
    })

    it.each(['NORMAL:+NONSENSE', 'NORMALLY', '', 'NONE', 'NORMAL:-VERS-ALL'])('refuses "%s" at once', (priority) => {
      for (const role of ['client', 'server'] as const) {
        const nodes = credentials.get('ecdsa')
        if (nodes === undefined) throw new Error('beforeAll has not run')
        expect(() => make[role]({ role, credentials: nodes.nodeA, priority })).toThrow(
          expect.objectContaining({ code: 'ERR_SZMQ_INVALID_ARGUMENT' }),
        )
      }
    })
  })
}
