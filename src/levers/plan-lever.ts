/**
 * What a lever does: from a valid body and what is in force now to the steps that change it, what the answer says about it,
 * or why it is refused. The same plan is shown for a dry run and carried out otherwise.
 *
 * Pure. Sources: public contract, part 7 (precedence, `notApplied`, `confirm`); runbook, "the operator's levers".
 */
import type { Config } from '../config/schema.ts'
import { canonicalComponent, type ComponentName } from '../health/component-names.ts'
import type { JsonObject, JsonValue } from '../operation/converse.ts'
import { operationTypes, routes, type Matrix, type OperationType, type Route } from '../operation/matrix.ts'
import type { FieldError, ProblemCode } from '../operation/problem.ts'
import { notApplied } from '../routing/overrides.ts'
import { configMemberNames, configMembers, isConfigMember, memberFaults } from './config-members.ts'
import { featureFlagNames, featureFlags, isFeatureFlag, type FeatureFlag } from './feature-flags.ts'
import { defaultOf, slots, type Effect } from './in-force.ts'
import type { StepAction } from './lever-state.ts'
import { leverTable, type LeverName } from './lever-table.ts'

export interface LeverBody extends JsonObject {
  readonly reason?: string
  /** Seconds. */
  readonly duration?: number
  readonly dryRun?: boolean
}

export interface PlanContext {
  readonly config: Config
  /** Without what levers have set. */
  readonly fileConfig: Config
  readonly effect: Effect
  /** What is on a slot now. */
  readonly valueOf: (slot: string) => JsonValue
  /** For `config-rollback`: the members of before the change; undefined where the history has no such change. */
  readonly rollbackTo: Readonly<Record<string, JsonValue>> | undefined
  /** Wall clock. */
  readonly nowMs: number
}

export interface Change {
  readonly what: string
  readonly before: JsonValue
  readonly after: JsonValue
}

export interface SlotChange {
  readonly slot: string
  readonly value: JsonValue
}

export type LeverPlan =
  | { readonly kind: 'refused'; readonly code: ProblemCode; readonly detail: string; readonly errors?: readonly FieldError[] }
  | {
      readonly kind: 'change'
      readonly component: ComponentName
      readonly sets: readonly SlotChange[]
      readonly actions: readonly StepAction[]
      /** A reset of the breakers of this component, `null` for all. */
      readonly reset?: ComponentName | null
      readonly changes: readonly Change[]
      readonly notApplied: readonly OperationType[]
      readonly warnings: readonly string[]
      /** Nothing that a duration could end. */
      readonly endless: boolean
      /** A change of the configuration: it enters the history. */
      readonly configuration: boolean
    }

type ChangePlan = Extract<LeverPlan, { readonly kind: 'change' }>

