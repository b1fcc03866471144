/**
 * The port to small records that outlive a process or are seen by several: results, idempotency keys, overrides, alerts,
 * audit. A record is a JSON value under a collection and a key; it has a version for compare-and-set and may expire.
 *
 * Semantics that every engine keeps (its conformance suite says so test by test): an expired record is never returned, not
 * even before it is swept; of several writers with the same `ifVersion` exactly one succeeds; keys list in byte order;
 * values are copied in and out. Every method rejects with a `StoreError` and nothing else
 * (a wrong argument of ours is an assertion). Expiry is judged by the
 * wall clock that the engine was given: when that is set back, a record that has not been swept yet lives again.
 */
import assert from 'node:assert'
import type { JsonValue } from '../operation/converse.ts'
import { storeLimits } from './limits.ts'
import { StoreError } from './store-error.ts'

export interface StateRecord {
  readonly key: string
  readonly value: JsonValue
  /** Grows with every write of the key, a deletion in between included, so that an old version never fits a new record. */
  readonly version: number
  /** Wall clock; null: kept until deleted. */
  readonly expiresAtMs: number | null
}

/** A value that its owner has as JSON already: engines keep the text as it is. */
export class JsonText {
  readonly text: string

  /** @param text valid JSON */
  constructor(text: string) {
    this.text = text
  }
}

export type PutOutcome =
  | { readonly stored: true; readonly version: number }
  /** The condition did not hold; what is there instead, if anything. */
  | { readonly stored: false; readonly current: StateRecord | undefined }

export interface PutOptions {
  readonly expiresAtMs?: number
  /** Write only when the key is absent, or only over this version. Without it the write always succeeds. */
  readonly ifVersion?: number | 'absent'
}

export interface ListOptions {
  readonly prefix?: string
  /** Keys strictly after this one in the listing's direction: the last key of the page before. */
  readonly after?: string
  readonly limit: number
  /** From the greatest key down; ids sort by creation, so this is newest first. */
  readonly descending?: boolean
}

export interface StateStore {
  get(collection: string, key: string): Promise<StateRecord | undefined>
  put(collection: string, key: string, value: JsonValue | JsonText, options?: PutOptions): Promise<PutOutcome>
  /** True when a record was there (and had that version) and is gone now. */
  delete(collection: string, key: string, options?: { readonly ifVersion?: number }): Promise<boolean>
  list(collection: string, options: ListOptions): Promise<readonly StateRecord[]>
  /** Resolves when the engine reads and writes; rejects with the reason when it does not. For health. */
  check(): Promise<void>
  close(): Promise<void>
}

/** The value as engines keep it; refuses one that is too large. */
export function stateValueText(value: JsonValue | JsonText): string {
  const text = value instanceof JsonText ? value.text : JSON.stringify(value)
  // A JSON text has at most three bytes per UTF-16 unit; counting exactly is for values near the limit only.
  if (text.length * 3 > storeLimits.valueBytes && new TextEncoder().encode(text).length > storeLimits.valueBytes) {
    throw new StoreError('invalid', `value: longer than ${storeLimits.valueBytes} bytes.`)
  }
  return text
}

export function assertListOptions(options: ListOptions): void {
  assert(Number.isInteger(options.limit) && options.limit >= 1 && options.limit <= storeLimits.listLimit, `limit: ${options.limit} is not in [1, ${storeLimits.listLimit}]`)
}
