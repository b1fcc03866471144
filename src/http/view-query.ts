/**
 * The query of every view of figures: `?window=5m` (24 hours unless given) and `?scope=instance` (all instances of the store
 * unless given). Garbage is refused by name.
 */
import { defaultWindow, parseWindow, windowForm } from '../metrics/metric-window.ts'
import type { Scope } from '../metrics/metrics-recorder.ts'
import type { FieldError } from '../operation/problem.ts'
import { httpLimits } from './limits.ts'
import { invalidRequest } from './validation-errors.ts'

export interface ViewQuery {
  /** As the caller wrote it. */
  readonly window: string
  readonly windowMs: number
  readonly scope: Scope
}

const known = ['window', 'scope']

export function readViewQuery(query: unknown): ViewQuery {
  const given = (query ?? {}) as Readonly<Record<string, unknown>>
  const errors: FieldError[] = Object.keys(given)
    .filter((name) => !known.includes(name))
    .slice(0, 8)
    .map((name) => ({ path: name.slice(0, httpLimits.shownCharacters), message: `is not a known parameter; known are ${known.join(', ')}.` }))
  const { window = defaultWindow, scope = 'all' } = given
  const windowMs = typeof window === 'string' ? parseWindow(window) : null
  if (windowMs === null) errors.push({ path: 'window', message: `${shown(window)} is not ${windowForm}.` })
  if (scope !== 'all' && scope !== 'instance') errors.push({ path: 'scope', message: `${shown(scope)} is not one of all, instance.` })
  if (errors.length > 0 || windowMs === null) throw invalidRequest(errors)
  return { window: String(window), windowMs, scope: scope === 'instance' ? 'instance' : 'all' }
}

function shown(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value.slice(0, httpLimits.shownCharacters)) : 'A parameter that is given more than once'
}
