import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { watch } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadCredentials } from '../../src/security/credentials/credential-files.driver.ts'
import { issueInPki } from '../../src/security/pki/issue.driver.ts'
import { listPki } from '../../src/security/pki/listing.driver.ts'
import { filesOf, MAIN, modeOf, run, szmq, szmqProcess, TSX } from '../support/szmq-command.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))

let scratch: string
let count = 0
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'szmq-pki-process-'))
})
afterAll(() => rm(scratch, { recursive: true }))

async function newPki(): Promise<string> {
  const folder = join(scratch, `pki-${(count += 1)}`)
  expect(await szmq('pki', 'init', '--folder', folder)).toMatchObject({ code: 0, err: '' })
  return folder
}

describe('the process', () => {
  it('makes keys for their owner only, whatever the umask', async () => {
    for (const umask of ['000', '077', '277']) {
      const cwd = join(scratch, `umask-${umask}`)
      await mkdir(cwd)
      expect(await szmqProcess(['pki', 'init'], { cwd, umask })).toMatchObject({ code: 0, err: '' })
      expect(await modeOf(cwd, 'pki')).toBe('700')
      expect(await modeOf(cwd, 'pki/ca.key')).toBe('600')
      expect(await modeOf(cwd, 'pki/ca.pem')).toBe(umask === '000' ? '644' : '600')
    }
  })

  it('says its version, keeps colours to terminals, and ends quietly when nobody reads', async () => {
    const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string }
    expect(await szmqProcess(['--version'], { cwd: scratch })).toEqual({ code: 0, out: `${version}\n`, err: '' })
    expect(await szmqProcess(['pki', 'shwo'], { cwd: scratch })).toEqual({
      code: 2,
      out: '',
      err: "szmq: unknown command 'shwo' (Did you mean show?): see szmq pki --help\n",
    })
    const closed = spawn(process.execPath, ['--import', TSX, MAIN, '--help'], { stdio: ['ignore', 'pipe', 'pipe'] })
    closed.stdout.destroy()
    let err = ''
    closed.stderr.setEncoding('utf8').on('data', (text: string) => void (err += text))
    await once(closed, 'close')
    expect(err).toBe('')
  })

  // Wherever a kill hits, nothing half-written may be seen, the lock must be free at once, and no certificate may exist that is not on record.
  it('may be killed at any moment of its work', async () => {
    const folder = await newPki()
    await szmq('pki', 'issue', 'n', '--folder', folder)
    for (const hit of [1, 4, 9]) {
      await killAtWork(folder, hit)
      const { certificates, problems } = await listPki(folder)
      expect(problems).toEqual([])
      expect(certificates.some(({ isInPlace }) => isInPlace)).toBe(true)
      const startedMs = performance.now()
      await issueInPki({ folder, name: 'n', force: true })
      expect(performance.now() - startedMs).toBeLessThan(5_000)
      await loadCredentials(filesOf(folder, 'n'))
      for (const where of [folder, join(folder, 'issued')]) {
        expect((await readdir(where)).filter((name) => /tmp$|lock/.test(name))).toEqual([])
      }
    }
  })

  it('waits for others of its kind', async () => {
    const folder = await newPki()
    const names = ['x', 'y', 'y']
    const results = await Promise.all(
      names.map((name) => szmqProcess(['pki', 'issue', name, '--folder', folder], { cwd: scratch })),
    )
    expect(results[0]).toMatchObject({ code: 0, err: '' })
    expect(results.slice(1).filter(({ code }) => code === 0).length).toBe(1)
    for (const name of ['x', 'y']) await loadCredentials(filesOf(folder, name))
    expect((await readdir(folder)).filter((name) => /tmp$|lock/.test(name))).toEqual([])
  })
})

describe('docs/pki.md', () => {
  it('shows commands that work, one after the other', async () => {
    const page = await readFile(join(root, 'docs/pki.md'), 'utf8')
    const script = [...page.matchAll(/^```sh\n(.*?)^```/gms)].map(([, code = '']) => code).join('\n')
    const folder = join(scratch, 'docs')
    await mkdir(join(folder, 'bin'), { recursive: true })
    const shim = `#!/bin/sh\nexec "${process.execPath}" --import "${TSX}" "${MAIN}" "$@"\n`
    await writeFile(join(folder, 'bin/szmq'), shim, { mode: 0o755 })
    const env = { ...process.env, PATH: `${join(folder, 'bin')}${delimiter}${process.env['PATH'] ?? ''}` }
    const ran = await run('sh', ['-eux', '-c', script], { cwd: folder, env })
    expect(ran.code, ran.err).toBe(0)
    expect(script.match(/^szmq /gm)?.length).toBeGreaterThanOrEqual(6)
  })
})

/** A process that issues again and again, killed when the folder changes for the `hit`-th time. */
async function killAtWork(folder: string, hit: number): Promise<void> {
  const module = new URL('../../src/security/pki/issue.driver.ts', import.meta.url).href
  const script = `import { issueInPki } from ${JSON.stringify(module)}
    for (;;) await issueInPki({ folder: ${JSON.stringify(folder)}, name: 'n', force: true })`
  const watcher = watch(folder)
  const child = spawn(process.execPath, ['--import', TSX, '--input-type=module', '-e', script], { stdio: 'ignore' })
  try {
    let seen = 0
    watcher.on('change', () => {
      seen += 1
      if (seen === hit) child.kill('SIGKILL')
    })
    const [, signal] = (await once(child, 'exit')) as [number | null, string | null]
    expect(signal).toBe('SIGKILL')
  } finally {
    watcher.close()
    child.kill('SIGKILL')
  }
}
