import { printable, type Paint, type Painter } from './terminal.ts'

/** A cell of a table: text, and how to paint it. */
export type Cell = string | { readonly text: string; readonly paint: Paint }

/** Columns as wide as they need to be, two spaces between them, indented, no space at the end of a line. */
export function layOutTable(head: readonly string[], rows: readonly (readonly Cell[])[], paint: Painter): string {
  const all = [head.map((text): Cell => ({ text, paint: 'dim' })), ...rows]
  const widths = head.map((_, column) => Math.max(...all.map((row) => textOf(row[column]).length)))
  return all
    .map((row) => row.map((cell, column) => paintCell(cell, column === row.length - 1 ? 0 : (widths[column] ?? 0), paint)))
    .map((cells) => `  ${cells.join('  ')}\n`)
    .join('')
}

/** Names and what they stand for, one a line, indented. Rows without a value are left out. */
export function layOutFields(fields: readonly (readonly [name: string, value: Cell | undefined])[], paint: Painter): string {
  const shown = fields.filter((field): field is readonly [string, Cell] => field[1] !== undefined && textOf(field[1]) !== '')
  const width = Math.max(...shown.map(([name]) => name.length))
  return shown.map(([name, value]) => `  ${paint('dim', name.padEnd(width))}  ${paintCell(value, 0, paint)}\n`).join('')
}

function textOf(cell: Cell | undefined): string {
  return printable(typeof cell === 'object' ? cell.text : (cell ?? ''))
}

function paintCell(cell: Cell, width: number, paint: Painter): string {
  const text = textOf(cell)
  const painted = typeof cell === 'object' ? paint(cell.paint, text) : text
  return painted + ' '.repeat(Math.max(0, width - text.length))
}
