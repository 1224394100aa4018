import { messageOf, SzmqError } from '../shared/errors.ts'

/**
 * Imports the module of an actor on a worker thread. A module in TypeScript needs a loader there where Node has none of its own (before
 * 22.18), and Node does not hand `--import tsx` down to threads in a way that works: so tsx is registered here, if it is installed.
 *
 * @throws ERR_SZMQ_SPAWN_FAILED when the module is TypeScript and nothing here can load it.
 */
export async function importModule(url: string): Promise<void> {
  try {
    await import(url)
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'ERR_UNKNOWN_FILE_EXTENSION') throw error
    await registerTypeScript(url)
    await import(url)
  }
}

async function registerTypeScript(url: string): Promise<void> {
  try {
    const { register } = await import('tsx/esm/api')
    register()
  } catch (error) {
    throw new SzmqError(
      'ERR_SZMQ_SPAWN_FAILED',
      `${url} is TypeScript, which this Node (${process.version}) cannot load on a thread (${messageOf(error)}): ` +
        `npm install tsx, or build it to JavaScript, or use Node 22.18 or newer`,
      { cause: error },
    )
  }
}
