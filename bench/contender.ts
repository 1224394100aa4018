/** One way to get messages from a sender to a handler. Every contender of a row carries the same messages over the same distance. */
export interface Contender {
  readonly name: string
  /** One line for the reader: which calls are measured. */
  readonly about: string
  /** Starts threads or processes. Nothing of it is measured. */
  setup(): Promise<Session>
}

/** A contender that is up. Silent while another one is measured. */
export interface Session {
  /** Sends `work.count` messages as fast as the contender can, and waits until the receiver has handled all of them. */
  run(work: Work): Promise<Delivery>
  /** Sends one message, waits for its echo, sends the next. Gives the milliseconds of each trip. Only where a row measures it. */
  roundTrips?(count: number): Promise<readonly number[]>
  /** Ends every thread and process that {@link Contender.setup} started. */
  teardown(): Promise<void>
}

export interface Work {
  readonly count: number
  readonly sizeBytes: number
}

/** What the receiver's handler counted, and how long it took from the first send until that count was back at the sender. */
export interface Delivery {
  readonly tally: Tally
  readonly ms: number
}

export interface Tally {
  readonly messages: number
  readonly bytes: number
  /** Of the content: a lost, repeated or damaged message changes it. */
  readonly checksum: number
}
