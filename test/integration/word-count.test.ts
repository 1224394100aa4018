import { execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { Counter, Reader } from '../../examples/word-count/actors.ts'
import { cutBetweenWords } from '../../examples/word-count/words.ts'
import { startSystem } from '../../src/index.ts'
import { createDevelopmentCa, issueCertificate } from '../../src/security/pki/pki.driver.ts'

const MAIN = fileURLToPath(new URL('../../build/examples/word-count/main.js', import.meta.url))
let folder: string

/** Runs the example as a user would, in a folder of its own, where its credentials land. */
function wordCount(...options: string[]): Promise<{ code: number; out: string; err: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [MAIN, ...options], { cwd: folder, timeout: 60_000 }, (error, out, err) => {
      resolve({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : -1, out, err })
    })
  })
}

beforeAll(async () => {
  if (!existsSync(MAIN)) throw new Error('the examples are not built: run npm test, which builds them, or npm run build')
  folder = await mkdtemp(join(tmpdir(), 'szmq-count-'))
  await mkdir(join(folder, 'texts/deep'), { recursive: true })
  for (let n = 0; n < 40; n += 1)
    await writeFile(join(folder, 'texts', `${n}.txt`), 'the quick brown fox and the lazy dog\n'.repeat(n))
  await writeFile(join(folder, 'texts/deep/unicode.txt'), 'Äpfel äpfel ÄPFEL 東京 東京')
  await writeFile(join(folder, 'texts/deep/long.txt'), 'word '.repeat(500_000))
  await writeFile(join(folder, 'texts/deep/binary.bin'), new Uint8Array(100))
  await symlink('nowhere', join(folder, 'texts/dangling.txt'))
})
afterAll(() => rm(folder, { recursive: true }))

describe('npm start', () => {
  it('counts a folder on two nodes, equal to a plain loop, and says what it left out', async () => {
    const { code, out } = await wordCount('texts', '--verify')
    expect(out).toMatch(/1 {2}word +500,000/)
    expect(out).toMatch(/3 {2}the|2 {2}the/)
    expect(out).toContain('äpfel')
    expect(out).toMatch(/not text +1 files hold binary data/)
    expect(out).toMatch(/dangling\.txt: a symbolic link, not followed/)
    expect(out).toMatch(/TLSv1\.3, TLS_AES_\w+, group \w+, handshake [\d.]+ ms/)
    expect(out).toMatch(/peer node-b/)
    expect(out).toMatch(/verified +equal/)
    expect(code).toBe(0)
  }, 60_000)

  it('names a folder that is not there or holds no text, and a wrong option', async () => {
    await mkdir(join(folder, 'empty'), { recursive: true })
    const cases = [
      [['nowhere'], /there is no folder nowhere/],
      [['empty'], /empty holds no text files/],
      [['texts/0.txt'], /texts\/0\.txt is not a folder/],
      [['--threads', 'many'], /--threads many: expected a whole number/],
      [['--bogus'], /--bogus/],
    ] as const
    for (const [options, text] of cases) {
      const { code, err } = await wordCount(...options)
      expect(err).toMatch(text)
      expect(err).not.toMatch(/^\s+at /m)
      expect(code).toBe(2)
    }
  }, 60_000)

  it('names a port in use', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    const { port } = server.address() as { port: number }
    const { code, err } = await wordCount('texts', '--port', `${port}`)
    server.close()
    expect(err).toMatch(
      new RegExp(`the second node could not start: cannot listen on tcp://127.0.0.1:${port}: another process`),
    )
    expect(code).toBe(1)
  }, 60_000)

  it('names an expired certificate and one of another CA', async () => {
    const ours = await createDevelopmentCa({ name: 'ours' })
    const other = await createDevelopmentCa({ name: 'other' })
    const write = async (name: string, ca: typeof ours, dates: { notBefore?: Date; notAfter?: Date }) => {
      const { certificatePem, privateKeyPem } = await issueCertificate(ca, { name, ipAddresses: ['127.0.0.1'], ...dates })
      await writeFile(join(folder, 'certs', `${name}.pem`), certificatePem)
      await writeFile(join(folder, 'certs', `${name}.key`), privateKeyPem)
    }
    await mkdir(join(folder, 'certs'), { recursive: true })
    await writeFile(join(folder, 'certs/ca.pem'), ours.certificatePem)
    await write('node-a', ours, {})
    await write('node-b', ours, { notBefore: new Date('2020-01-01'), notAfter: new Date('2020-02-01') })
    const expired = await wordCount('texts', '--credentials', 'certs')
    expect(expired.err).toMatch(/node-b.*(expired|ended)/i)
    expect(expired.code).toBe(1)
    await write('node-b', other, {})
    const stranger = await wordCount('texts', '--credentials', 'certs')
    expect(stranger.err).toMatch(/UNKNOWN_CA|BAD_CREDENTIALS/)
    expect(stranger.code).toBe(1)
    const missing = await wordCount('texts', '--credentials', 'no-certs')
    expect(missing.err).toMatch(/no-certs\/node-b\.(pem|key)|no-certs\/ca\.pem/)
    expect(missing.code).toBe(1)
  }, 60_000)

  for (const [fault, text] of [
    ['worker-throws', /thread 1 is gone: uncaught a fault that you asked for.*run the count again/],
    ['node-killed', /the second node \(process \d+\) was ended by SIGKILL.*run the count again/],
  ] as const) {
    it(`ends with one message when ${fault}`, async () => {
      const { code, err } = await wordCount('texts', '--fault', fault)
      expect(err).toMatch(text)
      expect(err).not.toMatch(/^\s+at /m)
      expect(code).toBe(1)
    }, 60_000)
  }
})

it('leaves no process behind when it is killed', async () => {
  const parent = spawn(process.execPath, [MAIN, join(folder, 'texts')], { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] })
  const pid = await new Promise<number>((resolve) => {
    let text = ''
    parent.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString()
      const [, found] = /second node is process (\d+)/.exec(text) ?? []
      if (found !== undefined) resolve(Number(found))
    })
  })
  parent.kill('SIGKILL')
  await vi.waitUntil(() => !isAlive(pid), { timeout: 10_000 })
}, 30_000)

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

it('reports a file that vanished before it was read', async () => {
  await using system = await startSystem({ name: 'count' })
  const reader = system.spawn(Reader, 'reader')
  reader.tell.dealTo(system.spawn(Counter, 'counter'))
  expect(await reader.ask.read(join(folder, 'gone.txt'))).toMatchObject({
    kind: 'unreadable',
    reason: expect.stringContaining('ENOENT'),
  })
  expect(await reader.ask.read(join(folder, 'texts/deep/unicode.txt'))).toMatchObject({ kind: 'counted', words: 5 })
})

it('cuts text between words only', () => {
  const cut = (text: string): number => cutBetweenWords(Buffer.from(text))
  expect(cut('one two')).toBe(4)
  expect(cut('one two ')).toBe(8)
  expect(cut('東京')).toBe(6)
})
