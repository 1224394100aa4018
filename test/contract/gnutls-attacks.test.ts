import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, it } from 'vitest'
import {
  createGnutlsEngineFactory,
  type GnutlsEngineFactory,
  type GnutlsEngineOptions,
  type GnutlsTlsEngine,
} from '../../src/security/gnutls-engine.driver.ts'
import { guardSessionStore } from '../../src/security/resumption/guarded-session-store.ts'
import { createMemorySessionStore } from '../../src/security/resumption/memory-session-store.ts'
import type { SessionStore } from '../../src/security/resumption/session-store.ts'
import type { TlsEngineFactory, TlsFacts } from '../../src/security/tls-engine.ts'
import { CONTENT_TYPE, RecordSplitter } from '../../src/security/records/record.codec.ts'
import { concatBytes } from '../../src/shared/bytes.ts'
import { systemClock } from '../../src/shared/system-clock.driver.ts'
import { EnginePair } from './engine-pair.ts'
import { createTestPki, type TestPki } from './test-pki.ts'

/** What was tried against the gnutls engine, and once worked. */
describe('gnutls engine under attack', () => {
  let pki: TestPki
  beforeAll(async () => {
    pki = await createTestPki()
  })

  describe('a database', () => {
    // GnuTLS reads what it wrote itself without looking twice: one wrong byte ended the process, by its own assertion or by a signal.
    it('that damages sessions costs full handshakes, not the process', async () => {
      const kept = createMemorySessionStore({ clock: systemClock })
      let damage = (session: Uint8Array): Uint8Array => session
      const store: SessionStore = {
        get: async (id) => {
          const session = await kept.get(id)
          return session === undefined ? undefined : damage(session)
        },
        set: (...args) => kept.set(...args),
        delete: (id) => kept.delete(id),
      }
      const server = make('server', {
        resumption: { ticketKeys: false, store: guardSessionStore(store, { clock: systemClock }) },
      })
      const client = make('client', { maxVersion: 'TLSv1.2' })
      await meet(client, server)
      expect((await meet(client, server)).isResumed).toBe(true)
      for (let at = 0; at < 1_000; at += 11) {
        damage = (session) => session.map((byte, index) => (index === at % session.length ? byte ^ 0x5a : byte))
        expect(await meet(client, server)).toMatchObject({ isResumed: false, peer: { subject: 'node-a' } })
      }
    })

    // Whoever is known by one session must not become another by a mix-up of rows.
    it('that answers with the session of somebody else resumes nothing', async () => {
      const sessions: Uint8Array[] = []
      const store: SessionStore = {
        get: async () => sessions[0],
        set: async (_id, session) => void sessions.push(session),
        delete: async () => {},
      }
      const server = make('server', {
        resumption: { ticketKeys: false, store: guardSessionStore(store, { clock: systemClock }) },
      })
      await meet(make('client', { maxVersion: 'TLSv1.2' }), server)
      const other = make('client', { maxVersion: 'TLSv1.2', credentials: pki.nodeB })
      for (let times = 0; times < 2; times++)
        expect(await meet(other, server)).toMatchObject({ isResumed: false, peer: { subject: 'node-b' } })
    })
  })

  describe('GnuTLS itself', () => {
    // They are variables that hold functions: called as functions they ended the process, though the manual says to free what it allocates so.
    it('allocates and frees by its own functions', () => {
      const engine = makeEngine()
      for (let times = 0; times < 2; times++) {
        const memory = engine.gnutls.call('void *gnutls_malloc(size_t size)', 64)
        expect(memory).toBeTypeOf('bigint')
        engine.gnutls.call('void gnutls_free(void *memory)', memory)
        engine.gnutls.call('void gnutls_free(gnutls_session_t memory)', null)
      }
      engine.destroy()
    })

    // The manual writes "unsigned" where it means "unsigned int", and koffi knows the latter only.
    it('is called by prototypes as they stand in the manual', () => {
      const engine = makeEngine()
      expect(engine.gnutls.call('unsigned gnutls_session_etm_status(gnutls_session_t session)', engine.gnutls.session)).toBe(0)
      engine.destroy()
    })

    // The first frees what szmq frees; the others set another transport beside szmq's own.
    it.each([
      ['void gnutls_dh_params_deinit(gnutls_dh_params_t parameters)', [0n]],
      ['void gnutls_transport_set_int2(gnutls_session_t session, int receive, int send)', [0n, 1, 1]],
    ] as const)('is not handed %s', (prototype, args) => {
      const engine = makeEngine()
      const text: string = prototype
      expect(() => engine.gnutls.call(text, ...args)).toThrow(expect.objectContaining({ code: 'ERR_SZMQ_INVALID_ARGUMENT' }))
      engine.destroy()
    })
  })

  describe('a thread that ends in the midst of GnuTLS', () => {
    // process.exit() in a function of the options freed the session that GnuTLS went on with: the whole process died by a signal.
    it('by process.exit() in a function of the options leaves the process alive', async () => {
      expect(await runChild(['keyOf', 'keyLog', 'authorize'])).toEqual({ code: 0, signal: null, complaints: '' })
    }, 30_000)
  })

  describe('a handshake message in several records', () => {
    // GnuTLS says "again" after each record, and nobody called it again: a hello of 20 kB, or a long chain of certificates, waited for ever.
    it.each(['TLSv1.2', 'TLSv1.3'] as const)('is read when all of them come at once, in %s', async (version) => {
      for (const bytes of [1, 7, 100]) {
        const pair = new EnginePair({ client: make('client', { maxVersion: version }), server: make('server', {}) })
        for (const end of [pair.client, pair.server]) end.way = (ciphertext) => [fragmentHandshake(ciphertext, bytes)]
        await pair.handshake()
        await pair.settle()
        pair.destroy()
      }
    })
  })

  describe('a call at the end of the stack', () => {
    // A callback that cannot begin has no result: GnuTLS took what lay there for one and read for ever, and the process hung.
    it('throws a RangeError, and nothing is lost', async () => {
      expect(await runChild(['deep'])).toEqual({ code: 0, signal: null, complaints: '' })
    }, 30_000)
  })

  function makeEngine(): GnutlsTlsEngine {
    const factory: GnutlsEngineFactory = createGnutlsEngineFactory({ role: 'client', credentials: pki.nodeA })
    return factory(() => {})
  }

  function make(role: 'client' | 'server', options: Partial<GnutlsEngineOptions>): TlsEngineFactory {
    const own = role === 'client' ? { credentials: pki.nodeA, serverName: 'node-b' } : { credentials: pki.nodeB }
    return createGnutlsEngineFactory({ role, ...own, ...options })
  }
})

