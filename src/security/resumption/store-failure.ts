/** How Redis's error replies begin. https://redis.io/docs/latest/develop/reference/protocol-spec/#simple-errors and the server's source. */
const REDIS_ERRORS =
  /^(?:ERR|ASK|BUSY|CLUSTERDOWN|LOADING|MASTERDOWN|MISCONF|MOVED|NOAUTH|NOPERM|NOREPLICAS|OOM|READONLY|TRYAGAIN|WRONGPASS|WRONGTYPE)\b/

/**
 * Names what a session store threw, by class and code only, such as `SqliteError SQLITE_BUSY`, `Error ECONNREFUSED` or `ReplyError OOM`.
 * Its text and fields stay where they are: clients of databases put the command into their errors, and the session is in the command.
 * Never throws.
 */
export function describeFailure(thrown: unknown): string {
  try {
    if (!(thrown instanceof Error)) return `threw a ${typeof thrown}, not an Error`
    const code = 'code' in thrown ? toWord(thrown.code) : REDIS_ERRORS.exec(thrown.message)?.[0]
    return [toWord(thrown.name) ?? 'Error', code].filter((word) => word !== undefined).join(' ')
  } catch {
    return 'threw something unreadable'
  }
}

function toWord(value: unknown): string | undefined {
  return typeof value === 'string' && /^\w{1,64}$/.test(value) ? value : undefined
}
