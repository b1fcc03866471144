/**
 * The operators' levers as data: the request, its body, what it changes and how it is undone. The HTTP routes, the OpenAPI
 * document, the command line (`admin NAME`) and the validation are made from this table; what a lever does with its body is in
 * `plan-lever.ts`. Every lever takes `reason`, `duration` (seconds) and `dryRun` besides its own members and needs the role
 * `admin`.
 *
 * Source: runbook, "Incident response: the operator's levers". Beside its table stand the ways back that it implies:
 * `restore-component` and `config-rollback`.
 */
import { Type, type TProperties, type TSchema } from 'typebox'
import { alertSeverities } from '../operation/alert-facts.ts'
import { componentAliases, componentNames, type ComponentName } from '../health/component-names.ts'
import { optimizationModes } from '../routing/propose-thresholds.ts'
import { configMembers } from './config-members.ts'
import { leverLimits } from './limits.ts'

/** Who carries a lever out: the state that is shared and stored, or a part of the service that is asked once. */
export type LeverKind = 'state' | 'act'

export interface LeverDefinition {
  readonly method: 'POST' | 'DELETE'
  readonly path: string
  readonly kind: LeverKind
  /** The component whose behaviour it changes. */
  readonly component: ComponentName
  readonly summary: string
  readonly undone: string
  readonly body: TProperties
  /** A parameter of the path that stands for a member. */
  readonly pathMember?: string
}

const optional = <Schema extends TSchema>(schema: Schema): ReturnType<typeof Type.Optional<Schema>> => Type.Optional(schema)
const component = Type.Enum([...componentNames, ...Object.keys(componentAliases)], { description: 'A component by its name or an alias.' })
const severities = Type.Array(Type.Enum([...alertSeverities]), { minItems: 1, maxItems: alertSeverities.length, description: 'Severities.' })
const configNumber = (name: keyof typeof configMembers): TSchema => {
  const { minimum, maximum, integer, unit, meaning } = configMembers[name]
  const options = { minimum, maximum, description: `${meaning} Unit: ${unit}.` }
  return integer ? Type.Integer(options) : Type.Number(options)
}
const thresholds = {
  directBedrockLatencyThreshold: optional(configNumber('directBedrockLatencyThreshold')),
  mcpLatencyThreshold: optional(configNumber('mcpLatencyThreshold')),
  fallbackAggressiveness: optional(configNumber('fallbackAggressiveness')),
}
const end = 'By itself at the end of its duration, where it has one'
const once = 'Nothing to undo: it is done once.'