/** One handshake, and a bye. @returns what the server knows */
async function meet(client: TlsEngineFactory, server: TlsEngineFactory): Promise<TlsFacts> {
  const pair = new EnginePair({ client, server })
  await pair.handshake()
  pair.client.engine.close()
  await pair.client.until('peer.closeNotify')
  pair.destroy()
  return pair.server.untilSecure()
}

/** Cuts the handshake records that are in plain text, up to the first that is not: fragments need no seal. */
function fragmentHandshake(ciphertext: Uint8Array, bytes: number): Uint8Array {
  const pieces: Uint8Array[] = []
  let isPlain = true
  for (const { type, bytes: record, fragment } of new RecordSplitter().split(ciphertext)) {
    isPlain &&= type === CONTENT_TYPE.handshake
    if (!isPlain) pieces.push(record)
    for (let at = 0; isPlain && at < fragment.length; at += bytes) {
      const part = fragment.subarray(at, at + bytes)
      pieces.push(record.subarray(0, 3), Uint8Array.of(part.length >> 8, part.length & 0xff), part)
    }
  }
  return concatBytes(pieces)
}

async function runChild(args: readonly string[]): Promise<{ code: unknown; signal: unknown; complaints: string }> {
  const path = fileURLToPath(new URL('../support/gnutls-attacks/child.ts', import.meta.url))
  const child = fork(path, args, { execArgv: ['--import', 'tsx'], stdio: ['ignore', 'ignore', 'pipe', 'ipc'], timeout: 20_000 })
  let complaints = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (complaints += text))
  const [code, signal]: unknown[] = await once(child, 'close')
  return { code, signal, complaints }
}
