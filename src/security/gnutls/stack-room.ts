/** 16 KiB of stack, 8 bytes for each. GnuTLS's way back into JavaScript was seen to take between 4 and 8 (Node 20, x64). */
const ROOM = Array.from<undefined>({ length: 2_048 })

/**
 * Is there room on the stack for GnuTLS to call back? Ask before GnuTLS is on the stack: a callback that cannot begin gives koffi no result, GnuTLS
 * takes whatever lies there for one, and reads on for ever.
 *
 * @throws RangeError (V8's own) if there is not
 */
export function requireStackRoom(): void {
  Reflect.apply(takeRoom, undefined, ROOM)
}

function takeRoom(): void {}
