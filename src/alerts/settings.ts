/**
 * What the Alert Manager is told: rules, escalation, storm, and how often it looks. The defaults are the runbook's; the
 * configuration's section `alerts` is read into this by `alertSettings`, which knows its shape and nothing else of the
 * configuration.
 */
import { priorityOf, type AlertPriority, type AlertSeverity } from '../operation/alert-facts.ts'
import type { Route } from '../operation/matrix.ts'
import { runbookEscalation, type EscalationSettings } from './escalation.ts'
import { healthRanks, type HealthRank } from './readings.ts'
import { levelReadings, runbookRules, type AlertRule, type Condition, type FigureReading, type LevelReading, type RuleRole } from './rules.ts'
import { runbookStorm, type StormSettings } from './storm.ts'

export interface AlertSettings {
  /** Whose alerts these are, in every `dedupKey` and message. */
  readonly deployment: string
  readonly tickMs: number
  readonly rules: readonly AlertRule[]
  readonly escalation: EscalationSettings
  readonly storm: StormSettings
}

export const defaultTickMs = 5_000

export const runbookSettings: AlertSettings = Object.freeze({ deployment: 'hybrid-routing', tickMs: defaultTickMs, rules: runbookRules, escalation: runbookEscalation, storm: runbookStorm })

/** A condition as the configuration writes it. */
export interface ConditionEntry {
  readonly reading: FigureReading | LevelReading
  readonly above: number | null
  readonly below: number | null
  readonly atLeast: HealthRank | null
}

export interface RuleEntry {
  readonly enabled: boolean
  readonly condition: ConditionEntry
  readonly forMs: number
  readonly clearMs: number
  readonly silenceClearsMs: number | null
  readonly severity: AlertSeverity
  readonly component: string | null
  readonly role: RuleRole
  readonly action: string
  readonly prefer: Route | null
  readonly runbook: string
}

/** The part of the configuration's section `alerts` that this needs. */
export interface AlertEntries {
  readonly deployment: string
  readonly tickMs: number
  readonly rules: Readonly<Record<string, RuleEntry>>
  readonly additionalRules: readonly (RuleEntry & { readonly name: string })[]
  readonly escalation: {
    readonly chain: readonly { readonly name: string; readonly afterMs: number; readonly severities: readonly AlertSeverity[] }[]
    readonly respondWithinMs: Readonly<Record<AlertSeverity, number | null>>
    readonly businessHours: { readonly timeZone: string; readonly days: readonly number[]; readonly endMinutes: number }
  }
  readonly storm: StormSettings
}

export function alertSettings(entries: AlertEntries): AlertSettings {
  const named = [...Object.entries(entries.rules).map(([name, entry]) => ({ ...entry, name })), ...entries.additionalRules]
  const { chain, respondWithinMs, businessHours } = entries.escalation
  const within: Record<AlertPriority, number | null> = { P0: respondWithinMs.critical, P1: respondWithinMs.high, P2: respondWithinMs.medium, P3: respondWithinMs.low }
  return {
    deployment: entries.deployment,
    tickMs: entries.tickMs,
    rules: named.flatMap((entry) => (entry.enabled ? ruleOf(entry) : [])),
    escalation: { chain: chain.map(({ name, afterMs, severities }) => ({ name, afterMs, priorities: severities.map(priorityOf) })), respondWithinMs: within, businessHours },
    storm: entries.storm,
  }
}

/** What is wrong with a condition in words, or null. */
export function conditionFault(entry: ConditionEntry): string | null {
  const given = (['above', 'below', 'atLeast'] as const).filter((member) => entry[member] !== null)
  const isLevel = (levelReadings as readonly string[]).includes(entry.reading)
  if (isLevel && (given.length !== 1 || given[0] !== 'atLeast')) return `${entry.reading} needs atLeast, one of ${healthRanks.join(', ')}, and neither above nor below`
  if (!isLevel && (given.length !== 1 || given[0] === 'atLeast')) return `${entry.reading} needs exactly one of above and below, and no atLeast`
  return null
}

function ruleOf(entry: RuleEntry & { readonly name: string }): readonly AlertRule[] {
  const condition = conditionOf(entry.condition)
  if (condition === null) return []
  const { name, forMs, clearMs, silenceClearsMs, component, role, action, prefer, runbook } = entry
  return [{ name, priority: priorityOf(entry.severity), condition, forMs, clearMs, silenceClearsMs, component, role, action, prefer, runbook }]
}

function conditionOf({ reading, above, below, atLeast }: ConditionEntry): Condition | null {
  if (isLevelReading(reading)) return atLeast === null ? null : { reading, atLeast }
  if (above !== null) return { reading, above }
  return below === null ? null : { reading, below }
}

function isLevelReading(reading: FigureReading | LevelReading): reading is LevelReading {
  return (levelReadings as readonly string[]).includes(reading)
}

