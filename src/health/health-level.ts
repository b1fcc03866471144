/**
 * The five levels of health (runbook, "Components") and how they compare. `unknown` is no rank: it says that nothing was seen
 * yet, which speaks neither for nor against.
 */
export const healthLevels = ['healthy', 'degraded', 'unhealthy', 'critical', 'unknown'] as const
export type HealthLevel = (typeof healthLevels)[number]
export type KnownLevel = Exclude<HealthLevel, 'unknown'>

/** 0 is the best. */
export function rankOf(level: KnownLevel): number {
  return healthLevels.indexOf(level)
}

export function isKnown(level: HealthLevel): level is KnownLevel {
  return level !== 'unknown'
}

/** Whether work should go there: as long as nothing is known against it, it may. */
export function isUsable(level: HealthLevel): boolean {
  return level !== 'unhealthy' && level !== 'critical'
}

export function worstOf(first: KnownLevel, ...others: readonly KnownLevel[]): KnownLevel {
  return others.reduce((worst, level) => (rankOf(level) > rankOf(worst) ? level : worst), first)
}

export function bestOf(first: KnownLevel, ...others: readonly KnownLevel[]): KnownLevel {
  return others.reduce((best, level) => (rankOf(level) < rankOf(best) ? level : best), first)
}
