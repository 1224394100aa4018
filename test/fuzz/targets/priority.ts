import { toOpensslOptions } from '../../../src/security/openssl/priority.ts'
import {
  canonicalPriority,
  DEFAULT_HYBRID_PRIORITY,
  DEFAULT_PRIORITY,
  parsePriority,
} from '../../../src/security/priority/priority.ts'
import { concatBytes } from '../../../src/shared/bytes.ts'
import { SzmqError } from '../../../src/shared/errors.ts'
import type { FuzzTarget } from '../fuzz-target.ts'
import { kindOf, promiseSame, valueOrSzmqError } from '../promises.ts'

const SEEDS = [
  DEFAULT_PRIORITY,
  DEFAULT_HYBRID_PRIORITY,
  'NORMAL',
  'SECURE256:%SERVER_PRECEDENCE:-VERS-ALL:+VERS-TLS1.3',
  'PFS:+GROUP-ALL:-GROUP-FFDHE2048:+SIGN-ALL:%PROFILE_HIGH',
  'SUITEB192:%NO_TICKETS',
  'NORMAL:-KX-ALL:+DHE-PSK:+PSK:+SRP:+ANON-ECDH:%COMPAT:!RSA',
  '@SYSTEM',
]
const WORDS = [
  'NORMAL:',
  ':+',
  ':-',
  ':!',
  ':%',
  '-ALL',
  'VERS-TLS1.2',
  'MAC-',
  'KX-',
  'GROUP-',
  'SIGN-',
  'COMP-NULL',
  'CTYPE-',
  'PROFILE_ULTRA',
  '\0',
]

/** Pieces are put together and read as a text of Latin-1. */
export const priorityTarget: FuzzTarget = {
  name: 'priority',
  share: 8,
  prepare: () => ({
    seeds: SEEDS.map((text) => [Buffer.from(text, 'latin1')]),
    words: WORDS.map((text) => Buffer.from(text, 'latin1')),
    run: (input) => {
      const text = Buffer.from(concatBytes(input)).toString('latin1')
      const priority = valueOrSzmqError(() => parsePriority(text))
      if (priority instanceof SzmqError) return [kindOf(priority)]
      const outcomes = ['3.0.15', '3.5.0'].map((version) => valueOrSzmqError(() => toOpensslOptions(priority, version)))
      const canonical = canonicalPriority(priority)
      const again = valueOrSzmqError(() => parsePriority(canonical))
      // With all that GnuTLS knows it has more tokens than are read.
      if (!(again instanceof SzmqError))
        promiseSame(canonicalPriority(again), canonical, 'the canonical string means something else')
      return [...outcomes.map(kindOf), `canonical ${kindOf(again)}`]
    },
  }),
}
