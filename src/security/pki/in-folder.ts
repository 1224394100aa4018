import { messageOf, SzmqError } from '../../shared/errors.ts'

/** Says which folder it was when the file system refuses. */
export async function inFolder<T>(folder: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    if (cause instanceof SzmqError) throw cause
    const text = `the folder ${folder} cannot be used (${messageOf(cause)}): make it yours to write, or name another with --folder`
    throw new SzmqError('ERR_SZMQ_BAD_CREDENTIALS', text, { cause })
  }
}
