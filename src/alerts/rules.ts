/**
 * The runbook's alert rules ("Alert rules") as data: condition, time, priority, component, what to do, and where that is
 * described. The configuration may change every member, switch a rule off, and add rules (`config/schema-alerts.ts`).
 *
 * Beside the runbook's table stand two rules for the Alert Manager's own surroundings: a receiver that cannot be notified
 * (told through the others), and a changed configuration that was refused.
 *
 * A rule's role says how it relates to others of the same incident (`root-cause.ts`): a `cause` names what is broken; a
 * `component` says that one is not well; a `symptom` is a figure that suffers from either; a `headline` says how bad it is
 * and is never held back; `independent` alerts have nothing to do with the rest.
 *
 * `clearMs` is the hysteresis: for so long the condition must be away. Health has one of its own (5 good probes), so a
 * minute is enough; rates need two. A component that is degraded by a share of its traffic looks well now and then, by chance:
 * what takes ten minutes to be an alert is over after five without.
 */
import type { AlertPriority } from '../operation/alert-facts.ts'
import type { Route } from '../operation/matrix.ts'
import type { HealthRank } from './readings.ts'

export const levelReadings = ['system_health', 'component_health'] as const
export type LevelReading = (typeof levelReadings)[number]

export const figureReadings = [
  'error_rate',
  'routing_efficiency',
  'fallback_rate',
  'latency_to_target',
  'queue_age_to_requirement',
  'budget_used',
  'health_check_success_rate',
  'cache_hit_rate',
  'notifiers_failing',
  'configuration_rejected',
] as const
export type FigureReading = (typeof figureReadings)[number]

/** Strictly above or below, as the runbook writes `> 5 %`. */
export type Condition =
  | { readonly reading: LevelReading; readonly atLeast: HealthRank }
  | { readonly reading: FigureReading; readonly above: number }
  | { readonly reading: FigureReading; readonly below: number }

export const ruleRoles = ['headline', 'cause', 'component', 'symptom', 'independent'] as const
export type RuleRole = (typeof ruleRoles)[number]

export interface AlertRule {
  readonly name: string
  readonly priority: AlertPriority
  readonly condition: Condition
  /** How long the condition must be there; 0: one tick. */
  readonly forMs: number
  /** How long it must be away before the alert resolves by itself. */
  readonly clearMs: number
  /**
   * How long nothing may be known before the alert resolves. `null`: never, because silence about health is no recovery;
   * a rate without traffic, however, is nothing to wake anybody for.
   */
  readonly silenceClearsMs: number | null
  /** The component of the alert; for readings of several components the one that counts, or `null` for each. */
  readonly component: string | null
  readonly role: RuleRole
  /** What whoever is told should do. */
  readonly action: string
  /** The route that is preferred while the alert lasts: the runbook's automatic action. */
  readonly prefer: Route | null
  /** Where the procedure is described, relative to the documentation. */
  readonly runbook: string
}

const minuteMs = 60_000
const quarterHourMs = 900_000

