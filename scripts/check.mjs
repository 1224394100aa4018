// Everything about the code that is not a test: one line a step, the output of a step only when it fails, all steps in any case.
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Licences that a dependency may have: all of them let users keep their own licence. */
const ALLOWED_LICENCES = new Set([
  'MIT',
  'ISC',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'Apache-2.0',
  '0BSD',
  'MPL-2.0',
  'BlueOak-1.0.0',
])

const root = fileURLToPath(new URL('../', import.meta.url))
const bin = join(root, 'node_modules/.bin')
const env = { ...process.env, PATH: `${bin}${delimiter}${process.env['PATH'] ?? ''}` }
const scratch = mkdtempSync(join(tmpdir(), 'szmq-check-'))
process.on('exit', () => {
  rmSync(scratch, { recursive: true, force: true })
})
for (const [signal, number] of Object.entries({ SIGINT: 2, SIGTERM: 15 }))
  process.once(signal, () => process.exit(128 + number))

let packed = ''
/** @type {readonly (readonly [name: string, what: string, run: () => Promise<string>])[]} */
const steps = [
  ['format', 'prettier', () => tool('prettier', '--check', '.')],
  ['lint', 'oxlint with types and the layer law', () => tool('oxlint', '--deny-warnings')],
  ['types', 'tsc', () => tool('tsc', '--noEmit', '--pretty', 'false')],
  ['unused', 'knip', () => tool('knip', '--no-progress')],
  ['pack', 'npm pack', pack],
  ['package', 'publint', () => tool('publint', 'run', packed, '--strict')],
  ['package types', 'attw, ESM only', () => tool('attw', packed, '--profile', 'esm-only', '--no-color')],
  ['licences', 'of the production dependencies', licences],
]

let failed = 0
for (const [name, what, run] of steps) {
  const startedMs = performance.now()
  try {
    const note = await run()
    say('ok  ', name, what, startedMs, note)
  } catch (error) {
    failed += 1
    say('FAIL', name, what, startedMs, '')
    process.stdout.write(`${error.message.trimEnd().replaceAll(/^/gm, '     ')}\n`)
  }
}
process.stdout.write(`\ncheck: ${steps.length - failed} passed, ${failed} failed\n`)
process.exitCode = failed === 0 ? 0 : 1

function say(verdict, name, what, startedMs, note) {
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1)
  process.stdout.write(`${verdict} ${name} (${what}) ${seconds} s${note === '' ? '' : `: ${note}`}\n`)
}

async function tool(name, ...args) {
  await output(name, args)
  return ''
}

/** The tarball that would be published. `dist` was built before this script started. */
async function pack() {
  const [made] = JSON.parse(
    await output('npm', ['pack', '--json', '--ignore-scripts', '--loglevel=error', '--pack-destination', scratch]),
  )
  packed = join(scratch, made.filename)
  const stray = made.files
    .map(({ path }) => path)
    .filter((path) => !/^(dist\/.*\.(js|js\.map|d\.ts)|package\.json|README\.md|LICENSE|CHANGELOG\.md)$/.test(path))
  if (stray.length > 0) throw new Error(`these files do not belong in the package: ${stray.join(', ')}`)
  return `${made.files.length} files, ${Math.round(made.size / 1024)} KiB`
}

async function licences() {
  const found = JSON.parse(
    await output('license-checker-rseidelsohn', ['--production', '--excludePrivatePackages', '--json', '--start', root]),
  )
  const own = `${JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).name}@`
  const packages = Object.entries(found).filter(([name]) => !name.startsWith(own))
  const lines = packages.map(([name, { licenses }]) => `${name}  ${[licenses].flat().join(' AND ')}`)
  const refused = packages.filter(([, { licenses }]) => ![licenses].flat().every(isAllowed)).map(([name]) => name)
  if (packages.length === 0) throw new Error('no production dependency was found: is node_modules installed?')
  if (refused.length > 0) throw new Error(`not on the list of allowed licences: ${refused.join(', ')}\n${lines.join('\n')}`)
  return `${packages.length} packages\n${lines.map((line) => `       ${line}`).join('\n')}`
}

/** An SPDX expression of names, AND, OR. One branch of an OR is enough. */
function isAllowed(expression) {
  const branches = expression.replaceAll(/[()]/g, '').split(/ OR /)
  return branches.some((branch) => branch.split(/ AND /).every((licence) => ALLOWED_LICENCES.has(licence.trim())))
}

/** Standard output of a command that succeeds; an Error with all it said when it does not. */
function output(command, args) {
  return new Promise((resolve, reject) => {
    let out = ''
    let all = ''
    const child = spawn(command, args, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] })
    process.once('exit', () => child.kill())
    child.stdout.setEncoding('utf8').on('data', (chunk) => {
      out += chunk
      all += chunk
    })
    child.stderr.setEncoding('utf8').on('data', (chunk) => {
      all += chunk
    })
    child.once('error', (error) => {
      reject(new Error(`${command} did not start (${error.message}): run npm ci`))
    })
    child.once('close', (code) => {
      if (code === 0) resolve(out)
      else reject(new Error(all === '' ? `${command} ended with code ${code}` : all))
    })
  })
}
