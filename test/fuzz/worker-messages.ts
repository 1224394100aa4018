/** What a worker is to do: one target, or one input of it again. */
export interface WorkerJob {
  readonly target: string
  readonly seed: number
  readonly maxInputs: number
  readonly maxSeconds: number
  /** The input under way is written here, for whoever finds the process dead. */
  readonly scratchFile: string
  /** Set: nothing but this input is run. */
  readonly only?: readonly string[]
}

export type WorkerMessage =
  | { readonly kind: 'progress'; readonly inputs: number }
  | {
      readonly kind: 'done'
      readonly inputs: number
      readonly seconds: number
      readonly corpusSize: number
      readonly coveredCharacters: number
      readonly slowestMs: number
      readonly slowestBytes: number
      /** Hexadecimal pieces, the shortest first. */
      readonly discoveries: readonly (readonly string[])[]
      readonly failure: { readonly why: string; readonly stack: string; readonly input: readonly string[] } | undefined
    }

export type WorkerDone = Extract<WorkerMessage, { kind: 'done' }>
