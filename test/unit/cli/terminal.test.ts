import '../../property/seed.ts'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { layOutFields, layOutTable } from '../../../src/cli/layout.ts'
import { createPainter, printable } from '../../../src/cli/terminal.ts'

const plain = createPainter(false)
const colourful = createPainter(true)
const withoutColours = (text: string): string => text.replaceAll(/\u001b\[\d+m/g, '') // oxlint-disable-line no-control-regex

describe('what a terminal shows', () => {
  it('is one line without control characters, whatever others put into it', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(printable(text)).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u)
      }),
    )
    expect(printable('a\u001b[31m\n\u202eb')).toBe('a\\u{1b}[31m\\u{a}\\u{202e}b')
    expect(printable('Zürich 東京 ✓')).toBe('Zürich 東京 ✓')
  })

  it('is the same with colours and without', () => {
    const cells = fc.oneof(
      fc.string(),
      fc.string().map((text) => ({ text, paint: 'red' as const })),
    )
    fc.assert(
      fc.property(fc.array(fc.tuple(cells, cells), { maxLength: 5 }), (rows) => {
        expect(withoutColours(layOutTable(['A', 'B'], rows, colourful))).toBe(layOutTable(['A', 'B'], rows, plain))
      }),
    )
  })

  it('stands in columns', () => {
    expect(
      layOutTable(
        ['NAME', 'DAYS'],
        [
          ['a', '1'],
          ['longer', { text: '20', paint: 'green' }],
        ],
        plain,
      ),
    ).toBe('  NAME    DAYS\n  a       1\n  longer  20\n')
  })

  it('leaves out what has no value', () => {
    expect(
      layOutFields(
        [
          ['a', '1'],
          ['none', undefined],
          ['empty', ''],
          ['bb', '2'],
        ],
        plain,
      ),
    ).toBe('  a   1\n  bb  2\n')
  })
})
