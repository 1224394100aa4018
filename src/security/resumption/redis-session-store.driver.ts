import { systemRandom } from '../../shared/system-random.driver.ts'
import { SzmqError } from '../../shared/errors.ts'
import { SEAL_BYTES, SessionCipher } from './session-cipher.ts'
import {
  DEFAULT_MAX_SESSION_BYTES,
  isSessionId,
  requireSession,
  type SessionStore,
  type SetSessionOptions,
} from './session-store.ts'

type Argument = string | Buffer

/** What szmq asks of an `ioredis` client (`new Redis()`, `new Redis.Cluster()`). */
export interface IoredisClient {
  callBuffer(command: string, ...args: Argument[]): Promise<unknown>
}

/** What szmq asks of a `redis` client (node-redis 5 and later: `createClient()`, connected). */
export interface NodeRedisClient {
  sendCommand(args: readonly Argument[], options?: { readonly typeMapping?: typeof BYTES }): Promise<unknown>
}

export type RedisClient = IoredisClient | NodeRedisClient

export interface RedisSessionStoreOptions {
  /**
   * Connected by you and closed by you. Let it fail fast while Redis is away (ioredis: `enableOfflineQueue: false`, node-redis:
   * `disableOfflineQueue: true`); szmq waits for no answer longer than its guard allows, but the client's own queue is the client's.
   */
  readonly client: RedisClient
  /** Begins every key; the id follows as bytes. Servers that share sessions share it. Default `szmq:session:`. */
  readonly prefix?: string
  /** `set` refuses a longer session with `ERR_SZMQ_LIMIT_EXCEEDED`; a longer one in Redis is never fetched whole. Default 16 KiB. */
  readonly maxSessionBytes?: number
  /**
   * Encrypts the sessions (AES-256-GCM): at least 32 random bytes, the same on all servers. Without it whoever can read this Redis, or the
   * way to it, can read the traffic of the TLS 1.2 sessions in it. Default: none.
   */
  readonly secret?: Uint8Array
}

/**
 * Sessions in Redis, shared by every server with the same client settings, prefix and secret; Redis itself expires them (`PX`). How many
 * there may be is Redis's to bound: `maxmemory` with `volatile-lru`. Uses `SET`, `GETRANGE` and `DEL`.
 *
 * What it rejects with is the client's own error, which may hold the command and so the session: don't log it.
 * {@link guardSessionStore} doesn't.
 *
 * @throws ERR_SZMQ_INVALID_ARGUMENT for a client that is neither an ioredis nor a node-redis one, or a secret that is too short
 */
export function createRedisSessionStore({
  client,
  prefix = 'szmq:session:',
  maxSessionBytes = DEFAULT_MAX_SESSION_BYTES,
  secret,
}: RedisSessionStoreOptions): SessionStore {
  const cipher = secret === undefined ? undefined : new SessionCipher(secret, systemRandom)
  return new RedisSessionStore(toCall(client), Buffer.from(prefix), maxSessionBytes, cipher)
}

type Call = (command: string, ...args: Argument[]) => Promise<unknown>

class RedisSessionStore implements SessionStore {
  readonly #call: Call
  readonly #prefix: Buffer
  readonly #maxSessionBytes: number
  readonly #cipher: SessionCipher | undefined

  constructor(call: Call, prefix: Buffer, maxSessionBytes: number, cipher: SessionCipher | undefined) {
    this.#call = call
    this.#prefix = prefix
    this.#maxSessionBytes = maxSessionBytes
    this.#cipher = cipher
  }

  async get(id: Uint8Array): Promise<Uint8Array | undefined> {
    if (!isSessionId(id)) return undefined
    const maxBytes = this.#cipher === undefined ? this.#maxSessionBytes : this.#maxSessionBytes + SEAL_BYTES
    // One byte more than may be, so that too long shows without being fetched whole. Empty when there is no such key.
    const stored = await this.#call('GETRANGE', this.#keyOf(id), '0', String(maxBytes))
    if (!(stored instanceof Uint8Array) || stored.length === 0 || stored.length > maxBytes) return undefined
    return this.#cipher === undefined ? new Uint8Array(stored) : this.#cipher.open(id, stored)
  }

  async set(id: Uint8Array, session: Uint8Array, options: SetSessionOptions): Promise<void> {
    const lifetimeMs = requireSession(id, session, options, this.#maxSessionBytes)
    const stored = this.#cipher === undefined ? session : this.#cipher.seal(id, session)
    // A copy: the client may send it in a later turn.
    await this.#call('SET', this.#keyOf(id), Buffer.from(stored), 'PX', String(lifetimeMs))
  }

  async delete(id: Uint8Array): Promise<void> {
    if (isSessionId(id)) await this.#call('DEL', this.#keyOf(id))
  }

  #keyOf(id: Uint8Array): Buffer {
    return Buffer.concat([this.#prefix, id])
  }
}

/** Node-redis then answers bulk strings ("$", 36) as bytes instead of text. */
const BYTES = { 36: Buffer } as const

function toCall(client: RedisClient): Call {
  // An ioredis client has a sendCommand too, another one.
  if ('callBuffer' in client) return (command, ...args) => client.callBuffer(command, ...args)
  if ('sendCommand' in client) return (...args) => client.sendCommand(args, { typeMapping: BYTES })
  throw new SzmqError(
    'ERR_SZMQ_INVALID_ARGUMENT',
    'the Redis client has neither callBuffer nor sendCommand: give a client of "ioredis" or of "redis" (5 or later)',
  )
}
