/**
 * What a reload does: which members of the new configuration differ from the one in force, which of them take effect at
 * once, which need a restart, and the snapshot that results: the old one with the live members of the new.
 *
 * Members are compared field by field along the schema; a list, a free group or a group that may be `null` is compared as a
 * whole. What changed back to what the process was started with needs no restart any more, since the comparison is with
 * what is in force. The mixture of old and new members is checked like a whole configuration: withdrawing the keys and the
 * public address in one edit must not leave the public address without keys.
 */
import type { FieldError } from '../operation/problem.ts'
import { checkConfig } from './check-config.ts'
import type { SchemaNode } from './fields.ts'
import { memberPath } from './read-config.ts'
import { deepFreeze } from './resolve-config.ts'
import { configNode, type Config } from './schema.ts'

export type ReloadPlan =
  | { readonly kind: 'unchanged' }
  | {
      readonly kind: 'apply'
      readonly config: Config
      /** Paths of the members that take effect now. */
      readonly changed: readonly string[]
      /** Paths of the members that keep their old value until the next start. */
      readonly needsRestart: readonly string[]
    }
  | { readonly kind: 'reject'; readonly errors: readonly FieldError[] }

export function planReload(current: Config, next: Config): ReloadPlan {
  const changed: string[] = []
  const needsRestart: string[] = []
  const merged = merge(configNode, current, next, '', (path, live) => (live ? changed : needsRestart).push(path)) as Config
  if (changed.length === 0 && needsRestart.length === 0) return { kind: 'unchanged' }
  if (changed.length === 0) return { kind: 'apply', config: current, changed, needsRestart }
  const { errors } = checkConfig(merged)
  if (errors.length > 0) {
    const because = `(until a restart, ${needsRestart.join(', ')} ${needsRestart.length === 1 ? 'keeps its' : 'keep their'} old value)`
    return { kind: 'reject', errors: errors.map((error) => ({ path: error.path, message: `${error.message} ${because}` })) }
  }
  return { kind: 'apply', config: deepFreeze(merged), changed, needsRestart }
}

type Members = Readonly<Record<string, unknown>>

function merge(node: SchemaNode, current: unknown, next: unknown, path: string, onChange: (path: string, live: boolean) => void): unknown {
  if (node.properties !== undefined && isMembers(current) && isMembers(next)) {
    const entries = Object.entries(node.properties).flatMap(([name, child]) => {
      const value = merge(child, current[name], next[name], memberPath(path, name), onChange)
      return value === undefined ? [] : [[name, value] as const]
    })
    // The same object where nothing changed, so that readers can tell by identity.
    return entries.length === Object.keys(current).length && entries.every(([name, value]) => value === current[name]) ? current : Object.fromEntries(entries)
  }
  if (isEqual(current, next)) return current
  const live = node['x-reload'] === 'live'
  onChange(path, live)
  return live ? next : current
}

export function isEqual(left: unknown, right: unknown): boolean {
  if (Object.is(left, right)) return true
  if (Array.isArray(left) && Array.isArray(right)) {
    return left.length === right.length && left.every((item, index) => isEqual(item, right[index]))
  }
  if (!isMembers(left) || !isMembers(right)) return false
  const names = Object.keys(left)
  return names.length === Object.keys(right).length && names.every((name) => Object.hasOwn(right, name) && isEqual(left[name], right[name]))
}

function isMembers(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
