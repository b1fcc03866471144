/**
 * What a schema found wrong, in words that name the member, what was given where that may be shown, and what is allowed.
 *
 * Values are shown only where they are numbers, booleans or words of a closed list: everything else may be a prompt. The
 * validator collects a bounded number of errors, so that a hostile body cannot make a hostile answer.
 */
import type { TLocalizedValidationError } from 'typebox/error'
import { OperationError, type FieldError } from '../operation/problem.ts'
import { httpLimits } from './limits.ts'

interface SchemaNode {
  readonly [member: string]: unknown
}

export function invalidRequest(errors: readonly FieldError[], cause?: unknown): OperationError {
  const first = errors[0]
  const detail = first === undefined ? 'The request is not valid.' : `${first.path}: ${first.message}`
  return new OperationError('invalid_request', detail, { errors, ...(cause === undefined ? {} : { cause }) })
}

/** @param root how the whole value is called: `body`, `query`. */
export function fieldErrors(root: string, schema: object, value: unknown, found: readonly TLocalizedValidationError[]): readonly FieldError[] {
  const errors: FieldError[] = []
  const add = (path: string, message: string): void => {
    if (!errors.some((error) => error.path === path)) errors.push({ path, message })
  }
  for (const error of found) {
    const node = follow(schema, error.schemaPath)
    const path = dotted(error.instancePath, root)
    switch (error.keyword) {
      case 'boolean':
        // The same fault as `additionalProperties`, seen from inside.
        break
      case 'required':
        for (const name of error.params.requiredProperties) add(join(path, name, root), 'is required.')
        break
      case 'additionalProperties':
        for (const name of error.params.additionalProperties.slice(0, 8)) {
          add(join(path, name.slice(0, httpLimits.shownCharacters), root), `is not a known member; known are ${namesOf(node)}.`)
        }
        break
      case 'enum':
        add(path, `${shown(valueAt(value, error.instancePath), true)} is not one of ${error.params.allowedValues.map(String).join(', ')}.`)
        break
      case 'minimum':
      case 'maximum':
        add(path, `${shown(valueAt(value, error.instancePath), false)} is not in [${bound(node['minimum'], '-∞')}, ${bound(node['maximum'], '∞')}].`)
        break
      case 'type':
        add(path, `must be ${article(String(error.params.type))}.`)
        break
      case 'minLength':
        add(path, error.params.limit === 1 ? 'must not be empty.' : `must have at least ${String(error.params.limit)} characters.`)
        break
      case 'maxLength':
        add(path, `must have at most ${String(error.params.limit)} characters.`)
        break
      case 'minItems':
        add(path, `must have at least ${String(error.params.limit)} items.`)
        break
      case 'maxItems':
        add(path, `must have at most ${String(error.params.limit)} items.`)
        break
      case 'minProperties':
      case 'maxProperties':
        add(path, node['minProperties'] === 1 && node['maxProperties'] === 1 ? `must hold exactly one of ${namesOf(node)}.` : `must have at most ${String(error.params.limit)} members.`)
        break
      default:
        add(path, `${error.message}.`)
    }
  }
  return errors
}

function follow(schema: object, schemaPath: string): SchemaNode {
  let node: unknown = schema
  for (const step of schemaPath.split('/').slice(1)) {
    if (typeof node !== 'object' || node === null) break
    const next: unknown = (node as SchemaNode)[decodeStep(step)]
    // The last step may name the keyword itself; its schema is what is wanted.
    if (typeof next !== 'object' || next === null) break
    node = next
  }
  return typeof node === 'object' && node !== null ? (node as SchemaNode) : {}
}

function namesOf(node: SchemaNode): string {
  const properties = node['properties']
  return typeof properties === 'object' && properties !== null ? Object.keys(properties).join(', ') : 'none'
}

function valueAt(value: unknown, pointer: string): unknown {
  let current = value
  for (const step of pointer.split('/').slice(1)) {
    if (typeof current !== 'object' || current === null) return undefined
    current = (current as SchemaNode)[decodeStep(step)]
  }
  return current
}

function shown(value: unknown, words: boolean): string {
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return String(value)
  if (words && typeof value === 'string') return JSON.stringify(value.slice(0, httpLimits.shownCharacters))
  return Array.isArray(value) ? 'A list' : `A value of type ${typeof value}`
}

function bound(value: unknown, none: string): string {
  return typeof value === 'number' ? String(value) : none
}

function article(type: string): string {
  return /^[aeio]/.test(type) ? `an ${type}` : `a ${type}`
}

function dotted(pointer: string, root: string): string {
  let path = ''
  for (const step of pointer.split('/').slice(1)) path = join(path === '' ? root : path, decodeStep(step).slice(0, httpLimits.shownCharacters), root)
  return path === '' ? root : path
}

function join(path: string, name: string, root: string): string {
  if (/^\d+$/.test(name)) return `${path}[${name}]`
  return path === root || path === '' ? name : `${path}.${name}`
}

function decodeStep(step: string): string {
  return step.replaceAll('~1', '/').replaceAll('~0', '~')
}