export const runbookRules: readonly AlertRule[] = Object.freeze([
  {
    name: 'system-down',
    priority: 'P0',
    condition: { reading: 'system_health', atLeast: 'critical' },
    forMs: 2 * minuteMs,
    clearMs: minuteMs,
    silenceClearsMs: null,
    component: 'hybrid-router',
    role: 'headline',
    action: 'Page. Read /health/detailed, reset breakers, enable emergency mode.',
    prefer: null,
    runbook: 'runbook/complete-system-outage.md',
  },
  {
    name: 'high-error-rate',
    priority: 'P0',
    condition: { reading: 'error_rate', above: 0.05 },
    forMs: 5 * minuteMs,
    clearMs: 2 * minuteMs,
    silenceClearsMs: quarterHourMs,
    component: 'hybrid-router',
    role: 'symptom',
    action: 'Page. Read /metrics/error-breakdown and tell timeouts, authentication, throttling and validation apart.',
    prefer: null,
    runbook: 'runbook/high-error-rate.md',
  },
  {
    name: 'direct-bedrock-unavailable',
    priority: 'P0',
    condition: { reading: 'component_health', atLeast: 'critical' },
    forMs: 3 * minuteMs,
    clearMs: minuteMs,
    silenceClearsMs: null,
    component: 'direct-bedrock-client',
    role: 'cause',
    action: 'MCP is preferred for all that may use it. Verify, test Bedrock, bring it back at 10, 50 and 100 %.',
    prefer: 'mcp',
    runbook: 'runbook/critical-component-failure.md',
  },
  {
    name: 'degraded-performance',
    priority: 'P1',
    condition: { reading: 'latency_to_target', above: 2 },
    forMs: 10 * minuteMs,
    clearMs: 2 * minuteMs,
    silenceClearsMs: quarterHourMs,
    component: null,
    role: 'symptom',
    action: 'Notify the on-call engineer. Read /metrics/performance.',
    prefer: null,
    runbook: 'runbook/degraded-performance.md',
  },
  {
    name: 'low-routing-efficiency',
    priority: 'P1',
    condition: { reading: 'routing_efficiency', below: 0.7 },
    forMs: 15 * minuteMs,
    clearMs: 2 * minuteMs,
    silenceClearsMs: quarterHourMs,
    component: 'hybrid-router',
    role: 'symptom',
    action: 'Review the routing decisions: /v1/routing/decisions.',
    prefer: null,
    runbook: 'runbook/efficiency-degradation.md',
  },
  {
    name: 'component-degraded',
    priority: 'P1',
    condition: { reading: 'component_health', atLeast: 'degraded' },
    forMs: 10 * minuteMs,
    clearMs: 5 * minuteMs,
    silenceClearsMs: null,
    component: null,
    role: 'component',
    action: 'Investigate: /health/component/ and its name.',
    prefer: null,
    runbook: 'runbook/component-degraded.md',
  },
  {
    name: 'mcp-router-failure',
    priority: 'P1',
    condition: { reading: 'component_health', atLeast: 'critical' },
    forMs: 0,
    clearMs: minuteMs,
    silenceClearsMs: null,
    component: 'mcp-router',
    role: 'cause',
    action: 'Standard operations go direct. Watch depth and age of the queue.',
    prefer: 'direct',
    runbook: 'runbook/mcp-router-failure.md',
  },
  {
    name: 'fallback-rate',
    priority: 'P2',
    condition: { reading: 'fallback_rate', above: 0.2 },
    forMs: 15 * minuteMs,
    clearMs: 2 * minuteMs,
    silenceClearsMs: quarterHourMs,
    component: 'hybrid-router',
    role: 'symptom',
    action: 'Check the primary path.',
    prefer: null,
    runbook: 'runbook/efficiency-degradation.md',
  },
  {
    name: 'queue-backlog',
    priority: 'P2',
    condition: { reading: 'queue_age_to_requirement', above: 0.5 },
    forMs: 5 * minuteMs,
    clearMs: 2 * minuteMs,
    silenceClearsMs: quarterHourMs,
    component: 'message-queue',
    role: 'symptom',
    action: 'Check the MCP servers and the workers; force direct for a time.',
    prefer: null,
    runbook: 'runbook/mcp-router-failure.md',
  },
  {
    name: 'budget',
    priority: 'P2',
    condition: { reading: 'budget_used', above: 0.8 },
    forMs: 0,
    clearMs: minuteMs,
    silenceClearsMs: null,
    component: 'direct-bedrock-client',
    role: 'independent',
    action: 'Reduce cost: /metrics/cost-breakdown.',
    prefer: null,
    runbook: 'runbook/budget.md',
  },
  {
    name: 'budget-critical',
    priority: 'P0',
    condition: { reading: 'budget_used', above: 0.95 },
    forMs: 0,
    clearMs: minuteMs,
    silenceClearsMs: null,
    component: 'direct-bedrock-client',
    role: 'independent',
    action: 'Reduce cost at once: /metrics/cost-breakdown.',
    prefer: null,
    runbook: 'runbook/budget.md',
  },
  {
    name: 'notifier-failing',
    priority: 'P1',
    condition: { reading: 'notifiers_failing', above: 0 },
    forMs: 0,
    clearMs: minuteMs,
    silenceClearsMs: null,
    component: 'alert-manager',
    role: 'cause',
    action: 'Mend the receiver, then test it: POST /admin/alerts/test.',
    prefer: null,
    runbook: 'runbook/alert-delivery.md',
  },
  {
    name: 'configuration-rejected',
    priority: 'P3',
    condition: { reading: 'configuration_rejected', above: 0 },
    forMs: 0,
    clearMs: 0,
    silenceClearsMs: null,
    component: 'hybrid-router',
    role: 'independent',
    action: 'The old configuration stays in force. Mend the file; the log lists its faults.',
    prefer: null,
    runbook: 'configuration.md',
  },
])
