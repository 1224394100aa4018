// Adds to a package-lock.json what `npm install` left out: binaries for other platforms that the registry in use does not carry.
// npm drops such optional packages from the lock file, and then `npm ci` refuses that very file, on every platform. The added
// entries name version and platform, so that npm skips them elsewhere; a registry that has them supplies the rest.
//
//   node scripts/complete-lockfile.mjs [FOLDER]      after each npm install that changed the lock file
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const SYSTEMS = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32']
const PROCESSORS = ['arm64', 'arm', 'ia32', 'loong64', 'mips64el', 'ppc64', 'riscv64', 's390x', 'x64']

const lockPath = join(process.argv[2] ?? '.', 'package-lock.json')
const lock = JSON.parse(readFileSync(lockPath, 'utf8'))
const added = {}
for (const [parentPath, parent] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(parent.optionalDependencies ?? {})) {
    const path = `node_modules/${name}`
    const isLocked = path in lock.packages || `${parentPath}/${path}` in lock.packages
    if (!isLocked) added[path] = entry(name, version, parent)
  }
}
lock.packages = Object.fromEntries(
  Object.entries({ ...lock.packages, ...added }).sort(([a], [b]) => (a === b ? 0 : a < b ? -1 : 1)),
)
writeFileSync(lockPath, `${JSON.stringify(lock, undefined, 2)}\n`)
process.stdout.write(`${lockPath}: ${Object.keys(added).length} entries added\n`)

function entry(name, version, parent) {
  const words = name.split(/[/-]/)
  const os = SYSTEMS.find((system) => words.includes(system))
  const cpu = PROCESSORS.find((processor) => words.includes(processor))
  if (os === undefined || cpu === undefined || !/^\d/.test(version)) {
    throw new Error(`${name}@${version} is missing from the lock file, and its name does not tell its platform: add it by hand`)
  }
  const libc = words.some((word) => word.startsWith('musl'))
    ? ['musl']
    : words.some((word) => word.startsWith('gnu'))
      ? ['glibc']
      : undefined
  return {
    version,
    cpu: [cpu],
    ...(parent.dev === true ? { dev: true } : {}),
    ...(libc === undefined ? {} : { libc }),
    optional: true,
    os: [os],
  }
}
