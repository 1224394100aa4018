import { messageOf, SzmqError } from '../../src/shared/errors.ts'

/** A promise of the code under test that an input broke. */
export class BrokenPromise extends Error {}

export function promise(isKept: boolean, what: string): void {
  if (!isKept) throw new BrokenPromise(what)
}

/** Compares by content, cheaply. */
export function promiseSame(seen: unknown, expected: unknown, what: string): void {
  const [a, b] = [toText(seen), toText(expected)]
  if (a !== b) throw new BrokenPromise(`${what}: saw ${a.slice(0, 300)}, expected ${b.slice(0, 300)}`)
}

const MAX_ERROR_TEXT = 2_000

/** `call`'s value, or its SzmqError: nothing else may come out of it. */
export function valueOrSzmqError<Value>(call: () => Value): Value | SzmqError {
  try {
    return call()
  } catch (thrown) {
    return requireSzmqError(thrown)
  }
}

export function requireSzmqError(thrown: unknown): SzmqError {
  if (!(thrown instanceof SzmqError)) {
    throw new BrokenPromise(`${describe(thrown)} came out where an SzmqError was promised`, { cause: thrown })
  }
  promise(thrown.message.length <= MAX_ERROR_TEXT, `an error text has ${thrown.message.length} characters`)
  return thrown
}

/** For features: the same for every number, name and place. */
export function kindOf(outcome: unknown): string {
  if (!(outcome instanceof SzmqError)) return 'ok'
  const words = outcome.message.replaceAll(/"[^"]*"|'[^']*'/g, '').replaceAll(/[^a-z ]+/gi, '')
  return `${outcome.code} ${words.slice(0, 40)}`
}

/** How much a decoded value holds, about: elements, and bytes of texts and arrays. Stops counting above `most`. */
export function sizeOf(value: unknown, most: number): number {
  let size = 0
  const open: unknown[] = [value]
  while (open.length > 0 && size <= most) {
    const next = open.pop()
    size += 1
    if (typeof next === 'string') size += next.length
    else if (typeof next === 'bigint') size += 8
    else if (ArrayBuffer.isView(next) || next instanceof ArrayBuffer) size += next.byteLength
    else if (Array.isArray(next)) {
      size += next.length
      if (size <= most) for (const element of next) open.push(element)
    } else if (next instanceof Map) for (const [key, element] of next) open.push(key, element)
    else if (next instanceof Set) for (const element of next) open.push(element)
    else if (typeof next === 'object' && next !== null) for (const element of Object.values(next)) open.push(element)
  }
  return size
}

function describe(thrown: unknown): string {
  return thrown instanceof Error ? `${thrown.name} "${messageOf(thrown).slice(0, 200)}"` : `a thrown ${typeof thrown}`
}

function toText(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? String(value))
}