export const leverTable = {
  'reset-breakers': {
    method: 'POST', path: '/admin/circuit-breaker/reset', kind: 'state', component: 'circuit-breaker',
    summary: 'Reset the breakers, all or those of one component', undone: once,
    body: { component: optional(component) },
  },
  'enable-breakers': {
    method: 'POST', path: '/admin/circuit-breaker/enable', kind: 'state', component: 'circuit-breaker',
    summary: 'Switch the breakers on, all or those of one component', undone: `${end}, or with disable-breakers.`,
    body: { component: optional(component) },
  },
  'disable-breakers': {
    method: 'POST', path: '/admin/circuit-breaker/disable', kind: 'state', component: 'circuit-breaker',
    summary: 'Switch the breakers off, all or those of one component: every target is tried, whatever it did before', undone: `${end}, or with enable-breakers.`,
    body: { component: optional(component) },
  },
  'force-mcp': {
    method: 'POST', path: '/admin/routing/force-mcp', kind: 'state', component: 'hybrid-router',
    summary: 'Send every operation that may use MCP there', undone: `${end}, or with end-force.`,
    body: {},
  },
  'force-direct': {
    method: 'POST', path: '/admin/routing/force-direct', kind: 'state', component: 'hybrid-router',
    summary: 'Send every operation that may go direct there', undone: `${end}, or with end-force.`,
    body: {},
  },
  'end-force': {
    method: 'DELETE', path: '/admin/routing/override', kind: 'state', component: 'hybrid-router',
    summary: 'End a forced route', undone: 'With force-mcp or force-direct.',
    body: {},
  },
  'bedrock-percentage': {
    method: 'POST', path: '/admin/routing/bedrock-percentage', kind: 'state', component: 'hybrid-router',
    summary: 'Bring direct back step by step: the share of direct operations that go there first', undone: `${end}, or with 100.`,
    body: { percentage: Type.Integer({ minimum: 0, maximum: 100, description: 'Percent of the operations whose row says direct; emergencies are exempt.' }) },
  },
  'routing-config': {
    method: 'POST', path: '/admin/routing/config', kind: 'state', component: 'hybrid-router',
    summary: 'Change thresholds of the routing', undone: `${end}, or with config-rollback.`,
    body: thresholds,
  },
  fallback: {
    method: 'POST', path: '/admin/routing/fallback', kind: 'state', component: 'hybrid-router',
    summary: 'Start fallbacks at the slightest risk of a miss, or as configured again', undone: `${end}, or with aggressiveFallback: false.`,
    body: { aggressiveFallback: Type.Boolean({ description: 'True: fallbackAggressiveness is 1. False: it is the configured one.' }) },
  },
  optimize: {
    method: 'POST', path: '/admin/routing/optimize', kind: 'act', component: 'hybrid-router',
    summary: 'Propose thresholds by measured data; with apply, set them', undone: `What was applied: ${end.toLowerCase()}, or with config-rollback.`,
    body: {
      targetEfficiency: optional(Type.Number({ minimum: 0, maximum: 1, description: 'The share of optimal decisions that is wanted.' })),
      optimizationMode: optional(Type.Enum([...optimizationModes], { description: 'What to trade for what.' })),
      apply: optional(Type.Boolean({ description: 'Set what is proposed.' })),
    },
  },
  'config-update': {
    method: 'POST', path: '/admin/config/update', kind: 'state', component: 'hybrid-router',
    summary: 'Change timeouts and thresholds', undone: `${end}, or with config-rollback.`,
    body: { directBedrockTimeout: optional(configNumber('directBedrockTimeout')), mcpTimeout: optional(configNumber('mcpTimeout')), ...thresholds },
  },
  'config-rollback': {
    method: 'POST', path: '/admin/config/rollback', kind: 'state', component: 'hybrid-router',
    summary: 'Undo a change of the configuration and all that came after it; without an id, the last one', undone: 'With config-rollback again.',
    body: { id: optional(Type.String({ minLength: 1, maxLength: 64, description: 'The id of the change in the history.' })) },
  },
  'isolate-component': {
    method: 'POST', path: '/admin/emergency/isolate-component', kind: 'state', component: 'hybrid-router',
    summary: 'Send nothing to one component', undone: `${end}, or with restore-component.`,
    body: { component, confirm: optional(Type.Boolean({ description: 'True is needed for the direct client: its isolation fails emergencies.' })) },
  },
  'restore-component': {
    method: 'POST', path: '/admin/emergency/restore-component', kind: 'state', component: 'hybrid-router',
    summary: 'End the isolation of a component', undone: 'With isolate-component.',
    body: { component },
  },
  'enable-emergency': {
    method: 'POST', path: '/admin/emergency/enable', kind: 'state', component: 'hybrid-router',
    summary: 'Emergency mode: low and medium operations are shed as needed, nothing is hedged', undone: `${end}, or with disable-emergency.`,
    body: {},
  },
  'disable-emergency': {
    method: 'POST', path: '/admin/emergency/disable', kind: 'state', component: 'hybrid-router',
    summary: 'End the emergency mode', undone: `${end}, or with enable-emergency.`,
    body: {},
  },
  'enable-maintenance': {
    method: 'POST', path: '/admin/maintenance/enable', kind: 'state', component: 'hybrid-router',
    summary: 'Maintenance: 503 for all but emergencies', undone: `${end}, or with disable-maintenance.`,
    body: {},
  },
  'disable-maintenance': {
    method: 'POST', path: '/admin/maintenance/disable', kind: 'state', component: 'hybrid-router',
    summary: 'End the maintenance', undone: `${end}, or with enable-maintenance.`,
    body: {},
  },
  'test-bedrock': {
    method: 'POST', path: '/admin/bedrock/test', kind: 'act', component: 'direct-bedrock-client',
    summary: 'Check every target: a signed request to the control plane, which costs no tokens', undone: once,
    body: {},
  },
  'suppress-alerts': {
    method: 'POST', path: '/admin/alerts/suppress', kind: 'act', component: 'alert-manager',
    summary: 'Send no notification for some alerts for a time', undone: `${end}.`,
    body: { severity: optional(severities), component: optional(component) },
  },
  'resolve-alerts': {
    method: 'POST', path: '/admin/alerts/bulk-resolve', kind: 'act', component: 'alert-manager',
    summary: 'Resolve all alerts of a component or of severities', undone: 'It is raised again when its condition is still there after a while.',
    body: { component: optional(component), severity: optional(severities) },
  },
  'test-alerts': {
    method: 'POST', path: '/admin/alerts/test', kind: 'act', component: 'alert-manager',
    summary: 'Send a test notification to every receiver', undone: once,
    body: { severity: optional(Type.Enum([...alertSeverities])) },
  },
  'enable-flag': {
    method: 'POST', path: '/admin/feature-flags/:name/enable', kind: 'state', component: 'hybrid-router', pathMember: 'name',
    summary: 'Switch a feature on', undone: `${end}, or with disable-flag.`,
    body: {},
  },
  'disable-flag': {
    method: 'POST', path: '/admin/feature-flags/:name/disable', kind: 'state', component: 'hybrid-router', pathMember: 'name',
    summary: 'Switch a feature off', undone: `${end}, or with enable-flag.`,
    body: {},
  },
  'activate-support': {
    method: 'POST', path: '/admin/support/activate', kind: 'state', component: 'support-manager',
    summary: 'Activate support mode', undone: `${end}, or with deactivate-support.`,
    body: {},
  },
  'deactivate-support': {
    method: 'POST', path: '/admin/support/deactivate', kind: 'state', component: 'support-manager',
    summary: 'Deactivate support mode', undone: `${end}, or with activate-support.`,
    body: {},
  },
  'shutdown-support': {
    method: 'POST', path: '/admin/support/emergency/shutdown', kind: 'state', component: 'support-manager',
    summary: 'Deactivate support mode and switch its flag off, so that nobody activates it by mistake', undone: `${end}, or with enable-flag ENABLE_BEDROCK_SUPPORT_MODE.`,
    body: {},
  },
} as const satisfies Record<string, LeverDefinition>

export type LeverName = keyof typeof leverTable
export const leverNames = Object.keys(leverTable) as readonly LeverName[]

export const commonMembers = {
  reason: optional(Type.String({ minLength: 1, maxLength: leverLimits.reasonCharacters, description: 'Why, for the audit trail.' })),
  duration: optional(Type.Number({ minimum: 1, maximum: leverLimits.durationSeconds, description: 'Seconds after which it undoes itself.' })),
  dryRun: optional(Type.Boolean({ description: 'Say what would change, and change nothing.' })),
}

export function leverBodySchema(name: LeverName): ReturnType<typeof Type.Object> {
  const { summary, body }: LeverDefinition = leverTable[name]
  return Type.Object({ ...body, ...commonMembers }, { additionalProperties: false, description: summary })
}
