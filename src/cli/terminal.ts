/** Where a command writes. Injected, so that tests read what users see. */
export interface Terminal {
  /** Results. */
  readonly out: (text: string) => void
  /** What went wrong, and help that was not asked for. */
  readonly err: (text: string) => void
  /** May `out` be coloured? */
  readonly isColourful: boolean
  /** May `err`? */
  readonly isErrColourful: boolean
  /** The width of `out`, in characters. */
  readonly columns: number
}

export type Paint = 'bold' | 'dim' | 'red' | 'green' | 'yellow'

const CODES: Readonly<Record<Paint, readonly [on: number, off: number]>> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
}

export type Painter = (paint: Paint, text: string) => string

export function createPainter(isColourful: boolean): Painter {
  return (paint, text) => {
    const [on, off] = CODES[paint]
    return isColourful && text !== '' ? `\u001b[${on}m${text}\u001b[${off}m` : text
  }
}

/**
 * A text that others chose, on one line and without power over the terminal: control characters, and those that turn the direction of
 * writing or are not seen, stand as `\u{…}`.
 */
export function printable(text: string): string {
  return text.replaceAll(
    /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
  )
}
