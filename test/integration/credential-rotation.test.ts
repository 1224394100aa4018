import { execFile } from 'node:child_process'
import { randomBytes, X509Certificate } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, open, rename, rm, symlink, unlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { CredentialCandidate } from '../../src/security/credentials/credential-candidate.ts'
import type { CredentialFiles } from '../../src/security/credentials/credential-files.driver.ts'
import { CredentialReader, READ_DEADLINE_MS } from '../../src/security/credentials/credential-reader.driver.ts'
import type { CredentialEvent } from '../../src/security/credentials/credential-source.ts'
import { MAX_CREDENTIAL_FILE_BYTES } from '../../src/security/credentials/credential-texts.driver.ts'
import {
  watchCredentials,
  type CredentialWatchOptions,
  type WatchedCredentials,
} from '../../src/security/credentials/credential-watch.driver.ts'
import { createEngineFactorySource } from '../../src/security/credentials/engine-factory-source.ts'
import { createOpensslEngineFactory } from '../../src/security/openssl-engine.driver.ts'
import {
  createCrl,
  createDevelopmentCa,
  issueCertificate,
  type CertificateRequest,
  type DevelopmentCa,
  type IssuedCertificate,
} from '../../src/security/pki/pki.driver.ts'
import { createTicketKeys } from '../../src/security/resumption/ticket-keys.ts'
import type { TlsFacts } from '../../src/security/tls-engine.ts'
import { parseX509Credentials, type X509Credentials } from '../../src/security/credentials/x509-credentials.ts'
import { SzmqError } from '../../src/shared/errors.ts'
import { FakeClock } from '../../src/testing/fake-clock.ts'
import { EnginePair } from '../contract/engine-pair.ts'

const DAY_MS = 86_400_000
/** Longer than any test: what is seen then was noticed, not found by looking. */
const NEVER_MS = 3_600_000
/** Looks often, and so little time passes until files count as settled that a test need not wait. */
const QUICK = { settleMs: 20, pollMs: NEVER_MS }

let ca: DevelopmentCa
let nextCa: DevelopmentCa
let certificates: readonly [IssuedCertificate, IssuedCertificate, IssuedCertificate]
let folder: string
const watches: WatchedCredentials[] = []

const issue = (request: Partial<CertificateRequest> = {}, by = ca): Promise<IssuedCertificate> =>
  issueCertificate(by, { name: 'node-a', ...request })

beforeAll(async () => {
  ;[ca, nextCa] = await Promise.all([createDevelopmentCa({ name: 'old CA' }), createDevelopmentCa({ name: 'new CA' })])
  certificates = [await issue(), await issue(), await issue()]
  folder = await mkdtemp(join(tmpdir(), 'szmq-rotation-'))
})

afterEach(async () => {
  for (const watch of watches.splice(0)) await watch[Symbol.asyncDispose]()
})

afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

/** A folder with the files of the first certificate. */
async function deploy(own = certificates[0]): Promise<CredentialFiles & { readonly crlFile: string; readonly root: string }> {
  const root = await mkdtemp(join(folder, 'node-'))
  const files = { root, ...filesIn(root) }
  await writeAll(root, own)
  return files
}

function filesIn(root: string): CredentialFiles & { readonly crlFile: string } {
  return {
    caFile: join(root, 'ca.pem'),
    certFile: join(root, 'node.pem'),
    keyFile: join(root, 'node.key'),
    crlFile: join(root, 'crl.pem'),
  }
}

async function writeAll(root: string, own: IssuedCertificate): Promise<void> {
  const files = filesIn(root)
  await writeFile(files.caFile, ca.certificatePem)
  await writeFile(files.certFile, own.certificatePem)
  await writeFile(files.keyFile, own.privateKeyPem)
  await writeFile(files.crlFile, await createCrl(ca, {}))
}

async function replace(path: string, text: string): Promise<void> {
  await writeFile(`${path}.aside`, text)
  await rename(`${path}.aside`, path)
}

/** What a watch told, and a way to wait for the next of a kind. */
class Heard {
  /** Not yet taken by {@link next}. */
  readonly events: CredentialEvent[] = []
  readonly all: CredentialEvent[] = []
  readonly #waiting = new Set<() => void>()

