/**
 * Which alert explains which: an alert is held back while its cause fires, and for the aftermath in which the figures of the
 * last minutes still show it. The runbook asks for grouping by component and root cause; the table is the house's own.
 *
 * A less urgent alert never hides a more urgent one: a P0 is raised behind a P1. A headline (the system is down) is never
 * hidden either; it and a cause that belong together are one incident, and the second of them is an update of the first.
 * It explains the figures of its component as a cause does: that many operations fail is no news then.
 */
import { alertRank, type AlertPriority } from '../operation/alert-facts.ts'
import type { ActiveAlert, ResolvedAlert } from './alert.ts'
import { alertLimits } from './limits.ts'
import type { RuleRole } from './rules.ts'

/** For each component, those whose failure shows in it. A queue backs up when nobody takes from it, so that pair is mutual. */
export const causesAbove: Readonly<Record<string, readonly string[]>> = Object.freeze({
  'hybrid-router': ['direct-bedrock-client', 'mcp-router', 'message-queue'],
  'mcp-router': ['message-queue'],
  'message-queue': ['mcp-router'],
  'circuit-breaker': ['direct-bedrock-client', 'mcp-router'],
  'support-manager': ['hybrid-router'],
  'infrastructure-auditor': ['support-manager'],
  'meta-monitor': ['support-manager'],
  'implementation-support': ['support-manager'],
  'health-checker': ['direct-bedrock-client', 'mcp-router', 'message-queue'],
})

/** Rules that say the same of a figure, more urgently: the less urgent one is held back behind the other. */
const moreUrgentForm: Readonly<Record<string, string>> = Object.freeze({ budget: 'budget-critical' })

/** What stands behind what: an alert is explained by one of a smaller figure on the same component. */
const depth: Readonly<Record<RuleRole, number>> = Object.freeze({ headline: 0, cause: 1, component: 2, symptom: 3, independent: 4 })

export interface Concerned {
  readonly rule: string
  readonly component: string
  readonly priority: AlertPriority
  readonly role: RuleRole
}

/** The component itself is not among them. */
export function allCausesAbove(component: string): ReadonlySet<string> {
  const found = new Set<string>()
  const visit = (name: string): void => {
    for (const above of causesAbove[name] ?? []) {
      if (above === component || found.has(above)) continue
      found.add(above)
      visit(above)
    }
  }
  visit(component)
  return found
}

/** Whether `cause`, while it fires, is the reason not to raise `alert`. */
export function explains(cause: Concerned, alert: Concerned): boolean {
  if (moreUrgentForm[alert.rule] === cause.rule && alert.component === cause.component) return true
  if (alertRank(cause.priority) > alertRank(alert.priority)) return false
  if (alert.role === 'headline' || alert.role === 'independent') return false
  if (cause.role === 'symptom' || cause.role === 'independent') return false
  if (cause.component === alert.component) return depth[cause.role] < depth[alert.role]
  return depth[cause.role] <= depth[alert.role] && allCausesAbove(alert.component).has(cause.component)
}

/** Of several that explain it, the one that says best what is broken: a cause before a component before a headline. */
export function causeAmong<Each extends Concerned>(others: readonly Each[], alert: Concerned): Each | undefined {
  const explaining = others.filter((other) => explains(other, alert))
  return (['cause', 'component', 'headline'] as const).flatMap((role) => explaining.filter((other) => other.role === role))[0] ?? explaining[0]
}

/** The alert among these that explains it: one that is active, or was a cause until moments ago. */
export function explanationOf(alert: Concerned, active: readonly ActiveAlert[], over: readonly ResolvedAlert[], nowMs: number): Concerned | undefined {
  return (
    causeAmong(active, alert) ??
    causeAmong(
      over.filter((other) => other.resolvedAtMs > nowMs - alertLimits.aftermathMs && other.resolvedReason !== 'operator'),
      alert,
    )
  )
}

/** The active alert whose incident this one belongs to: a headline and its cause, in either order, the first no less urgent. */
export function incidentHead(alert: Concerned, active: readonly ActiveAlert[]): ActiveAlert | undefined {
  return active.find((other) => {
    if (alertRank(other.priority) > alertRank(alert.priority)) return false
    if (alert.role === 'cause' && other.role === 'headline') return allCausesAbove(other.component).has(alert.component)
    return alert.role === 'headline' && other.role === 'cause' && allCausesAbove(alert.component).has(other.component)
  })
}