export function planLever(name: LeverName, body: LeverBody, context: PlanContext): LeverPlan {
  switch (name) {
    case 'reset-breakers': {
      const component = componentOf(body) ?? null
      if (component !== null && !hasBreakers(component)) return withoutBreakers(component)
      return { ...change(component ?? 'circuit-breaker', [], context), reset: component, changes: [{ what: `breakers of ${component ?? 'all components'}`, before: 'as they are', after: 'closed' }], endless: true }
    }
    case 'enable-breakers':
    case 'disable-breakers': {
      const component = componentOf(body) ?? null
      if (component !== null && !hasBreakers(component)) return withoutBreakers(component)
      return change(component ?? 'circuit-breaker', breakerSets(routeOf(component ?? undefined), name === 'disable-breakers', context), context)
    }
    case 'force-mcp':
    case 'force-direct': {
      const route: Route = name === 'force-mcp' ? 'mcp' : 'direct'
      return {
        ...change('hybrid-router', [{ slot: slots.force, value: route }], context),
        notApplied: notApplied({ lever: 'force', route }, matrixOf(context)),
        warnings: isolationWarning(context, route),
      }
    }
    case 'end-force':
      return emptied('hybrid-router', [slots.force], context)
    case 'bedrock-percentage': {
      const percentage = body['percentage'] as number
      const { force } = context.effect.overrides
      return {
        ...change('hybrid-router', [{ slot: slots.percentage, value: percentage === 100 ? null : percentage }], context),
        notApplied: notApplied({ lever: 'percentage', directPercent: percentage }, matrixOf(context)),
        warnings: [
          ...(force === null ? [] : [`The forced route ${force.route} outranks the percentage: it counts once the force has ended (end-force, DELETE /admin/routing/override).`]),
          ...isolationWarning(context, 'direct'),
        ],
      }
    }
    case 'routing-config':
    case 'config-update': {
      const members = Object.entries(body).filter(([member]) => isConfigMember(member))
      if (members.length === 0) return invalid(Object.keys(leverTable[name].body)[0] ?? 'body', `is required, or another of ${Object.keys(leverTable[name].body).join(', ')}.`)
      return configured(Object.fromEntries(members), context)
    }
    case 'fallback':
      return configured({ fallbackAggressiveness: body['aggressiveFallback'] === true ? 1 : null }, context)
    case 'config-rollback': {
      const { rollbackTo } = context
      if (rollbackTo === undefined) {
        return body['id'] === undefined
          ? { kind: 'refused', code: 'conflict', detail: 'No lever has changed the configuration: there is nothing to roll back.' }
          : { kind: 'refused', code: 'not_found', detail: 'id: the history has no change by a lever with this id; a change of the file is undone in the file.' }
      }
      return configured(Object.fromEntries(configMemberNames.map((member) => [member, rollbackTo[member] ?? null])), context)
    }
    case 'isolate-component': {
      const component = componentOf(body)
      const route = routeOf(component)
      if (component === undefined || route === null) return invalid('component', 'cannot be isolated: only direct-bedrock-client and mcp-router can, and everything else stops with them.')
      if (route === 'direct' && body['confirm'] !== true && body.dryRun !== true) {
        return invalid('confirm', 'must be true: isolating the direct client fails every emergency, since emergencies have no other route.')
      }
      const plan = change(component, [{ slot: slots.isolation(route), value: true }], context)
      const alone = operationTypes.filter((type) => onlyRoute(matrixOf(context), type) === route)
      return {
        ...plan,
        notApplied: notApplied({ lever: 'isolation', route }, matrixOf(context)),
        warnings: alone.length === 0 ? [] : [`Without another route these fail: ${alone.join(', ')}.`],
      }
    }
    case 'restore-component': {
      const component = componentOf(body)
      const route = routeOf(component)
      if (component === undefined || route === null) return invalid('component', 'cannot be isolated, so there is nothing to restore: only direct-bedrock-client and mcp-router can.')
      return emptied(component, [slots.isolation(route)], context)
    }
    case 'enable-emergency':
      return change('hybrid-router', [{ slot: slots.emergency, value: true }], context)
    case 'disable-emergency':
      return change('hybrid-router', [{ slot: slots.emergency, value: null }], context)
    case 'enable-maintenance':
      return { ...change('hybrid-router', [{ slot: slots.maintenance, value: true }], context), notApplied: ['emergency'] }
    case 'disable-maintenance':
      return change('hybrid-router', [{ slot: slots.maintenance, value: null }], context)
    case 'enable-flag':
    case 'disable-flag': {
      const flag = typeof body['name'] === 'string' ? body['name'] : ''
      if (!isFeatureFlag(flag)) return { kind: 'refused', code: 'not_found', detail: `There is no such flag; known are ${featureFlagNames.join(', ')}.` }
      return { ...change(flag === 'ENABLE_BEDROCK_SUPPORT_MODE' ? 'support-manager' : 'hybrid-router', [flagSet(flag, name === 'enable-flag')], context), warnings: [featureFlags[flag].meaning] }
    }
    case 'activate-support':
      if (!context.effect.flags.ENABLE_BEDROCK_SUPPORT_MODE) return { kind: 'refused', code: 'conflict', detail: 'The flag ENABLE_BEDROCK_SUPPORT_MODE is off: enable it first.' }
      return { ...change('support-manager', [{ slot: slots.support, value: true }], context), warnings: [supportAbsent] }
    case 'deactivate-support':
      return { ...change('support-manager', [{ slot: slots.support, value: null }], context), warnings: [supportAbsent] }
    case 'shutdown-support':
      return { ...change('support-manager', [{ slot: slots.support, value: null }, flagSet('ENABLE_BEDROCK_SUPPORT_MODE', false)], context), warnings: [supportAbsent] }
    case 'optimize':
    case 'test-bedrock':
    case 'suppress-alerts':
    case 'resolve-alerts':
    case 'test-alerts':
      // Carried out by their own parts of the service; see `levers.ts`.
      return change(leverTable[name].component, [], context)
  }
}

