// Makes a checkout ready to run: dependencies installed, library and examples compiled. Each step says what it does and why; with
// nothing to do it is silent and quick. It imports nothing but Node itself, because `npm ci` deletes node_modules under it.
//
//   node scripts/prepare-checkout.mjs            for start, test and check
//   node scripts/prepare-checkout.mjs --bench    the benchmark suite as well
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { basename, join, relative, sep } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const NODE_NEEDED = [20, 19]
const LOCK_POLL_MS = 100
const LOCK_DEADLINE_MS = 10 * 60_000
const MAX_OUTPUT_LINES = 30

const root = fileURLToPath(new URL('../', import.meta.url))
const stampFolder = join(root, 'build/.prepared')
const lockFile = join(stampFolder, 'lock')

/** A failure that was understood: its text is all that the user needs to see. */
class PrepareError extends Error {}

/**
 * One thing to make. `reason` looks whether it is due: undefined means up to date.
 * @typedef {{ readonly reason: () => string | undefined, readonly announcement: string, readonly make: () => Promise<void> }} Step
 */

try {
  requireNode()
  const steps = stepsFor(process.argv.slice(2))
  if (steps.some((step) => step.reason() !== undefined)) await alone(() => run(steps))
} catch (error) {
  const reason = error instanceof PrepareError || isFileSystemError(error) ? error.message : `${error.stack ?? error}`
  process.stderr.write(`prepare: ${reason}\n`)
  process.exitCode = 1
}

function requireNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  const [neededMajor, neededMinor] = NODE_NEEDED
  if (major > neededMajor || (major === neededMajor && minor >= neededMinor)) return
  throw new PrepareError(
    `Node.js ${NODE_NEEDED.join('.')} or newer is needed, this is ${process.versions.node}: install it from https://nodejs.org`,
  )
}

/** @returns {readonly Step[]} */
function stepsFor(flags) {
  const unknown = flags.find((flag) => flag !== '--bench')
  if (unknown !== undefined) throw new PrepareError(`unknown argument ${unknown}: the only one is --bench`)
  const steps = [
    install('.', 'dependencies'),
    compile({ name: 'library', project: 'tsconfig.build.json', from: 'src', to: 'dist' }),
    compile({ name: 'examples', project: 'tsconfig.examples.json', from: 'examples', to: 'build/examples', uses: ['src'] }),
  ]
  if (!flags.includes('--bench')) return steps
  return [
    ...steps,
    install('bench', "the benchmark suite's dependencies"),
    compile({ name: 'benchmark suite', project: 'bench/tsconfig.json', from: 'bench', to: 'build/bench', uses: ['src'] }),
  ]
}

async function run(steps) {
  for (const step of steps) {
    const reason = step.reason()
    if (reason === undefined) continue
    const startedMs = performance.now()
    process.stdout.write(`prepare: ${step.announcement} (${reason}) …\n`)
    await step.make()
    process.stdout.write(`prepare: done in ${((performance.now() - startedMs) / 1000).toFixed(1)} s\n`)
  }
}

// ---- installing ------------------------------------------------------------------------------------------------------------------

/**
 * `npm ci` in `folder` when node_modules is missing or belongs to another package-lock.json. A stamp inside node_modules says which
 * lock file and which platform it was made for; without a fitting stamp, what npm itself recorded there is compared.
 * @returns {Step}
 */
function install(folder, what) {
  const lockPath = join(root, folder, 'package-lock.json')
  const modules = join(root, folder, 'node_modules')
  const stampPath = join(modules, '.szmq-prepared')
  const wanted = () => `${process.platform}-${process.arch} ${sha256(readFileSync(lockPath))}\n`
  return {
    announcement: `installing ${what} with npm ci`,
    reason() {
      if (!existsSync(modules)) return `${join(folder, 'node_modules')} is missing`
      const stamp = readIfThere(stampPath)
      if (stamp === wanted()) return undefined
      if ((stamp === undefined || stamp.startsWith(`${process.platform}-${process.arch} `)) && isInstalled(lockPath, modules)) {
        writeFileSync(stampPath, wanted())
        return undefined
      }
      return `${join(folder, 'node_modules')} does not match ${join(folder, 'package-lock.json')}`
    },
    async make() {
      await npm(['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'], join(root, folder))
      writeFileSync(stampPath, wanted())
    },
  }
}

