/**
 * The arguments of the tool call that carries an operation: those of the public contract, part 5, or what the route's
 * template makes of them.
 *
 * A template is JSON with placeholders: `{{prompt}}`, `{{system}}`, `{{context.userId}}`, `{{metadata.team}}`. A string that
 * is exactly one placeholder becomes the value itself, with its JSON type; inside a longer string the value is written as
 * text, and what is absent as nothing. A member or element that is exactly one placeholder and absent is left out.
 * Replacement happens once: braces that come from a prompt stay braces. It must know neither servers nor tools.
 */
import { textOf } from '../operation/converse.ts'
import type { ContentBlock, JsonObject, JsonValue } from '../operation/converse.ts'
import type { Operation } from '../operation/operation.ts'
import { mcpLimits } from './limits.ts'
import type { McpRoute } from './settings.ts'

/** The placeholders that a template may use; `context.…` and `metadata.…` go one level down. */
export const placeholders = ['operationId', 'operation', 'priority', 'prompt', 'messages', 'system', 'context', 'metadata', 'maxTokens', 'deadlineMs', 'converse'] as const

/** @param remainingMs what is left until the hard timeout. */
export function toolArguments(route: McpRoute, operation: Operation, remainingMs: number): JsonObject {
  const facts = factsOf(operation, remainingMs)
  if (route.template !== null) return fillObject(route.template, facts, 0)
  const { converse, metadata: _metadata, ...contract } = facts
  const given = Object.fromEntries(Object.entries(contract).filter((entry): entry is [string, JsonValue] => entry[1] !== undefined))
  return route.carries === 'converse' ? { ...given, ...(converse === undefined ? {} : { converse }) } : given
}

/** The unknown placeholders of a template, for the configuration's faults; empty when it is good. */
export function unknownPlaceholders(template: JsonValue): readonly string[] {
  const unknown = new Set<string>()
  const visit = (value: JsonValue): void => {
    if (typeof value === 'string') {
      for (const match of value.matchAll(placeholder)) {
        const path = match[1] ?? ''
        const [head = '', ...rest] = path.split('.')
        const deep = head === 'context' || head === 'metadata'
        const known = placeholders.some((name) => name === head)
        if (!known || (!deep && rest.length > 0)) unknown.add(path)
      }
    } else if (isList(value)) value.forEach(visit)
    else if (value !== null && typeof value === 'object') Object.values(value).forEach(visit)
  }
  visit(template)
  return [...unknown]
}

type Facts = Readonly<Record<string, JsonValue | undefined>>

function factsOf(operation: Operation, remainingMs: number): Facts {
  const request = operation.converse
  const system = blocksText(request.system ?? [])
  return {
    operationId: operation.id,
    operation: operation.type,
    priority: operation.priority,
    prompt: promptOf(operation),
    messages: json(request.messages),
    system: system === '' ? undefined : system,
    context: {
      ...(operation.tenant === null ? {} : { tenant: operation.tenant }),
      ...(operation.userId === undefined ? {} : { userId: operation.userId }),
      metadata: operation.metadata,
    },
    metadata: operation.metadata,
    maxTokens: request.inferenceConfig?.maxTokens,
    deadlineMs: Math.max(0, Math.floor(remainingMs)),
    converse: json(request),
  }
}

/** What the user asks now: the text of the last message of theirs. Earlier turns travel in `messages`. */
function promptOf(operation: Operation): string {
  const last = operation.converse.messages.findLast((message) => message.role === 'user')
  return last === undefined ? '' : textOf(last)
}

function blocksText(blocks: readonly ContentBlock[]): string {
  return blocks.map((block) => block.text ?? '').join('')
}

/** The request came as JSON and is sent as JSON: members that are absent stay absent, whatever the types allow. */
function json(value: unknown): JsonValue {
  return value as JsonValue
}

/** `{{ name }}` or `{{ name.member }}`. */
const placeholder = /\{\{\s*([A-Za-z][\w.-]*)\s*\}\}/g
const wholePlaceholder = /^\{\{\s*([A-Za-z][\w.-]*)\s*\}\}$/

function fill(value: JsonValue, facts: Facts, depth: number): JsonValue | undefined {
  if (typeof value === 'string') return fillString(value, facts)
  if (value === null || typeof value !== 'object') return value
  if (depth >= mcpLimits.templateDepth) return undefined
  if (isList(value)) return value.map((element) => fill(element, facts, depth + 1)).filter((element) => element !== undefined)
  return fillObject(value, facts, depth)
}

function fillObject(template: JsonObject, facts: Facts, depth: number): JsonObject {
  const members: [string, JsonValue][] = []
  for (const [member, value] of Object.entries(template)) {
    const filled = fill(value, facts, depth + 1)
    if (filled !== undefined) members.push([member, filled])
  }
  return Object.fromEntries(members)
}

function fillString(template: string, facts: Facts): JsonValue | undefined {
  const whole = wholePlaceholder.exec(template)
  if (whole?.[1] !== undefined) return look(facts, whole[1])
  return template.replace(placeholder, (_text, path: string) => {
    const value = look(facts, path)
    if (value === undefined || value === null) return ''
    return typeof value === 'string' ? value : JSON.stringify(value)
  })
}

function look(facts: Facts, path: string): JsonValue | undefined {
  const [head = '', ...rest] = path.split('.')
  let value: JsonValue | undefined = Object.hasOwn(facts, head) ? facts[head] : undefined
  for (const member of rest) {
    if (value === undefined || value === null || typeof value !== 'object' || isList(value)) return undefined
    value = Object.hasOwn(value, member) ? value[member] : undefined
  }
  return value
}

/** `Array.isArray` does not narrow a read-only array out of a union. */
function isList(value: JsonValue): value is readonly JsonValue[] {
  return Array.isArray(value)
}
