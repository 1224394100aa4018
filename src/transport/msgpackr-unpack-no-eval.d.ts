/** The package has no types for this entry of its own: msgpackr's decoder, without generated code. A module by itself, extensions included. */
declare module 'msgpackr/unpack-no-eval' {
  import type { addExtension, Unpackr } from 'msgpackr'

  const noEval: { readonly addExtension: typeof addExtension; readonly Unpackr: typeof Unpackr }
  export default noEval
}
