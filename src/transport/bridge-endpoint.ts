import { SzmqError } from '../shared/errors.ts'

/** `tcp://HOST:PORT`, taken apart. */
export interface TcpEndpoint {
  /** Without brackets, also if it is an IPv6 address. */
  readonly host: string
  /** 0 where the system may choose. */
  readonly port: number
}

/**
 * `tcp://` with a name or address, IPv6 in brackets, and a port. To listen on a port that the system chooses, say `*` or 0. A host must be
 * named: who means every address of this machine writes `0.0.0.0` or `[::]`.
 *
 * @throws ERR_SZMQ_INVALID_ENDPOINT
 */
export function parseTcpEndpoint(text: string, use: 'listen' | 'connect'): TcpEndpoint {
  const match = /^tcp:\/\/(?:\[(?<v6>[\da-f:.]{2,45})\]|(?<name>[\w.-]{1,253})):(?<port>\d{1,5}|\*)$/i.exec(text)
  const { v6, name: host = v6, port = '' } = match?.groups ?? {}
  const number = port === '*' ? 0 : Number(port)
  if (host !== undefined && number <= 65_535 && (number > 0 || use === 'listen')) return { host, port: number }
  const expected = use === 'listen' ? 'tcp://127.0.0.1:8443, where port * takes any free one' : 'tcp://127.0.0.1:7000'
  throw new SzmqError(
    'ERR_SZMQ_INVALID_ENDPOINT',
    `'${text}' is not an endpoint to ${use} to; expected something like ${expected}`,
  )
}

export function formatTcpEndpoint({ host, port }: TcpEndpoint): string {
  return `tcp://${host.includes(':') ? `[${host}]` : host}:${port}`
}

/** Can only this machine reach `address`, an IP address? */
export function isLoopback(address: string): boolean {
  return /^(?:::ffff:)?127\./i.test(address) || address === '::1'
}