/** Did npm record exactly the packages of the lock file in node_modules? Optional ones may be absent: other platforms need them. */
function isInstalled(lockPath, modules) {
  const recorded = readIfThere(join(modules, '.package-lock.json'))
  if (recorded === undefined) return false
  const installed = JSON.parse(recorded).packages ?? {}
  const locked = Object.entries(JSON.parse(readFileSync(lockPath, 'utf8')).packages ?? {}).filter(([path]) =>
    path.includes('node_modules/'),
  )
  const isAsLocked = ([path, { version, integrity, link, optional, peer }]) => {
    const found = installed[path]
    if (found === undefined) return optional === true || peer === true
    return found.version === version && found.integrity === integrity && found.link === link
  }
  return locked.every(isAsLocked) && Object.keys(installed).every((path) => locked.some(([known]) => known === path))
}

async function npm(args, cwd) {
  // Started by npm: the very same npm. Else the one on the PATH.
  const self = process.env['npm_execpath'] ?? ''
  const [command, before] = basename(self) === 'npm-cli.js' && existsSync(self) ? [process.execPath, [self]] : ['npm', []]
  const { code, output, error } = await capture(command, [...before, ...args], cwd)
  if (error?.code === 'ENOENT')
    throw new PrepareError('npm was not found: install Node.js together with npm from https://nodejs.org')
  if (code === 0) return
  process.stderr.write(tail(output))
  throw new PrepareError(`npm ${args[0]} failed in ${relative(root, cwd) || 'the checkout'}: see above, then try again`)
}

// ---- compiling -------------------------------------------------------------------------------------------------------------------

/**
 * `tsc -p project` when an output is missing or was made from other inputs. `uses` names folders whose types go in as well.
 * @returns {Step}
 */
function compile({ name, project, from, to, uses = [] }) {
  const stampPath = join(stampFolder, `${to.replaceAll('/', '-')}.sha256`)
  const sources = () => filesBelow(join(root, from)).filter(isCompiled)
  const wanted = () => {
    const inputs = [...sources(), ...uses.flatMap((folder) => filesBelow(join(root, folder)).filter(isCompiled))]
    return hashOfFiles([
      ...inputs,
      ...['tsconfig.json', project, 'package.json', 'package-lock.json'].map((file) => join(root, file)),
    ])
  }
  const outputOf = (source) => join(root, to, relative(join(root, from), source).replace(/\.ts$/, '.js'))
  return {
    announcement: `compiling the ${name} into ${to}`,
    reason() {
      const own = sources().filter((source) => !source.endsWith('.d.ts'))
      if (own.length === 0) return undefined
      if (!existsSync(join(root, to))) return `${to} is missing`
      const absent = own.find((source) => !existsSync(outputOf(source)))
      if (absent !== undefined) return `${relative(root, outputOf(absent))} is missing`
      return readIfThere(stampPath) === wanted() ? undefined : `${from} or its settings changed`
    },
    async make() {
      // Taken before compiling: an edit in the meantime makes the next run compile again.
      const inputs = wanted()
      rmSync(stampPath, { force: true })
      const { code, output } = await capture(
        process.execPath,
        [join(root, 'node_modules/typescript/bin/tsc'), '-p', project],
        root,
      )
      if (code !== 0) {
        process.stderr.write(tail(output))
        throw new PrepareError(`the ${name} does not compile: see the errors above`)
      }
      removeOrphans(join(root, to), new Set(sources().map(outputOf)))
      writeFileSync(stampPath, inputs)
    },
  }
}

function isCompiled(file) {
  return file.endsWith('.ts')
}

/** A renamed source must not leave its old output behind: it would be packed, and imports of it would still work. */
function removeOrphans(folder, outputs) {
  for (const file of filesBelow(folder)) {
    const output = file.replace(/(\.js\.map|\.d\.ts|\.js)$/, '.js')
    if (!outputs.has(output)) rmSync(file, { force: true })
  }
}

// ---- one at a time ---------------------------------------------------------------------------------------------------------------

