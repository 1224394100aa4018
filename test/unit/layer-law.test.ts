import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('../../', import.meta.url))

/** The rule that a planted file must break, or `lawful` for one that must pass. */
type Verdict = 'no-restricted-imports' | 'consistent-type-imports' | 'no-restricted-globals' | 'lawful'

interface Planted {
  readonly path: string
  readonly code: string
  readonly verdict: Verdict
}

const plants: readonly Planted[] = [
  // Up is forbidden, in cores, in drivers and for types alone.
  imports('src/shared/a.ts', '../security/b.ts', 'no-restricted-imports'),
  imports('src/shared/a.ts', '../transport/b.ts', 'no-restricted-imports'),
  imports('src/shared/a.ts', '../actors/b.ts', 'no-restricted-imports'),
  imports('src/shared/a.ts', 'node:crypto', 'no-restricted-imports'),
  imports('src/shared/a.ts', 'xstate', 'no-restricted-imports'),
  imports('src/shared/a.driver.ts', '../security/b.ts', 'no-restricted-imports'),
  imports('src/security/a.ts', '../transport/b.ts', 'no-restricted-imports'),
  imports('src/security/a.ts', '../actors/b.ts', 'no-restricted-imports'),
  imports('src/security/gnutls/a.ts', '../../transport/b.ts', 'no-restricted-imports'),
  imports('src/security/a.driver.ts', '../transport/b.ts', 'no-restricted-imports'),
  imports('src/security/a.driver.ts', '../actors/b.ts', 'no-restricted-imports'),
  imports('src/transport/a.ts', '../actors/b.ts', 'no-restricted-imports'),
  imports('src/transport/sockets/a.ts', '../../actors/b.ts', 'no-restricted-imports'),
  imports('src/transport/a.driver.ts', '../actors/b.ts', 'no-restricted-imports'),
  imports('src/transport/zmq.driver.ts', '../actors/b.ts', 'no-restricted-imports'),
  imports('src/actors/a.ts', '../cli/b.ts', 'no-restricted-imports'),
  imports('src/actors/a.ts', '../inspect/b.ts', 'no-restricted-imports'),
  imports('src/actors/a.driver.ts', '../inspect/b.ts', 'no-restricted-imports'),
  imports('src/actors/a.driver.ts', '../cli/b.ts', 'no-restricted-imports'),
  imports('src/security/a.ts', 'szmq', 'no-restricted-imports'),
  imports('src/transport/a.driver.ts', '../index.ts', 'no-restricted-imports'),
  types('src/security/a.ts', '../transport/b.ts', 'no-restricted-imports'),
  types('src/transport/a.ts', '../actors/b.ts', 'no-restricted-imports'),
  types('src/transport/a.driver.ts', '../actors/b.ts', 'no-restricted-imports'),
  exportsFrom('src/security/a.ts', '../transport/b.ts', 'no-restricted-imports'),

  plant('src/security/a.ts', "export const a: Promise<unknown> = import('../transport/b.ts')\n", 'no-restricted-imports'),
  plant('src/security/a.ts', "export type A = import('../transport/b.ts').B\n", 'consistent-type-imports'),

  // The test kit stands on top: nothing in src leans on it.
  ...['shared', 'security', 'transport', 'actors', 'inspect', 'cli'].flatMap((layer) => [
    imports(`src/${layer}/a.ts`, '../testing/b.ts', 'no-restricted-imports'),
    imports(`src/${layer}/a.driver.ts`, '../testing/b.ts', 'no-restricted-imports'),
  ]),
  imports('src/index.ts', './testing/b.ts', 'no-restricted-imports'),

  // Each outside thing has its one door.
  imports('src/security/a.ts', 'zeromq', 'no-restricted-imports'),
  imports('src/security/a.driver.ts', 'zeromq', 'no-restricted-imports'),
  imports('src/transport/a.ts', 'zeromq', 'no-restricted-imports'),
  imports('src/transport/a.driver.ts', 'zeromq', 'no-restricted-imports'),
  imports('src/actors/a.driver.ts', 'zeromq', 'no-restricted-imports'),
  imports('src/testing/a.ts', 'zeromq', 'no-restricted-imports'),
  imports('src/security/a.ts', 'node:tls', 'no-restricted-imports'),
  imports('src/transport/a.driver.ts', 'node:tls', 'no-restricted-imports'),
  imports('src/actors/a.driver.ts', 'node:tls', 'no-restricted-imports'),
  imports('src/security/a.ts', 'koffi', 'no-restricted-imports'),
  imports('src/transport/a.driver.ts', 'koffi', 'no-restricted-imports'),
  imports('src/security/a.ts', 'node:fs', 'no-restricted-imports'),
  imports('src/security/a.ts', 'node:net', 'no-restricted-imports'),
  imports('src/transport/a.ts', 'node:worker_threads', 'no-restricted-imports'),
  imports('src/actors/a.ts', 'node:worker_threads', 'no-restricted-imports'),

  // Time belongs to drivers.
  ...['setTimeout(() => 0, 1)', 'setInterval(() => 0, 1)', 'setImmediate(() => 0)', 'Date.now()'].map((call) =>
    plant('src/transport/a.ts', `export const seen: unknown = ${call}\n`, 'no-restricted-globals'),
  ),

  // And what the law allows passes.
  imports('src/shared/a.ts', './b.ts', 'lawful'),
  imports('src/shared/a.driver.ts', 'node:crypto', 'lawful'),
  imports('src/security/a.ts', '../shared/b.ts', 'lawful'),
  imports('src/security/a.driver.ts', 'node:tls', 'lawful'),
  imports('src/security/a.driver.ts', 'koffi', 'lawful'),
  imports('src/transport/a.ts', '../security/b.ts', 'lawful'),
  imports('src/transport/zmq.driver.ts', 'zeromq', 'lawful'),
  imports('src/actors/a.ts', '../transport/b.ts', 'lawful'),
  imports('src/actors/a.driver.ts', 'node:worker_threads', 'lawful'),
  imports('src/testing/a.ts', '../actors/b.ts', 'lawful'),
  imports('src/testing/a.ts', '../security/b.ts', 'lawful'),
  imports('src/cli/a.ts', '../inspect/b.ts', 'lawful'),
  imports('src/index.ts', './actors/b.ts', 'lawful'),
  plant('src/transport/a.driver.ts', 'export const seen: unknown = setTimeout(() => 0, 1)\n', 'lawful'),
]

