import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { SingleBar } from 'cli-progress'
import { ensureDevelopmentCredentials, startSystem, SzmqError, type ActorSystem, type NodeCredentials } from 'szmq'
import { countPlainly, JobError, listFiles } from './files.ts'
import { countWithActors, type Fault, type Tally } from './job.ts'
import { formatReport } from './report.ts'
import { startSecondNode, type SecondNode } from './second-node-process.ts'

const HELP = `Counts the words of a folder of text files, by actors on the threads of two nodes: this process and a second one,
linked by mutually authenticated TLS 1.3 inside ZeroMQ.

  npm start                        the Markdown and TypeScript files below node_modules
  npm start -- DIR                 every text file below DIR
  npm start -- --verify            counts again in one plain loop and compares

  --threads N          worker threads of each node (default 2)
  --port N             port of the second node on 127.0.0.1 (default: any free one)
  --credentials DIR    use ca.pem, node-a.pem, node-a.key, node-b.pem and node-b.key in DIR; by default development
                       certificates are made in .szmq/ at first use
  --fault KIND         see what a failure looks like: worker-throws or node-killed
  --help

Exit codes: 0 counted, 1 failed or not equal, 2 wrong usage.`

const DEFAULT_FOLDER = 'node_modules'
const DEFAULT_EXTENSIONS = ['.md', '.ts', '.mts', '.cts']
/** A system whose other half is gone is given this long to end in order, in milliseconds. */
const STOP_GRACE_MS = 1_500
/** A failure waits so long for the news of what caused it. */
const CAUSE_GRACE_MS = 500

interface Options {
  readonly folder: string
  readonly extensions: readonly string[] | undefined
  readonly threads: number
  readonly port: number
  readonly credentials: string | undefined
  readonly fault: Fault | undefined
  readonly verify: boolean
}

let system: ActorSystem | undefined
let second: SecondNode | undefined

try {
  const options = readOptions(process.argv.slice(2))
  if (options !== undefined) await run(options)
} catch (error) {
  process.stderr.write(`word-count: ${describe(error)}\n`)
  process.exitCode = error instanceof JobError ? error.exitCode : 1
} finally {
  await Promise.race([shutDown(), new Promise((done) => setTimeout(done, STOP_GRACE_MS))])
}
process.exit()

async function run(options: Options): Promise<void> {
  const skipped: { path: string; reason: string }[] = []
  const files = await listFiles(options.folder, {
    ...(options.extensions === undefined ? {} : { extensions: options.extensions }),
    onUnreadable: (path, reason) => skipped.push({ path, reason }),
  })
  if (files.length === 0) throw new JobError(`${options.folder} holds no text files: give a folder that does`, 2)
  const tls = await readCredentials(options.credentials)
  second = await startSecondNode({ tls: tls['node-b'], port: options.port, threads: options.threads })
  let loseThread: (thread: number, reason: string) => void = () => {}
  const threadLost = new Promise<never>((_resolve, reject) => {
    loseThread = (thread, reason) => {
      reject(new JobError(`thread ${thread} is gone: ${reason}. What it had counted is lost with it: run the count again`))
    }
  })
  threadLost.catch(() => {})
  system = await startSystem({
    name: 'word-count',
    threads: options.threads,
    node: { name: 'node-a', tls: tls['node-a'] },
    onEvent: (event) => {
      if (event.kind === 'thread.lost') loseThread(event.thread, event.reason)
    },
  })
  process.stdout.write(
    `Counting the words of ${files.length} files in ${options.folder} on 2 × ${options.threads} threads, second node is process ${second.pid}\n`,
  )
  const causes = [second.ended, threadLost]
  const counted = await Promise.race([countShowingProgress(system, second, files, options.fault), ...causes]).catch(
    async (error: unknown) => {
      // What failed first is often only a consequence: an actor that asked one on a thread that is gone. The cause is told soon.
      await Promise.race([...causes, new Promise((done) => setTimeout(done, CAUSE_GRACE_MS))])
      throw error
    },
  )
  const tally: Tally = { ...counted, unreadable: [...skipped, ...counted.unreadable] }
  if (tally.files === 0)
    throw new JobError(
      `${options.folder} holds no text: ${tally.binary} binary and ${tally.unreadable.length} unreadable files`,
      2,
    )
  process.stdout.write(`${formatReport(tally, await system.stats(), system.links()[0])}\n`)
  if (options.verify) await verify(files, tally)
}

