/** A word: letters, digits and underscores of any script, compared without case. */
const WORD = /[\p{L}\p{N}_]+/gu

/** Adds the words of `text` to `counts`. @returns how many words there were. */
export function countWords(text: string, counts: Map<string, number>): number {
  let words = 0
  for (const [word] of text.matchAll(WORD)) {
    const key = word.toLowerCase()
    counts.set(key, (counts.get(key) ?? 0) + 1)
    words += 1
  }
  return words
}

/** The most frequent words, equal ones in alphabetical order. */
export function topWords(
  counts: ReadonlyMap<string, number>,
  howMany: number,
): readonly (readonly [word: string, count: number])[] {
  return [...counts].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1)).slice(0, howMany)
}

/** Text has no NUL in its first bytes. */
export function looksBinary(start: Uint8Array): boolean {
  return start.subarray(0, 8_192).includes(0)
}

/**
 * Where to cut `bytes` so that no word is cut: behind the last ASCII byte that is part of no word. Everything, if there is none.
 */
export function cutBetweenWords(bytes: Uint8Array): number {
  for (let end = bytes.length; end > 0; end -= 1) {
    if (isSeparator(bytes[end - 1] as number)) return end
  }
  return bytes.length
}

function isSeparator(byte: number): boolean {
  return byte < 0x80 && !/\w/.test(String.fromCharCode(byte))
}
