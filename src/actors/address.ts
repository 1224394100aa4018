import { SzmqError } from '../shared/errors.ts'

/** A remote actor's address, taken apart: `szmq://host:port/system/name`. */
export interface RemoteAddress {
  readonly host: string
  readonly port: number
  readonly system: string
  /** `/name` */
  readonly path: string
}

/** @throws ERR_SZMQ_INVALID_ENDPOINT */
export function parseAddress(address: string): RemoteAddress {
  const match =
    /^szmq:\/\/(?:\[(?<v6>[\da-f:.]+)\]|(?<host>[\w.-]+)):(?<port>\d{1,5})\/(?<system>[\w.-]+)(?<path>\/[\w./-]+)$/i.exec(
      address,
    )
  const { v6, host = v6, port, system, path } = match?.groups ?? {}
  const portNumber = Number(port)
  if (host === undefined || system === undefined || path === undefined || portNumber < 1 || portNumber > 65_535) {
    throw new SzmqError(
      'ERR_SZMQ_INVALID_ENDPOINT',
      `'${address}' is not an actor's address; expected szmq://host:port/system/name`,
    )
  }
  return { host, port: portNumber, system, path }
}

/** The host and port of a ZeroMQ endpoint, for addresses: `tcp://127.0.0.1:7000` → `127.0.0.1:7000`. */
export function authorityOf(endpoint: string): string {
  return endpoint.replace(/^tcp:\/\//, '')
}

/** ZeroMQ cuts a port that is too large down to 16 bits, and listens there. @throws ERR_SZMQ_INVALID_ENDPOINT */
export function assertPort(endpoint: string): void {
  const [, port = '0'] = /^tcp:\/\/.*:(\d+)$/.exec(endpoint) ?? []
  if (Number(port) <= 65_535) return
  const text = `cannot listen on ${endpoint}: ports end at 65535; port * takes any free one`
  throw new SzmqError('ERR_SZMQ_INVALID_ENDPOINT', text)
}

/** @throws ERR_SZMQ_INVALID_ARGUMENT */
export function assertName(name: string, what: string): void {
  if (/^[\w.-]{1,64}$/.test(name)) return
  throw new SzmqError('ERR_SZMQ_INVALID_ARGUMENT', `${what} '${name}': expected 1 to 64 letters, digits, '_', '.' or '-'`)
}
