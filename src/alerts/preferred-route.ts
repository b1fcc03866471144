/**
 * The runbook's automatic actions ("Alert rules"): MCP is preferred while the direct client is critical for more than 3 min,
 * and standard operations go direct while the MCP router is critical. Which rule prefers what is in the rule table; this
 * decides what follows from all of them, when it is said again, and when it ends.
 *
 * When both routes are broken neither is preferred: the core's own view of what works is better than a preference for one
 * that does not. A condition that is held back behind its cause counts, because holding back concerns people only. The
 * preference has an end and is renewed, so that it ends by itself when nothing evaluates any more.
 *
 * It lasts while the condition is there, and not until the alert is over: what is preferred elsewhere gets no operations,
 * and where a free probe cannot see whether operations are answered nobody would learn that they are again. A relapse within
 * the clearing time is the same alert.
 */
import type { Route } from '../operation/matrix.ts'
import type { ActiveAlert } from './alert.ts'
import type { RoutePreference } from './alert-book.ts'
import type { HeldAlert } from './evaluate.ts'
import { alertLimits } from './limits.ts'
import type { AlertRule } from './rules.ts'

export interface RouteCommand {
  readonly route: Route | null
  readonly reason: string
  readonly untilMs: number
}

export interface PreferenceStep {
  readonly preference: RoutePreference | null
  /** What has to be said; null when what was said still holds. */
  readonly command: RouteCommand | null
}

/** @param active alerts whose condition is there now */
export function nextPreference(before: RoutePreference | null, active: readonly Pick<ActiveAlert, 'rule' | 'component'>[], held: readonly HeldAlert[], rules: readonly AlertRule[], nowMs: number): PreferenceStep {
  const wanted = wantedRoute([...active, ...held], rules)
  if (wanted === null) {
    if (before === null) return { preference: null, command: null }
    return { preference: null, command: { route: null, reason: `no longer: ${before.reason}`, untilMs: nowMs } }
  }
  const isFresh = before !== null && before.route === wanted.route && before.untilMs - nowMs >= alertLimits.preferenceRenewMs
  if (isFresh) return { preference: before, command: null }
  const preference = { ...wanted, untilMs: nowMs + alertLimits.preferenceMs }
  return { preference, command: preference }
}

function wantedRoute(concerned: readonly { readonly rule: string; readonly component: string }[], rules: readonly AlertRule[]): { readonly route: Route; readonly reason: string } | null {
  let wanted: { route: Route; reason: string } | null = null
  for (const { rule, component } of concerned) {
    const route = rules.find((each) => each.name === rule)?.prefer ?? null
    if (route === null) continue
    if (wanted !== null && wanted.route !== route) return null
    wanted ??= { route, reason: `${rule} on ${component}` }
  }
  return wanted
}
