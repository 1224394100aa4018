import { createPrivateKey, randomBytes } from 'node:crypto'
import { inspect } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createGnutlsEngineFactory } from '../../src/security/gnutls-engine.driver.ts'
import { ClientSessions } from '../../src/security/resumption/client-sessions.ts'
import type { Credentials } from '../../src/security/credentials/credentials.ts'
import { guardSessionStore } from '../../src/security/resumption/guarded-session-store.ts'
import { createMemorySessionStore } from '../../src/security/resumption/memory-session-store.ts'
import { createOpensslEngineFactory } from '../../src/security/openssl-engine.driver.ts'
import { PskCredentials } from '../../src/security/credentials/psk-credentials.ts'
import { RawPublicKeyCredentials } from '../../src/security/credentials/raw-public-key-credentials.ts'
import { SrpCredentials } from '../../src/security/credentials/srp-credentials.ts'
import { createTicketKeys } from '../../src/security/resumption/ticket-keys.ts'
import type { TlsEngineFactory } from '../../src/security/tls-engine.ts'
import type { TlsOptions } from '../../src/security/tls-options.ts'
import { systemClock } from '../../src/shared/system-clock.driver.ts'
import { EnginePair } from './engine-pair.ts'
import { createTestPki, type TestPki } from './test-pki.ts'

/** Every way in which bytes show up in a text. */
function spellings(secret: Uint8Array): readonly string[] {
  const start = Buffer.from(secret.subarray(0, 12))
  return [
    start.toString('hex'),
    start.toString('hex').toUpperCase(),
    start.toString('base64').slice(0, 16),
    start.toString('latin1'),
    // As `inspect` writes a Buffer and a Uint8Array.
    [...start].map((byte) => byte.toString(16).padStart(2, '0')).join(' '),
    [...start].join(', '),
    [...start].join(','),
  ]
}

const password = 'correct horse battery staple'
const pskKey = randomBytes(32)
const ticketSecret = randomBytes(32)
let pki: TestPki
let needles: readonly string[]
/** What a program would print, of everything that happens here. */
const printed: string[] = []
const restore: (() => void)[] = []

beforeAll(async () => {
  pki = await createTestPki()
  const pem = pki.nodeA.revealPrivateKeyPem()
  // Not the DER's tail: that is the public key.
  const { d } = createPrivateKey(pem).export({ format: 'jwk' })
  needles = [
    password,
    pem.split('\n')[1] ?? 'missing',
    ...spellings(pskKey),
    ...spellings(ticketSecret),
    ...spellings(Buffer.from(d ?? 'missing', 'base64url')),
  ]
  for (const stream of [process.stdout, process.stderr]) {
    const write = stream.write.bind(stream)
    stream.write = ((text: string | Uint8Array, ...rest: readonly never[]) => {
      printed.push(String(text))
      return write(text, ...rest)
    }) as typeof stream.write
    restore.push(() => {
      stream.write = write
    })
  }
})
afterAll(() => {
  for (const undo of restore) undo()
})

function expectNoSecret(...shown: readonly unknown[]): void {
  const texts = shown.flatMap((value) => [
    inspect(value, { depth: Infinity, showHidden: true, getters: true, maxArrayLength: Infinity, maxStringLength: Infinity }),
    safeJson(value),
    String(value),
  ])
  for (const text of [...texts, ...printed]) {
    for (const needle of needles)
      if (text.includes(needle)) expect.fail(`a secret shows: …${text.slice(text.indexOf(needle) - 200).slice(0, 240)}`)
  }
}

function safeJson(value: unknown): string {
  try {
    return JSON.stringify(value, (_key, inner: unknown) => (typeof inner === 'bigint' ? String(inner) : inner)) ?? ''
  } catch (cause) {
    return inspect(cause, { depth: Infinity })
  }
}

it('would be found if one showed', () => {
  for (const leak of [
    { key: pskKey },
    { deep: [{ er: Buffer.from(pskKey) }] },
    new Error(password),
    pki.nodeA.revealPrivateKeyPem(),
  ]) {
    expect(() => {
      expectNoSecret(leak)
    }).toThrow(/a secret shows/)
  }
})