async function countShowingProgress(
  node: ActorSystem,
  { addresses, kill }: SecondNode,
  files: readonly string[],
  fault: Fault | undefined,
): Promise<Tally> {
  const bar = new SingleBar({
    format: '{bar} {percentage} % | {value}/{total} files | {duration_formatted}',
    hideCursor: true,
    clearOnComplete: true,
    noTTYOutput: true,
    notTTYSchedule: 1_000,
  })
  bar.start(files.length, 0)
  try {
    return await countWithActors(node, files, {
      remoteAddresses: addresses,
      onProgress: (done) => {
        bar.update(done)
      },
      fault,
      killSecondNode: kill,
    })
  } finally {
    bar.stop()
  }
}

async function verify(files: readonly string[], { counts }: Tally): Promise<void> {
  const plain = await countPlainly(files)
  const different = [...new Set([...plain.keys(), ...counts.keys()])].filter((word) => plain.get(word) !== counts.get(word))
  if (different.length > 0) {
    const [word = ''] = different
    throw new JobError(
      `the two counts differ in ${different.length} words, such as '${word}': ${counts.get(word) ?? 0} by actors, ${plain.get(word) ?? 0} in one loop`,
    )
  }
  process.stdout.write(`\nverified     equal to a count in one plain loop: ${plain.size} words\n`)
}

async function readCredentials(folder: string | undefined): Promise<Readonly<Record<'node-a' | 'node-b', NodeCredentials>>> {
  if (folder === undefined) return ensureDevelopmentCredentials({ folder: resolve('.szmq'), names: ['node-a', 'node-b'] })
  const filesOf = (name: string): NodeCredentials => ({
    caFile: join(folder, 'ca.pem'),
    certFile: join(folder, `${name}.pem`),
    keyFile: join(folder, `${name}.key`),
  })
  return { 'node-a': filesOf('node-a'), 'node-b': filesOf('node-b') }
}

function readOptions(argv: string[]): Options | undefined {
  let parsed
  try {
    parsed = parseArgs({
      args: argv,
      allowPositionals: true,
      options: {
        threads: { type: 'string', default: '2' },
        port: { type: 'string', default: '0' },
        credentials: { type: 'string' },
        fault: { type: 'string' },
        verify: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
  } catch (error) {
    throw new JobError(`${error instanceof Error ? error.message : String(error)}\n\n${HELP}`, 2)
  }
  const { values, positionals } = parsed
  if (values.help) {
    process.stdout.write(`${HELP}\n`)
    return undefined
  }
  if (positionals.length > 1)
    throw new JobError(`one folder at a time, not ${positionals.length}: ${positionals.join(', ')}`, 2)
  if (values.fault !== undefined && values.fault !== 'worker-throws' && values.fault !== 'node-killed') {
    throw new JobError(`--fault ${values.fault}: expected worker-throws or node-killed`, 2)
  }
  return {
    folder: positionals[0] ?? DEFAULT_FOLDER,
    extensions: positionals[0] === undefined ? DEFAULT_EXTENSIONS : undefined,
    threads: readNumber(values.threads, '--threads', 1, 32),
    port: readNumber(values.port, '--port', 0, 65_535),
    credentials: values.credentials,
    fault: values.fault,
    verify: values.verify,
  }
}

function readNumber(text: string, option: string, min: number, max: number): number {
  const value = Number(text)
  if (Number.isInteger(value) && value >= min && value <= max) return value
  throw new JobError(`${option} ${text}: expected a whole number from ${min} to ${max}`, 2)
}

function describe(error: unknown): string {
  if (error instanceof SzmqError) return `${error.message} (${error.code})`
  return error instanceof Error ? error.message : String(error)
}

async function shutDown(): Promise<void> {
  await system?.stop()
  await second?.end()
}
