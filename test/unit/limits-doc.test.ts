import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { DEFAULT_MAILBOX } from '../../src/actors/define-actor.ts'
import { DEFAULT_SESSION_LIMITS } from '../../src/security/limits.ts'
import { MAX_UNANSWERED_BYTES } from '../../src/security/openssl-engine.driver.ts'
import { DEFAULT_CLIENT_SESSIONS_LIMITS } from '../../src/security/resumption/client-sessions.ts'
import { DEFAULT_GUARDED_SESSION_STORE_LIMITS } from '../../src/security/resumption/guarded-session-store.ts'
import { DEFAULT_MEMORY_SESSION_STORE_LIMITS } from '../../src/security/resumption/memory-session-store.ts'
import { DEFAULT_SQLITE_SESSION_STORE_LIMITS } from '../../src/security/resumption/sqlite-session-store.driver.ts'
import { MAX_NODE_BATCH_BYTES, MAX_THREAD_BATCH_BYTES } from '../../src/transport/batch-limits.ts'
import { DEFAULT_BRIDGE_LIMITS } from '../../src/transport/bridge-limits.ts'
import { DEFAULT_GATE_LIMITS } from '../../src/transport/gate-limits.ts'
import { MAX_COOKIE_ANSWERS, MAX_HELLO_BYTES } from '../../src/transport/hello-memory.ts'
import { DEFAULT_LINK_LIMITS } from '../../src/transport/link.ts'
import { DEFAULT_SOCKET_LIMITS } from '../../src/transport/socket-limits.ts'
import { DEFAULT_STREAM_LIMITS, MAX_SENT_FRAME_BYTES } from '../../src/transport/stream-limits.ts'
import { MAX_READY_BYTES } from '../../src/transport/zmtp-inspector.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const text = await readFile(join(root, 'docs/limits.md'), 'utf8')

const GROUPS: Readonly<Record<string, object>> = {
  DEFAULT_BRIDGE_LIMITS,
  DEFAULT_CLIENT_SESSIONS_LIMITS,
  DEFAULT_GATE_LIMITS,
  DEFAULT_GUARDED_SESSION_STORE_LIMITS,
  DEFAULT_LINK_LIMITS,
  DEFAULT_MAILBOX,
  DEFAULT_MEMORY_SESSION_STORE_LIMITS,
  DEFAULT_SESSION_LIMITS,
  DEFAULT_SOCKET_LIMITS,
  DEFAULT_SQLITE_SESSION_STORE_LIMITS,
  DEFAULT_STREAM_LIMITS,
}
const FIXED = {
  MAX_SENT_FRAME_BYTES,
  MAX_COOKIE_ANSWERS,
  MAX_HELLO_BYTES,
  MAX_READY_BYTES,
  MAX_NODE_BATCH_BYTES,
  MAX_THREAD_BATCH_BYTES,
  MAX_UNANSWERED_BYTES,
}
const UNITS: Readonly<Record<string, number>> = { KiB: 1024, MiB: 1024 * 1024 }

/** The rows of the table in the section that says `marker`: name → value, in numbers where it is one. */
function tableOf(marker: string): Record<string, unknown> {
  const section = text.split('\n## ').find((part) => part.includes(marker)) ?? ''
  const rows = [...section.matchAll(/^\| `(\w+)`\s*\| ([^|]+?)\s*\| ([^|]+?)\s*\|$/gm)]
  for (const [, name = '', , what = ''] of rows) expect(what.length, `${name} says what happens`).toBeGreaterThan(10)
  return Object.fromEntries(rows.map(([, name = '', value = '']) => [name, valueOf(name, value)]))
}

function valueOf(name: string, cell: string): unknown {
  const word = /^`(.+)`$/.exec(cell)?.[1]
  if (word !== undefined) return word
  const match = /^(\d[\d ]*?)(?: (KiB|MiB|B|ms|a second))?$/.exec(cell)
  const unit = match?.[2] ?? ''
  if (name.endsWith('Ms')) expect(unit, name).toBe('ms')
  if (name.toLowerCase().endsWith('bytes')) expect(['B', 'KiB', 'MiB'], name).toContain(unit)
  return Number(match?.[1]?.replaceAll(' ', '')) * (UNITS[unit] ?? 1)
}

describe('docs/limits.md', () => {
  it.each(Object.keys(GROUPS))('lists %s as it is, each limit with its unit and what happens there', (name) => {
    expect(tableOf(`\`${name}\``)).toEqual(GROUPS[name])
  })

  it('lists the bounds that cannot be set', () => {
    expect(tableOf('Bounds that cannot be set')).toEqual(FIXED)
  })

  it('knows every set of limits that there is', async () => {
    const names = new Set<string>()
    for (const file of await readdir(join(root, 'src'), { recursive: true })) {
      if (!file.endsWith('.ts')) continue
      const source = await readFile(join(root, 'src', file), 'utf8')
      for (const [, name = ''] of source.matchAll(/export const (DEFAULT_\w*LIMITS)\b/g)) names.add(name)
    }
    expect([...names].filter((name) => GROUPS[name] === undefined)).toEqual([])
  })
})
