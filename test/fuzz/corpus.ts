import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { fromHexPieces, toHexPieces, type FuzzInput } from './fuzz-target.ts'

/** An input that is kept for ever, in `corpus/<target>/<name>.json`. */
export interface KeptInput {
  readonly name: string
  /** What failed, or what it is good for. */
  readonly why: string
  readonly input: FuzzInput
}

const folder = fileURLToPath(new URL('./corpus/', import.meta.url))

/** Everything that is kept for this target, by name. */
export function readCorpus(target: string): readonly KeptInput[] {
  return listNames(join(folder, target))
    .filter((name) => name.endsWith('.json'))
    .map((name) => {
      const kept: unknown = JSON.parse(readFileSync(join(folder, target, name), 'utf8'))
      if (!isKept(kept)) throw new Error(`corpus/${target}/${name} is not { "why": …, "input": [hex, …] }`)
      return { name: name.slice(0, -'.json'.length), why: kept.why, input: fromHexPieces(kept.input) }
    })
}

/** The targets that something is kept for. */
export function corpusTargets(): readonly string[] {
  return listNames(folder)
}

/** @returns the file's path below the checkout */
export function keepInput(target: string, { kind, why, input }: { kind: string; why: string; input: FuzzInput }): string {
  const pieces = toHexPieces(input)
  const name = `${kind}-${createHash('sha256').update(JSON.stringify(pieces)).digest('hex').slice(0, 10)}.json`
  mkdirSync(join(folder, target), { recursive: true })
  writeFileSync(join(folder, target, name), formatKept(why, pieces))
  return `test/fuzz/corpus/${target}/${name}`
}

/** As prettier would, so that a check of the format has nothing to say. */
function formatKept(why: string, pieces: readonly string[]): string {
  const WIDTH = 128
  const inOneLine = `  "input": [${pieces.map((piece) => JSON.stringify(piece)).join(', ')}]`
  const inLines = `  "input": [\n${pieces.map((piece) => `    ${JSON.stringify(piece)}`).join(',\n')}\n  ]`
  return `{\n  "why": ${JSON.stringify(why)},\n${inOneLine.length <= WIDTH ? inOneLine : inLines}\n}\n`
}

function isKept(value: unknown): value is { readonly why: string; readonly input: readonly string[] } {
  if (typeof value !== 'object' || value === null || !('why' in value) || !('input' in value)) return false
  const { why, input } = value
  return typeof why === 'string' && Array.isArray(input) && input.every((piece) => /^([0-9a-f]{2})*$/.test(String(piece)))
}

function listNames(path: string): readonly string[] {
  try {
    return readdirSync(path).toSorted()
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw error
  }
}
