import type { Terminal } from './terminal.ts'

const DEFAULT_COLUMNS = 80

/**
 * The terminal of this process. Colours only where somebody looks, and never with NO_COLOR (https://no-color.org) or a dumb terminal. A
 * reader that goes away (`szmq … | head`) ends the writing, not the process.
 */
export function openTerminal(): Terminal {
  const { stdout, stderr, env } = process
  for (const stream of [stdout, stderr]) {
    stream.on('error', (error: Error & { readonly code?: string }) => {
      if (error.code !== 'EPIPE') throw error
    })
  }
  const mayColour = (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb'
  return {
    out: (text) => void stdout.write(text),
    err: (text) => void stderr.write(text),
    isColourful: mayColour && stdout.isTTY,
    isErrColourful: mayColour && stderr.isTTY,
    columns: stdout.columns || DEFAULT_COLUMNS,
  }
}
