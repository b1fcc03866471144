/**
 * A component's level from those of its parts, such as the targets of the Direct Bedrock Client: as long as one part can be
 * used the component works, and is degraded when another is not healthy; when no part can be used it is as bad as the best of
 * them. Parts of which nothing is known yet are left out.
 */
import { bestOf, isKnown, isUsable, type HealthLevel } from './health-level.ts'

export interface Part {
  readonly title: string
  readonly level: HealthLevel
  readonly reason: string
}

export function combinedLevel(levels: readonly HealthLevel[]): HealthLevel {
  const [first, ...rest] = levels.filter(isKnown)
  if (first === undefined) return 'unknown'
  const best = bestOf(first, ...rest)
  if (!isUsable(best)) return best
  return [first, ...rest].every((level) => level === 'healthy') ? 'healthy' : 'degraded'
}

/** The reason in words: what is wrong first, and when nothing is, that. */
export function messageOf(parts: readonly Part[]): string {
  const only = parts.length === 1 ? parts[0] : undefined
  if (only !== undefined) return sentence(only.reason)
  const bad = parts.filter((part) => part.level !== 'healthy')
  const good = parts.length - bad.length
  if (bad.length === 0) return `All ${parts.length} are healthy.`
  return `${good} of ${parts.length} healthy; ${bad.map((part) => `${part.title} is ${part.level}: ${part.reason.replace(/\.$/, '')}`).join('; ')}.`
}

function sentence(text: string): string {
  return text === '' || /[.!?]$/.test(text) ? text : `${text}.`
}
