import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { parseX509Credentials, type X509Credentials } from '../../src/security/credentials/x509-credentials.ts'

const run = promisify(execFile)

export type TestKey = 'rsa' | 'ecdsa' | 'ecdsa-p521' | 'ed25519'

const KEY_ARGUMENTS: Readonly<Record<TestKey, readonly string[]>> = {
  rsa: ['-newkey', 'rsa:2048'],
  ecdsa: ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'],
  'ecdsa-p521': ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-521', '-sha512'],
  ed25519: ['-newkey', 'ed25519'],
}

/** Credentials of two nodes under a CA of the same kind of key, made by the `openssl` command: also of kinds that our own PKI does not make. */
export async function createOpensslPki(
  key: TestKey,
): Promise<{ readonly nodeA: X509Credentials; readonly nodeB: X509Credentials }> {
  const folder = await mkdtemp(join(tmpdir(), 'szmq-openssl-pki-'))
  const file = (name: string): string => join(folder, name)
  try {
    const ca = ['-keyout', file('ca.key'), '-out', file('ca.pem'), '-subj', '/CN=test CA', '-days', '2']
    await openssl(['req', '-x509', '-nodes', ...KEY_ARGUMENTS[key], ...ca])
    const issue = async (name: string): Promise<X509Credentials> => {
      await writeFile(file(`${name}.cnf`), `subjectAltName=DNS:${name}\nextendedKeyUsage=serverAuth,clientAuth\n`)
      const request = ['-keyout', file(`${name}.key`), '-out', file(`${name}.csr`), '-subj', `/CN=${name}`]
      await openssl(['req', '-new', '-nodes', ...KEY_ARGUMENTS[key], ...request])
      const signer = [
        ...(key === 'ecdsa-p521' ? ['-sha512'] : []),
        '-CA',
        file('ca.pem'),
        '-CAkey',
        file('ca.key'),
        '-CAcreateserial',
        '-days',
        '2',
      ]
      const input = ['-in', file(`${name}.csr`), '-extfile', file(`${name}.cnf`), '-out', file(`${name}.pem`)]
      await openssl(['x509', '-req', ...signer, ...input])
      const [caPem, certificate, privateKey] = await Promise.all(
        ['ca.pem', `${name}.pem`, `${name}.key`].map((each) => readFile(file(each), 'latin1')),
      )
      return parseX509Credentials(
        { ca: caPem ?? '', certificate: certificate ?? '', privateKey: privateKey ?? '' },
        { now: new Date() },
      )
    }
    return { nodeA: await issue('node-a'), nodeB: await issue('node-b') }
  } finally {
    await rm(folder, { recursive: true })
  }
}

async function openssl(args: readonly string[]): Promise<void> {
  try {
    await run('openssl', args)
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') {
      throw new Error('the openssl command is missing: apt-get install openssl', { cause })
    }
    throw cause
  }
}

/** A node whose certificate an intermediate CA issued, and what its peers trust: the root alone. */
export async function createChain(name: string): Promise<{
  readonly rootPem: string
  readonly intermediatePem: string
  readonly certificatePem: string
  readonly privateKeyPem: string
}> {
  const folder = await mkdtemp(join(tmpdir(), 'szmq-openssl-chain-'))
  const file = (each: string): string => join(folder, each)
  const sign = async (subject: string, issuer: string, extensions: string): Promise<void> => {
    await writeFile(file(`${subject}.cnf`), extensions)
    const request = ['-keyout', file(`${subject}.key`), '-out', file(`${subject}.csr`), '-subj', `/CN=${subject}`]
    await openssl(['req', '-new', '-nodes', ...KEY_ARGUMENTS.ecdsa, ...request])
    const signer = ['-CA', file(`${issuer}.pem`), '-CAkey', file(`${issuer}.key`), '-CAcreateserial', '-days', '2']
    const input = ['-in', file(`${subject}.csr`), '-extfile', file(`${subject}.cnf`), '-out', file(`${subject}.pem`)]
    await openssl(['x509', '-req', ...signer, ...input])
  }
  try {
    const root = ['-keyout', file('root.key'), '-out', file('root.pem'), '-subj', '/CN=test root', '-days', '2']
    await openssl(['req', '-x509', '-nodes', ...KEY_ARGUMENTS.ecdsa, ...root])
    await sign('intermediate', 'root', 'basicConstraints=critical,CA:true,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\n')
    await sign(name, 'intermediate', `subjectAltName=DNS:${name}\nextendedKeyUsage=serverAuth,clientAuth\n`)
    const read = (each: string): Promise<string> => readFile(file(each), 'latin1')
    return {
      rootPem: await read('root.pem'),
      intermediatePem: await read('intermediate.pem'),
      certificatePem: await read(`${name}.pem`),
      privateKeyPem: await read(`${name}.key`),
    }
  } finally {
    await rm(folder, { recursive: true })
  }
}
