/**
 * From the stored state to what is in force now, in the words of those who act on it: the router's overrides, the modes, the
 * flags, the configuration that levers have changed.
 *
 * An end is stored as a wall-clock instant, because it must survive a restart, and counted on the monotonic clock of the
 * process, because a correction of the machine's clock must not end a lever early or late. It is converted once, when a
 * process first sees the lever; what is left is never more than the lever's whole duration, whatever the clock says.
 *
 * Pure: instants are arguments.
 */
import type { JsonValue } from '../operation/converse.ts'
import { routes, type Route } from '../operation/matrix.ts'
import { noOverrides, type Overrides } from '../routing/conditions.ts'
import { featureFlagNames, featureFlags, isFeatureFlag, type FeatureFlag } from './feature-flags.ts'
import type { LeverState, Pulled } from './lever-state.ts'

/** Monotonic end of a lever that is seen for the first time now. */
export function monotonicEnd(pulled: Pulled, wallMs: number, monotonicMs: number): number {
  if (pulled.untilMs === null) return Number.POSITIVE_INFINITY
  const leftMs = Math.min(pulled.untilMs - wallMs, pulled.durationMs ?? Number.POSITIVE_INFINITY)
  return monotonicMs + Math.max(0, leftMs)
}

/** Where each lever ends, on the monotonic clock of this process. */
export type Ends = ReadonlyMap<string, number>

export interface InForce {
  readonly slot: string
  readonly pulled: Pulled
  /** Monotonic. */
  readonly endMs: number
}

/** The lever in force of each slot; levers that set the default for a time are among them. */
export function leversInForce(state: LeverState, ends: Ends, nowMs: number): readonly InForce[] {
  return Object.entries(state.slots).flatMap(([slot, stack]) => {
    const top = stack.find((pulled) => nowMs < endOf(pulled, ends))
    return top === undefined ? [] : [{ slot, pulled: top, endMs: endOf(top, ends) }]
  })
}

/** The ids of what is over, wherever it lies. */
export function endedIds(state: LeverState, ends: Ends, nowMs: number): readonly string[] {
  return Object.values(state.slots).flatMap((stack) => stack.filter((pulled) => nowMs >= endOf(pulled, ends)).map(({ id }) => id))
}

/** When the next lever ends, Infinity when none does by itself. */
export function nextEndMs(state: LeverState, ends: Ends): number {
  let next = Number.POSITIVE_INFINITY
  for (const stack of Object.values(state.slots)) for (const pulled of stack) next = Math.min(next, endOf(pulled, ends))
  return next
}

function endOf(pulled: Pulled, ends: Ends): number {
  return ends.get(pulled.id) ?? Number.POSITIVE_INFINITY
}

export interface Modes {
  readonly emergency: boolean
  readonly maintenance: boolean
  readonly breakersOff: Readonly<Record<Route, boolean>>
}

export interface Effect {
  readonly overrides: Overrides
  readonly modes: Modes
  readonly flags: Readonly<Record<FeatureFlag, boolean>>
  /** Members of the configuration that levers have set, by the levers' names for them. */
  readonly members: Readonly<Record<string, JsonValue>>
  readonly supportMode: boolean
}

export const slots = {
  force: 'force',
  automatic: 'automatic',
  percentage: 'percentage',
  emergency: 'emergency-mode',
  maintenance: 'maintenance',
  support: 'support-mode',
  breakers: 'breakers',
  breakersOf: (route: Route) => `breakers:${route}`,
  isolation: (route: Route) => `isolation:${route}`,
  flag: (name: FeatureFlag) => `flag:${name}`,
  config: (member: string) => `config:${member}`,
} as const

export function effectOf(levers: readonly InForce[]): Effect {
  const bySlot = new Map(levers.filter(({ pulled }) => pulled.value !== null).map((lever) => [lever.slot, lever]))
  const flags = Object.fromEntries(featureFlagNames.map((name) => [name, bySlot.get(slots.flag(name))?.pulled.value ?? featureFlags[name].default])) as Record<FeatureFlag, boolean>
  const named = (prefix: string): (readonly [string, InForce])[] => [...bySlot].filter(([slot]) => slot.startsWith(prefix)).map(([slot, lever]) => [slot.slice(prefix.length), lever] as const)
  const force = bySlot.get(slots.force)
  const automatic = bySlot.get(slots.automatic)
  const percentage = bySlot.get(slots.percentage)
  const isolated = routes.flatMap((route) => {
    const lever = bySlot.get(slots.isolation(route))
    return lever === undefined ? [] : [{ route, untilMs: lever.endMs }]
  })
  const emergencyMode = bySlot.get(slots.emergency)
  const maintenance = bySlot.get(slots.maintenance)
  const aggressiveness = bySlot.get(slots.config('fallbackAggressiveness'))
  const measures = flags.ENABLE_INTELLIGENT_ROUTING
  const overrides: Overrides = {
    isolated,
    force: force === undefined ? null : { route: force.pulled.value as Route, untilMs: force.endMs },
    automatic: automatic === undefined || !measures ? null : { prefer: automatic.pulled.value as Route, untilMs: automatic.endMs },
    percentage: percentage === undefined ? null : { directPercent: percentage.pulled.value as number, untilMs: percentage.endMs },
    emergencyMode: emergencyMode === undefined ? null : { untilMs: emergencyMode.endMs },
    maintenance: maintenance === undefined ? null : { untilMs: maintenance.endMs },
    fallbackAggressiveness: measures
      ? aggressiveness === undefined
        ? null
        : { value: aggressiveness.pulled.value as number, untilMs: aggressiveness.endMs }
      : { value: 0, untilMs: Number.POSITIVE_INFINITY },
  }
  const breakersOff = (route: Route): boolean => (bySlot.get(slots.breakersOf(route))?.pulled.value ?? bySlot.get(slots.breakers)?.pulled.value) === 'off'
  const nothing = isolated.length === 0 && [overrides.force, overrides.automatic, overrides.percentage, overrides.emergencyMode, overrides.maintenance, overrides.fallbackAggressiveness].every((override) => override === null)
  return {
    // The same object where nothing is overridden: the router tells by identity that there is nothing to weigh.
    overrides: nothing ? noOverrides : overrides,
    modes: {
      emergency: emergencyMode !== undefined,
      maintenance: maintenance !== undefined,
      breakersOff: { direct: breakersOff('direct'), mcp: breakersOff('mcp') },
    },
    flags,
    members: Object.fromEntries(named('config:').map(([member, { pulled }]) => [member, pulled.value])),
    supportMode: bySlot.has(slots.support) && flags.ENABLE_BEDROCK_SUPPORT_MODE,
  }
}

/** The value that a slot has when no lever is on it. */
export function defaultOf(slot: string): JsonValue {
  const flag = slot.startsWith('flag:') ? slot.slice('flag:'.length) : ''
  return isFeatureFlag(flag) ? featureFlags[flag].default : null
}