describe('the layer law', () => {
  let folder = ''
  let broken = new Map<Planted, readonly string[]>()

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'szmq-layer-law-'))
    const found = await Promise.all(beds(plants).map((bed, index) => brokenRules(join(folder, String(index)), bed)))
    broken = new Map(found.flat())
  }, 60_000)

  afterAll(() => rm(folder, { recursive: true, force: true }))

  it.each(
    plants.map((planted) => ({ planted, path: planted.path, says: planted.code.split('\n')[0], verdict: planted.verdict })),
  )('$path with `$says` → $verdict', ({ planted, verdict }) => {
    expect(broken.get(planted)).toEqual(verdict === 'lawful' ? [] : [verdict])
  })
})

describe('rules that need types', () => {
  it.each([
    [
      'typescript(no-floating-promises)',
      'async function later(): Promise<void> {}\nexport const go = (): void => {\n  later()\n}\n',
    ],
    [
      'typescript(no-misused-promises)',
      'export const go = (on: (f: () => void) => void): void => {\n  on(async () => {})\n}\n',
    ],
    [
      'typescript(switch-exhaustiveness-check)',
      "export function go(x: 'a' | 'b'): number {\n  switch (x) {\n    case 'a':\n      return 1\n  }\n  return 2\n}\n",
    ],
    ['typescript(only-throw-error)', "export const go = (): never => {\n  throw 'text'\n}\n"],
  ])('%s fires', async (rule, code) => {
    const folder = await mkdtemp(join(tmpdir(), 'szmq-typed-lint-'))
    try {
      await write(folder, [plant('src/actors/a.ts', code, 'lawful')])
      expect((await lint(folder)).map(({ code: found }) => found)).toContain(rule)
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  })
})

function plant(path: string, code: string, verdict: Verdict): Planted {
  return { path, code, verdict }
}

function imports(path: string, from: string, verdict: Verdict): Planted {
  return plant(path, `import { b } from '${from}'\nexport const a: unknown = b\n`, verdict)
}

function types(path: string, from: string, verdict: Verdict): Planted {
  return plant(path, `import type { B } from '${from}'\nexport type A = B\n`, verdict)
}

function exportsFrom(path: string, from: string, verdict: Verdict): Planted {
  return plant(path, `export { b } from '${from}'\n`, verdict)
}

/** `all`, split so that no two plants of one bed want the same path: one run of oxlint is enough for a bed. */
function beds(all: readonly Planted[]): readonly (readonly Planted[])[] {
  const split: Planted[][] = []
  const seen = new Map<string, number>()
  for (const planted of all) {
    const bed = seen.get(planted.path) ?? 0
    seen.set(planted.path, bed + 1)
    ;(split[bed] ??= []).push(planted)
  }
  return split
}

/** A little project in `folder` that obeys the checkout's own `.oxlintrc.json` and holds nothing but the planted files. */
async function write(folder: string, bed: readonly Planted[]): Promise<void> {
  for (const { path, code } of bed) {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), code)
  }
  await cp(join(root, '.oxlintrc.json'), join(folder, '.oxlintrc.json'))
  await writeFile(
    join(folder, 'tsconfig.json'),
    '{"compilerOptions":{"strict":true,"target":"ES2023","module":"nodenext","types":[],"noEmit":true,"allowImportingTsExtensions":true}}',
  )
}

async function brokenRules(
  folder: string,
  bed: readonly Planted[],
): Promise<readonly (readonly [Planted, readonly string[]])[]> {
  await write(folder, bed)
  const diagnostics = await lint(folder)
  return bed.map((planted) => {
    const own = diagnostics.filter(({ filename }) => filename === planted.path)
    return [planted, [...new Set(own.map(({ code }) => code.replace(/^.*\(|\)$/g, '')))]] as const
  })
}

interface Diagnostic {
  readonly code: string
  readonly filename: string
}

async function lint(folder: string): Promise<readonly Diagnostic[]> {
  const oxlint = join(root, 'node_modules/oxlint/bin/oxlint')
  // oxlint looks for tsgolint in its own folder and on the PATH.
  const env = { ...process.env, PATH: `${join(root, 'node_modules/.bin')}${delimiter}${process.env['PATH'] ?? ''}` }
  const output = await promisify(execFile)(process.execPath, [oxlint, '--format=json', '.'], { cwd: folder, env }).then(
    ({ stdout }) => stdout,
    (failure: { stdout?: string; stderr?: string }) => failure.stdout ?? `oxlint did not run: ${failure.stderr ?? ''}`,
  )
  return (JSON.parse(output) as { readonly diagnostics: readonly Diagnostic[] }).diagnostics
}
