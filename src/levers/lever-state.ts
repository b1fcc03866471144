/**
 * What the levers have set, as one small value that is stored, shared by the instances of one store, and survives a restart.
 *
 * Each lever acts on a slot (`force`, `isolation:direct`, `config:mcpTimeout`, …). A slot is a stack: a lever with a duration
 * lies on top of what lasts longer than it does, so that its end brings that back: undone means as it was. A lever without
 * an end replaces everything below it. A value of `null` is the slot's own default: for a time, or, without an end, an empty
 * slot.
 *
 * Changes are steps. A step can be taken again on another base (another instance wrote first), and is taken only once (its
 * outcome was unknown): the state remembers the last ids.
 *
 * Pure. Ends are wall-clock instants here; `in-force.ts` puts them on the monotonic clock of a process.
 */
import type { JsonValue } from '../operation/converse.ts'
import { leverLimits } from './limits.ts'

export interface Pulled {
  /** The id of its audit record. */
  readonly id: string
  readonly lever: string
  readonly component: string
  /** `null`: the slot's default. */
  readonly value: JsonValue
  readonly by: string
  readonly automatic: boolean
  readonly reason: string | null
  /** Wall clock. */
  readonly sinceMs: number
  /** Wall clock; `null`: until it is lifted. */
  readonly untilMs: number | null
  readonly durationMs: number | null
}

/** An order that is carried out once on every instance, such as a reset of breakers. */
export interface Reset {
  readonly id: string
  /** `null`: all. */
  readonly component: string | null
  readonly by: string
  readonly reason: string | null
  readonly atMs: number
}

export interface LeverState {
  /** By slot; the lever in force first. */
  readonly slots: Readonly<Record<string, readonly Pulled[]>>
  /** The newest last. */
  readonly resets: readonly Reset[]
  /** Ids of the last steps. */
  readonly taken: readonly string[]
}

export type StepAction =
  | { readonly kind: 'set'; readonly slot: string; readonly pulled: Pulled }
  /** Empties the slots of what was pulled until then. */
  | { readonly kind: 'clear'; readonly slots: readonly string[]; readonly atMs: number }
  /** What is over. */
  | { readonly kind: 'end'; readonly ids: readonly string[] }
  | { readonly kind: 'reset'; readonly reset: Reset }

export interface Step {
  readonly id: string
  readonly actions: readonly StepAction[]
}

export const emptyState: LeverState = Object.freeze({ slots: Object.freeze({}), resets: Object.freeze([]), taken: Object.freeze([]) })

export function takeStep(state: LeverState, step: Step): LeverState {
  if (state.taken.includes(step.id)) return state
  let next = state
  for (const action of step.actions) next = takeAction(next, action)
  return { ...next, taken: [...state.taken, step.id].slice(-leverLimits.remembered) }
}

function takeAction(state: LeverState, action: StepAction): LeverState {
  switch (action.kind) {
    case 'set':
      return withSlot(state, action.slot, pulledOnto(state.slots[action.slot] ?? [], action.pulled))
    case 'clear': {
      let next = state
      for (const slot of action.slots) next = withSlot(next, slot, (state.slots[slot] ?? []).filter((pulled) => pulled.sinceMs > action.atMs))
      return next
    }
    case 'end': {
      let next = state
      for (const [slot, stack] of Object.entries(state.slots)) {
        if (stack.some(({ id }) => action.ids.includes(id))) next = withSlot(next, slot, stack.filter(({ id }) => !action.ids.includes(id)))
      }
      return next
    }
    case 'reset':
      return { ...state, resets: [...state.resets, action.reset].slice(-leverLimits.resets) }
  }
}

function pulledOnto(stack: readonly Pulled[], pulled: Pulled): readonly Pulled[] {
  if (pulled.untilMs === null) return pulled.value === null ? [] : [pulled]
  const below = stack.filter((other) => outlives(other, pulled))
  // The default for a time, where nothing would come back after it.
  if (pulled.value === null && below.length === 0) return []
  if (below.length <= leverLimits.beneath) return [pulled, ...below]
  // What lasts longest is what must come back in the end; what is in the middle is given up.
  return [pulled, ...below.slice(0, leverLimits.beneath - 1), ...below.slice(-1)]
}

function outlives(other: Pulled, pulled: Pulled): boolean {
  return pulled.untilMs !== null && (other.untilMs === null || other.untilMs > pulled.untilMs)
}

function withSlot(state: LeverState, slot: string, stack: readonly Pulled[]): LeverState {
  if (stack.length > 0) return { ...state, slots: { ...state.slots, [slot]: stack } }
  if (state.slots[slot] === undefined) return state
  const { [slot]: _emptied, ...slots } = state.slots
  return { ...state, slots }
}