/** Runs `work` while no other preparation of this checkout runs. The lock of a process that died is taken over. */
async function alone(work) {
  mkdirSync(stampFolder, { recursive: true })
  const deadline = performance.now() + LOCK_DEADLINE_MS
  let isAnnounced = false
  while (!takeLock()) {
    const holder = Number(readIfThere(lockFile) ?? Number.NaN)
    if (Number.isInteger(holder) && !isAlive(holder)) {
      dropLockOf(holder)
      continue
    }
    if (performance.now() > deadline) {
      throw new PrepareError(
        `process ${holder} has been preparing this checkout for too long: end it, or remove ${relative(root, lockFile)}`,
      )
    }
    if (!isAnnounced) process.stdout.write('prepare: waiting for another run that prepares this checkout …\n')
    isAnnounced = true
    await sleep(LOCK_POLL_MS)
  }
  const release = () => {
    rmSync(lockFile, { force: true })
  }
  process.on('exit', release)
  for (const [signal, number] of Object.entries({ SIGINT: 2, SIGTERM: 15, SIGHUP: 1 }))
    process.once(signal, () => process.exit(128 + number))
  try {
    await work()
  } finally {
    process.off('exit', release)
    release()
  }
}

/** The lock appears with its holder's number in it, at once: a reader never sees it empty. */
function takeLock() {
  const mine = `${lockFile}.${process.pid}`
  writeFileSync(mine, String(process.pid))
  try {
    linkSync(mine, lockFile)
    return true
  } catch (error) {
    if (error.code === 'EEXIST') return false
    throw error
  } finally {
    rmSync(mine, { force: true })
  }
}

/** Two runs may find the same dead holder: who moves the lock away first wins, and a living lock moved by mistake is put back. */
function dropLockOf(holder) {
  const aside = `${lockFile}.dead.${process.pid}`
  try {
    renameSync(lockFile, aside)
    if (readFileSync(aside, 'utf8') !== String(holder)) linkSync(aside, lockFile)
  } catch (error) {
    if (error.code !== 'ENOENT' && error.code !== 'EEXIST') throw error
  }
  rmSync(aside, { force: true })
}

function isAlive(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}

// ---- files and processes ---------------------------------------------------------------------------------------------------------

/** Runs a command to its end, its output collected. Ends it when this process is told to end. */
function capture(command, args, cwd) {
  return new Promise((resolve) => {
    let output = ''
    const child = spawn(command, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] })
    const end = () => child.kill()
    process.on('exit', end)
    const collect = (chunk) => {
      output += chunk
    }
    child.stdout.setEncoding('utf8').on('data', collect)
    child.stderr.setEncoding('utf8').on('data', collect)
    const settle = (result) => {
      process.off('exit', end)
      resolve({ output, ...result })
    }
    child.once('error', (error) => {
      settle({ code: 1, error })
    })
    child.once('close', (code) => {
      settle({ code: code ?? 1 })
    })
  })
}

function tail(output) {
  const lines = output.trimEnd().split('\n')
  const left = lines.length - MAX_OUTPUT_LINES
  return [...lines.slice(0, MAX_OUTPUT_LINES), ...(left > 0 ? [`… and ${left} more lines`] : []), ''].join('\n')
}

/** Every file below `folder`, sorted; empty when there is no such folder. Skips what is made or installed. */
function filesBelow(folder) {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { withFileTypes: true })
    .filter(({ name }) => name !== 'node_modules' && name !== 'build')
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => (entry.isDirectory() ? filesBelow(join(folder, entry.name)) : [join(folder, entry.name)]))
}

function hashOfFiles(files) {
  const hash = createHash('sha256')
  for (const file of files) {
    const content = readFileSync(file)
    hash.update(`${relative(root, file).split(sep).join('/')}\0${content.length}\0`).update(content)
  }
  return hash.digest('hex')
}

function sha256(content) {
  return createHash('sha256').update(content).digest('hex')
}

function readIfThere(file) {
  return statSync(file, { throwIfNoEntry: false }) === undefined ? undefined : readFileSync(file, 'utf8')
}

/** ENOSPC, EACCES, EROFS and their kin: the text names the file and the trouble, a stack adds nothing. */
function isFileSystemError(error) {
  return error instanceof Error && 'syscall' in error && 'code' in error
}
