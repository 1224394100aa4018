import type { FuzzTarget } from './fuzz-target.ts'
import { credentialsTarget } from './targets/credentials.ts'
import { gnutlsTarget, opensslTarget } from './targets/engines.ts'
import { frameTarget } from './targets/frame.ts'
import { handshakeTarget } from './targets/handshake.ts'
import { handshakeWatchTarget } from './targets/handshake-watch.ts'
import { innerFrameTarget } from './targets/inner-frame.ts'
import { keptSessionTarget } from './targets/kept-session.ts'
import { linkTarget } from './targets/link.ts'
import { linkMessageTarget } from './targets/link-message.ts'
import { messageTarget } from './targets/message.ts'
import { originTarget } from './targets/origin.ts'
import { pipeHeadTarget } from './targets/pipe-head.ts'
import { priorityTarget } from './targets/priority.ts'
import { recordTarget } from './targets/record.ts'
import { refTarget } from './targets/ref.ts'
import { sessionTarget } from './targets/session.ts'
import { streamClientTarget } from './targets/stream-client.ts'
import { streamServerTarget } from './targets/stream-server.ts'

/** Everything that takes bytes of strangers, from the wire up. */
export const fuzzTargets: readonly FuzzTarget[] = [
  frameTarget,
  streamServerTarget,
  streamClientTarget,
  recordTarget,
  handshakeTarget,
  handshakeWatchTarget,
  opensslTarget,
  gnutlsTarget,
  sessionTarget,
  innerFrameTarget,
  linkMessageTarget,
  linkTarget,
  messageTarget,
  refTarget,
  pipeHeadTarget,
  originTarget,
  keptSessionTarget,
  credentialsTarget,
  priorityTarget,
]
