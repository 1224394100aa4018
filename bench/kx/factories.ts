import { SERVER_NAME, type Certificates, type EndPem } from './certificates.ts'
import type { Exchange } from './exchanges.ts'
import type { Absent } from './handshake-contender.ts'
import {
  createGnutlsEngineFactory,
  createMemorySessionStore,
  createOpensslEngineFactory,
  guardSessionStore,
  parseX509Credentials,
  systemClock,
  type TlsEngineFactory,
  type TlsOptions,
} from './internals.ts'

export type Library = 'openssl' | 'gnutls'

/** Both ends of one exchange. */
export interface Factories {
  readonly kind: 'factories'
  readonly client: TlsEngineFactory
  readonly server: TlsEngineFactory
}

/** Engines that can do this exchange and nothing else, built once as a program does. */
export function makeFactories(library: Library, exchange: Exchange, certificates: Certificates): Factories | Absent {
  const make = library === 'openssl' ? createOpensslEngineFactory : createGnutlsEngineFactory
  const { version, priority } = exchange
  const common = { minVersion: version, maxVersion: version, priority: priority[library] }
  try {
    return {
      kind: 'factories',
      client: make({
        ...common,
        role: 'client',
        credentials: credentialsOf(certificates.client),
        serverName: SERVER_NAME,
        resumption: exchange.resumption === 'none' ? false : {},
      }),
      server: make({
        ...common,
        role: 'server',
        credentials: credentialsOf(certificates.server),
        resumption: serverResumption(exchange),
      }),
    }
  } catch (error) {
    if (isUnavailable(error)) return { kind: 'absent', reason: 'not installed (apt-get install libgnutls30)' }
    throw error
  }
}

function credentialsOf({ ca, certificate, privateKey }: EndPem): TlsOptions['credentials'] {
  return parseX509Credentials({ ca, certificate, privateKey }, { now: new Date() })
}

function serverResumption({ resumption }: Exchange): TlsOptions['resumption'] {
  switch (resumption) {
    case 'none':
      return false
    case 'ticket':
      return {}
    case 'database': {
      const store = guardSessionStore(createMemorySessionStore({ clock: systemClock }), { clock: systemClock })
      return { store, ticketKeys: false }
    }
  }
}

function isUnavailable(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_SZMQ_ENGINE_UNAVAILABLE'
}
