import { connect, type Socket } from 'node:net'

/** The greeting of ZMTP 3.1 (RFC 37): signature, version, mechanism, a client. */
export function zmtpGreeting(mechanism = 'NULL'): Buffer {
  const greeting = Buffer.alloc(64)
  greeting.set([0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f, 3, 1])
  greeting.write(mechanism, 12)
  return greeting
}

/** The READY command of a peer that may name itself. */
export function zmtpReady(socketType: string, identity: Uint8Array = new Uint8Array()): Buffer {
  const property = (name: string, value: Uint8Array): Buffer => {
    const length = Buffer.alloc(4)
    length.writeUInt32BE(value.length)
    return Buffer.concat([Buffer.of(name.length), Buffer.from(name), length, value])
  }
  const body = Buffer.concat([
    Buffer.from('\u0005READY'),
    property('Socket-Type', Buffer.from(socketType)),
    property('Identity', identity),
  ])
  if (body.length < 256) return Buffer.concat([Buffer.of(4, body.length), body])
  const long = zmtpPart(body, false)
  long[0] = 6
  return long
}

/** One part of a message, always with the long length. */
export function zmtpPart(bytes: Uint8Array, hasMore: boolean, declared = bytes.length): Buffer {
  const head = Buffer.alloc(9)
  head[0] = hasMore ? 3 : 2
  head.writeBigUInt64BE(BigInt(declared), 1)
  return Buffer.concat([head, bytes])
}

/** A TCP connection that reads and forgets; `closed` settles when the other side ended it. */
export async function openRaw(port: number): Promise<{ readonly socket: Socket; readonly closed: Promise<void> }> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  socket.on('data', () => {})
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  await Promise.race([new Promise<void>((resolve) => socket.once('connect', () => resolve())), closed])
  return { socket, closed }
}

/** A connection whose greeting is complete on both sides, so that messages may follow; or one that was cut in it. */
export async function openGreeted(port: number, identity?: Uint8Array): Promise<Awaited<ReturnType<typeof openRaw>>> {
  const raw = await openRaw(port)
  const isReady = new Promise<void>((resolve) => {
    let heard = ''
    raw.socket.on('data', (bytes: Buffer) => {
      heard += bytes.toString('latin1')
      if (heard.includes('READY')) resolve()
    })
  })
  raw.socket.write(Buffer.concat([zmtpGreeting(), zmtpReady('DEALER', identity)]))
  await Promise.race([isReady, raw.closed])
  return raw
}