export const supportAbsent = 'This version has no Support Manager: the mode is kept and reported, and no support operation runs.'

/** What is set by configuration members; `null` brings the file's value back. */
export function configured(members: Readonly<Record<string, JsonValue>>, context: PlanContext): LeverPlan {
  const faults = memberFaults(context.fileConfig, members)
  if (faults.length > 0) return { kind: 'refused', code: 'invalid_request', detail: `${faults[0]?.path ?? ''}: ${faults[0]?.message ?? ''}`, errors: faults }
  const plan = change('hybrid-router', Object.entries(members).map(([member, value]) => ({ slot: slots.config(member), value })), context)
  const changes = configMemberNames
    .filter((member) => member in members)
    .map((member): Change => {
      const after = members[member] ?? null
      return { what: member, before: configMembers[member].read(context.config), after: after ?? configMembers[member].read(context.fileConfig) }
    })
    .filter(({ before, after }) => before !== after)
  return { ...plan, changes, configuration: true }
}

function change(component: ComponentName, sets: readonly SlotChange[], context: PlanContext): ChangePlan {
  const changes = sets
    .map(({ slot, value }): Change => ({ what: slot, before: context.valueOf(slot), after: value ?? defaultOf(slot) }))
    .filter(({ before, after }) => before !== after)
  return { kind: 'change', component, sets, actions: [], changes, notApplied: [], warnings: [], endless: false, configuration: false }
}

/** Everything on the slots goes, also what would come back when a timed lever ends. */
function emptied(component: ComponentName, names: readonly string[], context: PlanContext): ChangePlan {
  const plan = change(component, names.map((slot) => ({ slot, value: null })), context)
  return { ...plan, sets: [], actions: [{ kind: 'clear', slots: names, atMs: context.nowMs }], endless: true }
}

function flagSet(flag: FeatureFlag, on: boolean): SlotChange {
  return { slot: slots.flag(flag), value: featureFlags[flag].default === on ? null : on }
}

/**
 * For all of them the slots of single components are emptied as well, so that the last word counts. A component has a word of
 * its own only where it differs from that for all.
 */
function breakerSets(route: Route | null, off: boolean, context: PlanContext): readonly SlotChange[] {
  if (route === null) {
    const words = routes.map((each) => slots.breakersOf(each)).filter((slot) => context.valueOf(slot) !== null)
    return [{ slot: slots.breakers, value: off ? 'off' : null }, ...words.map((slot) => ({ slot, value: null }))]
  }
  const allOff = context.valueOf(slots.breakers) === 'off'
  return [{ slot: slots.breakersOf(route), value: off === allOff ? null : off ? 'off' : 'on' }]
}

function componentOf(body: LeverBody): ComponentName | undefined {
  const name = body['component']
  return typeof name === 'string' ? (canonicalComponent(name) ?? undefined) : undefined
}

function routeOf(component: ComponentName | undefined): Route | null {
  if (component === 'direct-bedrock-client') return 'direct'
  return component === 'mcp-router' ? 'mcp' : null
}

function hasBreakers(component: ComponentName): boolean {
  return routeOf(component) !== null || component === 'circuit-breaker' || component === 'hybrid-router'
}

function withoutBreakers(component: ComponentName): LeverPlan {
  return invalid('component', `${component} has no breakers; direct-bedrock-client has one per target, mcp-router one per server.`)
}

function onlyRoute(matrix: Matrix, type: OperationType): Route | null {
  const row = matrix[type]
  return type === 'emergency' || row.fallback === 'none' ? row.route : null
}

function matrixOf(context: PlanContext): Matrix {
  return context.config.routing.matrix
}

function isolationWarning(context: PlanContext, route: Route): readonly string[] {
  return context.effect.overrides.isolated.some((isolated) => isolated.route === route) ? [`The route ${route} is isolated, which outranks this lever: restore its component first.`] : []
}

function invalid(path: string, message: string): LeverPlan {
  return { kind: 'refused', code: 'invalid_request', detail: `${path}: ${message}`, errors: [{ path, message }] }
}
