import { constants, open } from 'node:fs/promises'
import { SzmqError } from '../../shared/errors.ts'

/**
 * Reads a text file of at most `maxBytes`.
 *
 * @returns undefined if there is no such file.
 * @throws ERR_SZMQ_BAD_CREDENTIALS for one that is larger, or no file; else what the file system says.
 */
export async function readBoundedFile(path: string, maxBytes: number): Promise<string | undefined> {
  const handle = await openIfThere(path)
  if (handle === undefined) return undefined
  try {
    const stats = await handle.stat()
    if (!stats.isFile()) throw new SzmqError('ERR_SZMQ_BAD_CREDENTIALS', `${path} is not a file: name a PEM file`)
    const buffer = Buffer.alloc(Math.min(stats.size, maxBytes) + 1)
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, 0)
    if (bytesRead <= maxBytes) return buffer.toString('latin1', 0, bytesRead)
    throw new SzmqError('ERR_SZMQ_BAD_CREDENTIALS', `${path} is larger than ${maxBytes} bytes: that is no file of this kind`)
  } finally {
    await handle.close()
  }
}

async function openIfThere(path: string): Promise<Awaited<ReturnType<typeof open>> | undefined> {
  try {
    // Not waiting for the other end of what turns out to be a pipe.
    return await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}
