/**
 * The port to counts that the instances of a store share: requests of a caller, wrong keys of an address. Nobody waits for
 * it on the way of a request: each instance counts for itself and is told afterwards what all have counted.
 */
export interface SharedCount {
  readonly count: number
  /** ms until it begins anew. */
  readonly endsInMs: number
}

export interface AddToCount {
  readonly key: string
  readonly points: number
  /** From the first addition. */
  readonly windowMs: number
  /** When the count reaches `at` it stays for `forMs` from then: a lock-out that all can see. */
  readonly hold?: { readonly at: number; readonly forMs: number }
}

export interface SharedCounts {
  /** Answers with the count of all instances; rejects when the store cannot be reached. */
  add(what: AddToCount): Promise<SharedCount>
  close(): Promise<void>
}
