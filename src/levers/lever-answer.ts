/**
 * What a lever is asked and what it answers, and how levers in force are shown: the shapes that travel.
 */
import type { JsonValue } from '../operation/converse.ts'
import type { LeverName } from './lever-table.ts'
import type { Change, LeverBody } from './plan-lever.ts'

export interface LeverRequest {
  readonly lever: LeverName
  /** Valid by the lever's schema. */
  readonly body: LeverBody
  readonly by: string
  readonly correlationId: string
}

export interface LeverAnswer {
  readonly lever: LeverName
  readonly status: 'applied' | 'unchanged' | 'dry_run'
  readonly component: string
  readonly changed: readonly Change[]
  /** RFC 3339; `null`: until it is lifted, or nothing that ends. */
  readonly until: string | null
  readonly by: string
  readonly reason: string | null
  /** What it leaves as it is: types of operations, alerts. */
  readonly notApplied: readonly string[]
  readonly warnings: readonly string[]
  readonly undo: string
  readonly auditId: string | null
  /** `waiting`: the store is away; the record is written when it is back. */
  readonly audit: 'written' | 'waiting' | 'none'
  /** Whether other instances and a restart know of it already. */
  readonly stored: boolean
  /** What a lever found that looks or proposes. */
  readonly result?: JsonValue
}

export interface Override {
  readonly what: string
  readonly value: JsonValue
  readonly lever: string
  readonly component: string
  readonly by: string
  readonly automatic: boolean
  readonly reason: string | null
  readonly since: string
  readonly until: string | null
  readonly auditId: string
}

export interface ShownReset {
  readonly component: string
  readonly by: string
  readonly reason: string | null
  readonly at: string
  readonly auditId: string
}