  readonly listen = (event: CredentialEvent): void => {
    this.events.push(event)
    this.all.push(event)
    for (const check of this.#waiting) check()
  }

  /** Takes the events up to the next of `kind` away, and gives that one. */
  async next<Kind extends CredentialEvent['kind']>(kind: Kind): Promise<Extract<CredentialEvent, { kind: Kind }>> {
    return new Promise((resolve) => {
      const check = (): void => {
        const index = this.events.findIndex((event) => event.kind === kind)
        if (index < 0) return
        this.#waiting.delete(check)
        resolve(this.events.splice(0, index + 1).at(-1) as Extract<CredentialEvent, { kind: Kind }>)
      }
      this.#waiting.add(check)
      check()
    })
  }
}

async function watching(files: CredentialFiles, options: Partial<CredentialWatchOptions> = {}) {
  const heard = new Heard()
  const watch = await watchCredentials(files, { ...QUICK, onEvent: heard.listen, ...options })
  watches.push(watch)
  // Folders are watched from the first look on.
  if (options.clock === undefined) await watch.refresh()
  return { watch, heard }
}

const fingerprintOf = ({ certificatePem }: IssuedCertificate): string => new X509Certificate(certificatePem).fingerprint256

describe('two engines over rotating credentials', () => {
  /** The node under test is the server; its peer keeps what it has. */
  async function serving() {
    const files = await deploy()
    const { watch, heard } = await watching(files)
    const own = await issue({ name: 'node-b' })
    const peer = (crl?: string, trusted = ca.certificatePem): X509Credentials =>
      parseX509Credentials(
        { ca: trusted, certificate: own.certificatePem, privateKey: own.privateKeyPem, crl },
        { now: new Date() },
      )
    const server = createEngineFactorySource(watch, (credentials) =>
      createOpensslEngineFactory({ role: 'server', credentials }),
    )
    const connect = (credentials = peer()): EnginePair =>
      new EnginePair({ client: createOpensslEngineFactory({ role: 'client', credentials, serverName: 'node-a' }), server })
    return { files, watch, heard, connect, peer, own }
  }

  const shownBy = async (pair: EnginePair): Promise<TlsFacts['peer']> => (await pair.client.untilSecure()).peer

  async function echo(pair: EnginePair, text: string): Promise<string> {
    const sent = Buffer.from(text)
    const before = pair.server.plaintextLength
    pair.client.engine.send(sent)
    return Buffer.from((await pair.server.untilReceived(before + sent.length)).subarray(before)).toString()
  }

  it('show the new certificate to new sessions, carry on old ones, and go on with the last good one when files break', async () => {
    const { files, watch, heard, connect } = await serving()
    const old = connect()
    await old.handshake()
    expect(await shownBy(old)).toMatchObject({ fingerprint256: fingerprintOf(certificates[0]) })

    await replace(files.keyFile, certificates[1].privateKeyPem)
    await replace(files.certFile, certificates[1].certificatePem)
    const { from, to, trustChanged } = await heard.next('rotated')
    expect(from.fingerprint256).toBe(fingerprintOf(certificates[0]))
    expect(to.fingerprint256).toBe(fingerprintOf(certificates[1]))
    expect(trustChanged).toBe(false)

    expect(await echo(old, 'still here')).toBe('still here')
    const renewed = connect()
    await renewed.handshake()
    expect(await shownBy(renewed)).toMatchObject({ fingerprint256: fingerprintOf(certificates[1]) })

    await writeFile(files.certFile, certificates[2].certificatePem.slice(0, 300))
    const { error, kept } = await heard.next('refused')
    expect(error.code).toBe('ERR_SZMQ_BAD_CREDENTIALS')
    expect(error.message).toContain(files.certFile)
    expect(kept).toBe(watch.current.identity.validTo)

    const next = connect()
    await next.handshake()
    expect(await shownBy(next)).toMatchObject({ fingerprint256: fingerprintOf(certificates[1]) })
    for (const pair of [old, renewed, next]) {
      expect(await echo(pair, 'and on')).toBe('and on')
      pair.destroy()
    }
  })

  it('finish a handshake in the middle of which credentials were rotated with those that it began with', async () => {
    const { files, heard, connect } = await serving()
    const pair = connect()
    const carried: (() => void)[] = []
    pair.server.way = (bytes) => {
      carried.push(() => {
        pair.client.engine.receive(bytes)
      })
      return []
    }
    pair.start()
    await pair.server.until('ciphertext')
    await replace(files.keyFile, certificates[1].privateKeyPem)
    await replace(files.certFile, certificates[1].certificatePem)
    await heard.next('rotated')
    pair.server.way = (bytes) => [bytes]
    for (const carry of carried) carry()
    expect(await shownBy(pair)).toMatchObject({ fingerprint256: fingerprintOf(certificates[0]) })
    await pair.server.untilSecure()
    pair.destroy()
  })

  it('refuse in new sessions whom a new revocation list names, and say that the trust changed; the old session lives on', async () => {
    const { files, heard, connect, own } = await serving()
    const old = connect()
    await old.handshake()
    await replace(files.crlFile, await createCrl(ca, { revoked: [own.certificatePem], number: 2 }))
    expect((await heard.next('rotated')).trustChanged).toBe(true)
    const refused = connect()
    refused.start()
    expect((await refused.server.untilFailed()).code).toBe('ERR_SZMQ_CERTIFICATE_REVOKED')
    expect(await echo(old, 'revoked, but open')).toBe('revoked, but open')
    old.destroy()
    refused.destroy()
  })

  it('let nobody back by a ticket whom a new revocation list names, though the ticket keys outlive the rotation', async () => {
    const { files, watch, heard, peer, own } = await serving()
    const resumption = { ticketKeys: createTicketKeys({ secret: randomBytes(32) }) }
    const server = createEngineFactorySource(watch, (credentials) =>
      createOpensslEngineFactory({ role: 'server', credentials, resumption }),
    )
    const client = createOpensslEngineFactory({ role: 'client', credentials: peer(), serverName: 'node-a' })
    const resumed: boolean[] = []
    for (let session = 0; session < 2; session++) {
      const pair = new EnginePair({ client, server })
      await pair.handshake()
      await pair.settle()
      resumed.push((await pair.server.untilSecure()).isResumed)
      pair.destroy()
    }
    expect(resumed).toEqual([false, true])
    await replace(files.crlFile, await createCrl(ca, { revoked: [own.certificatePem], number: 2 }))
    await heard.next('rotated')
    const refused = new EnginePair({ client, server })
    refused.start()
    expect((await refused.server.untilFailed()).code).toBe('ERR_SZMQ_CERTIFICATE_REVOKED')
    refused.destroy()
  })

  it('roll a CA over with overlap: both, then the new one alone, and nobody is locked out on the way', async () => {
    const root = await mkdtemp(join(folder, 'roll-'))
    const files = { ...filesIn(root), crlFile: undefined }
    await writeAll(root, certificates[0])
    const { watch, heard } = await watching(files)
    const server = createEngineFactorySource(watch, (credentials) =>
      createOpensslEngineFactory({ role: 'server', credentials }),
    )
    const both = ca.certificatePem + nextCa.certificatePem
    const [oldPeer, newPeer] = [await issue({ name: 'peer' }), await issue({ name: 'peer' }, nextCa)]
    const codeOf = async (own: IssuedCertificate): Promise<string> => {
      const credentials = parseX509Credentials(
        { ca: both, certificate: own.certificatePem, privateKey: own.privateKeyPem },
        { now: new Date() },
      )
      const client = createOpensslEngineFactory({ role: 'client', credentials, serverName: 'node-a' })
      const pair = new EnginePair({ client, server })
      pair.start()
      await pair.server.untilTrue(() => pair.server.has('secure') || pair.server.has('failed'))
      const code = pair.server.has('secure') ? 'secure' : (await pair.server.untilFailed()).code
      pair.destroy()
      return code
    }
    expect([await codeOf(oldPeer), await codeOf(newPeer)]).toEqual(['secure', 'ERR_SZMQ_UNKNOWN_CA'])

    await replace(files.caFile, both)
    expect((await heard.next('rotated')).trustChanged).toBe(true)
    expect([await codeOf(oldPeer), await codeOf(newPeer)]).toEqual(['secure', 'secure'])

    const renewed = await issue({}, nextCa)
    await replace(files.certFile, renewed.certificatePem)
    await replace(files.keyFile, renewed.privateKeyPem)
    await heard.next('rotated')
    expect([await codeOf(oldPeer), await codeOf(newPeer)]).toEqual(['secure', 'secure'])

    await replace(files.caFile, nextCa.certificatePem)
    await heard.next('rotated')
    expect([await codeOf(oldPeer), await codeOf(newPeer)]).toEqual(['ERR_SZMQ_UNKNOWN_CA', 'secure'])
  })
})

describe('watchCredentials', () => {
  const certificateOf = (watch: WatchedCredentials): string => watch.current.certificatePem

  it('notices each file that is replaced by renaming, again and again', async () => {
    const files = await deploy()
    const { watch, heard } = await watching(files)
    for (const own of [certificates[1], certificates[2], certificates[0]]) {
      await replace(files.certFile, own.certificatePem)
      await replace(files.keyFile, own.privateKeyPem)
      while (certificateOf(watch) !== own.certificatePem) await heard.next('rotated')
    }
    await replace(files.caFile, ca.certificatePem + nextCa.certificatePem)
    expect((await heard.next('rotated')).trustChanged).toBe(true)
    await replace(files.crlFile, await createCrl(ca, { number: 7 }))
    expect((await heard.next('rotated')).trustChanged).toBe(true)
  })

  it('says that a file stays half-written, and takes it when the rest is there', async () => {
    const files = await deploy()
    const { watch, heard } = await watching(files)
    const before = watch.current
    const both = ca.certificatePem + nextCa.certificatePem
    const handle = await open(files.caFile, 'w')
    await handle.write(both.slice(0, -100))
    await watch.refresh()
    expect(watch.problem?.message).toMatch(
      /the ca is cut short: its last "CERTIFICATE" block does not end.*write the whole file/,
    )
    expect(watch.current).toBe(before)
    await handle.write(both.slice(-100))
    await handle.close()
    expect((await heard.next('rotated')).trustChanged).toBe(true)
  })

  it('judges no file that is still being written', async () => {
    const files = await deploy()
    const { watch, heard } = await watching(files, { settleMs: 200 })
    writeFileSync(files.certFile, certificates[1].certificatePem.slice(0, 100))
    const judged = watch.refresh()
    writeFileSync(files.certFile, certificates[1].certificatePem)
    writeFileSync(files.keyFile, certificates[1].privateKeyPem)
    await judged
    expect(heard.events.map(({ kind }) => kind)).toEqual(['rotated'])
  })

  it('takes a pair whose key came first as soon as the certificate follows', async () => {
    const files = await deploy()
    const { watch, heard } = await watching(files)
    await replace(files.keyFile, certificates[1].privateKeyPem)
    const { error } = await heard.next('refused')
    expect(error.message).toMatch(/does not belong to the certificate of CN=node-a/)
    expect(error.message).toContain(files.keyFile)
    expect(watch.problem).toBe(error)
    await replace(files.certFile, certificates[1].certificatePem)
    await heard.next('rotated')
    expect(certificateOf(watch)).toBe(certificates[1].certificatePem)
    expect(watch.problem).toBeUndefined()
  })

  it('follows a folder of files that is swapped behind symbolic links, as Kubernetes does', async () => {
    const root = await mkdtemp(join(folder, 'kubernetes-'))
    const swap = async (version: number, own: IssuedCertificate): Promise<void> => {
      await mkdir(join(root, `..${version}`))
      await writeAll(join(root, `..${version}`), own)
      await symlink(`..${version}`, join(root, '..data_tmp'))
      await rename(join(root, '..data_tmp'), join(root, '..data'))
      await rm(join(root, `..${version - 1}`), { recursive: true, force: true })
    }
    await swap(1, certificates[0])
    for (const name of ['ca.pem', 'node.pem', 'node.key', 'crl.pem']) await symlink(`..data/${name}`, join(root, name))
    const { watch, heard } = await watching(filesIn(root))
    for (const [version, own] of [certificates[1], certificates[2], certificates[0]].entries()) {
      await swap(version + 2, own)
      await heard.next('rotated')
      expect(certificateOf(watch)).toBe(own.certificatePem)
    }
    expect(heard.all.map(({ kind }) => kind)).toEqual(['rotated', 'rotated', 'rotated'])
  })

  it('follows links that lead elsewhere', async () => {
    const root = await mkdtemp(join(folder, 'far-'))
    for (const name of ['etc', 'v1', 'v2']) await mkdir(join(root, name))
    await writeAll(join(root, 'v1'), certificates[0])
    await writeAll(join(root, 'v2'), certificates[1])
    await symlink('v1', join(root, 'live'))
    for (const name of ['ca.pem', 'node.pem', 'node.key', 'crl.pem']) await symlink(`../live/${name}`, join(root, 'etc', name))
    const { watch, heard } = await watching(filesIn(join(root, 'etc')))
    await symlink('v2', join(root, 'next'))
    await rename(join(root, 'next'), join(root, 'live'))
    await heard.next('rotated')
    expect(certificateOf(watch)).toBe(certificates[1].certificatePem)
    await writeAll(join(root, 'v2'), certificates[2])
    while (certificateOf(watch) !== certificates[2].certificatePem) await heard.next('rotated')
  })

  it('finds by looking what nobody tells it of: a folder that was itself replaced', async () => {
    const root = await mkdtemp(join(folder, 'moved-'))
    for (const [name, own] of [
      ['old', certificates[0]],
      ['new', certificates[1]],
    ] as const) {
      await mkdir(join(root, name, 'tls'), { recursive: true })
      await writeAll(join(root, name, 'tls'), own)
    }
    const { watch, heard } = await watching(filesIn(join(root, 'old', 'tls')), { pollMs: 50 })
    await rename(join(root, 'old'), join(root, 'gone'))
    await rename(join(root, 'new'), join(root, 'old'))
    await heard.next('rotated')
    expect(certificateOf(watch)).toBe(certificates[1].certificatePem)
  })

  it('keeps what it has when a file is deleted, and takes what is made in its place', async () => {
    const files = await deploy()
    const { watch, heard } = await watching(files)
    await unlink(files.crlFile)
    expect((await heard.next('refused')).error.message).toMatch(/CRL file .*crl\.pem is not there: put it back/)
    await writeFile(files.crlFile, await createCrl(ca, { number: 3 }))
    await heard.next('rotated')
    await unlink(files.certFile)
    expect((await heard.next('refused')).error.message).toContain(files.certFile)
    await writeFile(files.certFile, certificates[0].certificatePem)
    await watch.refresh()
    expect(watch.problem).toBeUndefined()
    expect(heard.all.map(({ kind }) => kind)).toEqual(['refused', 'rotated', 'refused'])
  })

  it('says which file it may no longer read', async () => {
    const files = await deploy()
    const { watch, heard } = await watching(files)
    const isRoot = process.geteuid?.() === 0
    // Root may read everything, so it is nobody for a moment.
    if (isRoot) for (const path of [folder, files.root]) await chmod(path, 0o711)
    await chmod(files.keyFile, 0)
    try {
      if (isRoot) process.seteuid?.(65_534)
      await watch.refresh()
    } finally {
      if (isRoot) process.seteuid?.(0)
    }
    expect(watch.problem?.message).toMatch(/private key file .*node\.key cannot be read .*EACCES.*let this process/)
    expect(heard.events).toMatchObject([{ kind: 'refused' }])
    await chmod(files.keyFile, 0o600)
    await watch.refresh()
    expect(watch.problem).toBeUndefined()
  })

  it('refuses garbage, giants, folders, pipes, strangers and what is not valid now, each told once', async () => {
    const files = await deploy()
    const { watch, heard } = await watching(files)
    const good = watch.current
    const expired = await issue({ notBefore: new Date(Date.now() - 2 * DAY_MS), notAfter: new Date(Date.now() - DAY_MS) })
    const stranger = await issue({ name: 'node-z' })
    const put = (path: string, text: string) => () => replace(path, text)
    const cases: readonly (readonly [() => Promise<unknown>, RegExp])[] = [
      [put(files.certFile, '\0\u0001 garbage'), /certificate holds no PEM block/],
      [put(files.certFile, '-'.repeat(MAX_CREDENTIAL_FILE_BYTES + 1)), /node\.pem is larger than 1048576 bytes/],
      [() => rm(files.certFile).then(() => mkdir(files.certFile)), /node\.pem is not a file/],
      [
        () => rm(files.certFile, { recursive: true }).then(() => promisify(execFile)('mkfifo', [files.certFile])),
        /node\.pem is not a file/,
      ],
      [() => replace(files.certFile, expired.certificatePem).then(put(files.keyFile, expired.privateKeyPem)), /expired on/],
      [
        () => replace(files.certFile, stranger.certificatePem).then(put(files.keyFile, stranger.privateKeyPem)),
        /names changed from "node-a".* to "node-z".*restart the node/,
      ],
    ]
    for (const [act, text] of cases) {
      await act()
      await watch.refresh()
      await watch.refresh()
      expect(watch.problem?.message).toMatch(text)
      expect(watch.current).toBe(good)
    }
    const told = heard.events.map((event) => (event.kind === 'refused' ? event.error.message : event.kind))
    expect(new Set(told).size).toBe(told.length)
    expect(told).not.toContain('rotated')
  })

  it('throws for files that cannot be used to begin with, naming them', async () => {
    const files = await deploy()
    await expect(
      watchCredentials({ ...files, keyFile: join(files.root, 'none') }, { onEvent: () => {} }),
    ).rejects.toMatchObject({
      code: 'ERR_SZMQ_BAD_CREDENTIALS',
      message: expect.stringMatching(/private key file .*none is not there/) as unknown,
    })
    await replace(files.keyFile, certificates[1].privateKeyPem)
    await expect(watchCredentials(files, { onEvent: () => {} })).rejects.toThrow(
      /does not belong .*\(CA .*, private key .*node\.key/,
    )
    await expect(watchCredentials(files, { onEvent: () => {}, settleMs: 0 })).rejects.toThrow(/settleMs/)
  })

  it('tells of the end of its certificate when it is due, though nobody touches the files', async () => {
    const files = await deploy()
    let now = Date.now()
    const { watch, heard } = await watching(files, { now: () => new Date(now), pollMs: 50 })
    now += 28 * DAY_MS
    expect(await heard.next('expiring')).toMatchObject({ what: 'certificate', validTo: watch.current.identity.validTo })
    now += 3 * DAY_MS
    expect(await heard.next('expired')).toMatchObject({ validTo: watch.current.identity.validTo })
  })

  it('gives up on a file system that does not answer, and asks it nothing more until it does', async () => {
    const clock = new FakeClock()
    const reader = new CredentialReader(clock)
    const answer: CredentialCandidate = { kind: 'unreadable', error: new SzmqError('ERR_SZMQ_BAD_CREDENTIALS', 'at last') }
    const hanging: ((candidate: CredentialCandidate) => void)[] = []
    const look = (): Promise<CredentialCandidate> =>
      new Promise((resolve) => {
        hanging.push(resolve)
      })
    for (let read = 0; read < 2; read++) {
      const given = reader.read(look)
      clock.advance(READ_DEADLINE_MS)
      expect(await given).toMatchObject({
        kind: 'unreadable',
        error: { message: expect.stringMatching(/did not answer/) as unknown },
      })
    }
    const abandoned = reader.read(look)
    reader.abandon()
    await abandoned
    expect(hanging).toHaveLength(1)
    const given = reader.read(look)
    hanging[0]?.(answer)
    expect(await given).toBe(answer)
    expect(clock.pendingTimers).toBe(0)
  })

  it('leaves no timer and says nothing more once it is disposed of', async () => {
    const files = await deploy()
    const clock = new FakeClock()
    const { watch, heard } = await watching(files, { clock })
    const unheard = watch.refresh()
    await watch[Symbol.asyncDispose]()
    await watch[Symbol.asyncDispose]()
    await unheard
    expect(clock.pendingTimers).toBe(0)
    await replace(files.certFile, 'garbage')
    await watch.refresh()
    expect(heard.events).toEqual([])
    expect(watch.current.certificatePem).toBe(certificates[0].certificatePem)
  })

  it('does not keep the process alive', async () => {
    const files = await deploy()
    const module = new URL('../../src/security/credentials/credential-watch.driver.ts', import.meta.url).href
    const code = `
      import { watchCredentials } from ${JSON.stringify(module)}
      const watch = await watchCredentials(${JSON.stringify(files)}, { onEvent: () => {} })
      await watch.refresh()
      console.log('done')
    `
    const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', code], {
      timeout: 15_000,
    })
    expect(stdout).toBe('done\n')
  })
})