const engines: readonly (readonly [string, (options: TlsOptions) => TlsEngineFactory])[] = [
  ['openssl', createOpensslEngineFactory],
  ['gnutls', createGnutlsEngineFactory],
]

describe.each(engines)('the %s engine shows no secret', (name, make) => {
  const server = (credentials: Credentials): TlsOptions => ({
    role: 'server',
    credentials: [pki.nodeB, credentials],
    resumption: {
      ticketKeys: createTicketKeys({ secret: ticketSecret }),
      store: guardSessionStore(createMemorySessionStore({ clock: systemClock }), { clock: systemClock }),
    },
  })
  const psk = PskCredentials.server({ keyOf: () => pskKey })

  async function live(client: TlsOptions, serverOptions: TlsOptions): Promise<void> {
    const pair = new EnginePair({ client: make(client), server: make(serverOptions) })
    pair.start()
    await pair.settle()
    for (const end of [pair.client, pair.server]) {
      const quiet = end.events.filter(({ kind }) => kind !== 'ciphertext')
      expectNoSecret(end.engine, quiet)
      if (end.has('secure')) end.engine.close()
    }
    await pair.settle()
    pair.destroy()
    expectNoSecret(pair.client.engine, pair.server.engine, client, serverOptions)
  }

  it('when all goes well, when a peer is refused, and when secrets do not fit', async () => {
    const sessions = new ClientSessions({ clock: systemClock })
    const client: TlsOptions = { role: 'client', credentials: pki.nodeA, serverName: 'node-b', resumption: { sessions } }
    for (let times = 0; times < 2; times++) await live(client, server(psk))
    await live({ ...client, serverName: 'node-c' }, server(psk))
    await live({ ...client, credentials: pki.expired }, server(psk))
    for (const key of [pskKey, randomBytes(32)]) {
      for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
        await live({ role: 'client', credentials: PskCredentials.client({ identity: 'till-7', key }), maxVersion }, server(psk))
      }
    }
  })

  it('when it is used wrongly', () => {
    const wrong: readonly (() => unknown)[] = [
      () => make({ role: 'client', credentials: SrpCredentials.client({ username: 'ann', password }), minVersion: 'TLSv1.3' }),
      () => make({ role: 'client', credentials: SrpCredentials.client({ username: '', password }) }),
      () => make({ role: 'client', credentials: pki.nodeA, priority: 'NONSENSE' }),
      () => make({ role: 'client', credentials: PskCredentials.client({ identity: 'a', key: pskKey.subarray(0, 15) }) }),
      () => make({ role: 'client', credentials: PskCredentials.client({ identity: 'a\0', key: pskKey }) }),
      () =>
        make({
          role: 'client',
          credentials: new RawPublicKeyCredentials({ privateKey: pki.nodeA.revealPrivateKeyPem(), trustedKeys: [] }),
        }),
    ]
    for (const action of wrong) {
      try {
        expectNoSecret(action())
        expect.unreachable(`${name} takes this`)
      } catch (error) {
        expectNoSecret(error)
      }
    }
  })
})

it('credentials and keys themselves show no secret', () => {
  const shown: readonly unknown[] = [
    pki.nodeA,
    PskCredentials.client({ identity: 'till-7', key: pskKey }),
    PskCredentials.server({ keyOf: () => pskKey }),
    SrpCredentials.client({ username: 'ann', password }),
    new RawPublicKeyCredentials({ privateKey: pki.nodeA.revealPrivateKeyPem(), trustedKeys: [publicKeyPem()] }),
    createTicketKeys({ secret: ticketSecret }),
    createTicketKeys({ secret: ticketSecret }).keysAt(1_000_000),
  ]
  expectNoSecret(...shown)
})

function publicKeyPem(): string {
  return String(pki.nodeB.certificate.publicKey.export({ type: 'spki', format: 'pem' }))
}
