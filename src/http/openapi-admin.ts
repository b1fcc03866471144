/**
 * The part of the OpenAPI document that describes the levers, alerts, audit trail and operations log. Bodies are the schemas
 * by which the levers validate; each lever says what it changes and how it is undone.
 */
import { auditKinds } from '../audit/audit-record.ts'
import { featureFlagNames } from '../levers/feature-flags.ts'
import { leverBodySchema, leverNames, leverTable, type LeverDefinition } from '../levers/lever-table.ts'
import { alertSeverities } from '../operation/alert-facts.ts'
import { priorities } from '../operation/matrix.ts'
import { operationsLogSchema } from './admin-operations-log.ts'
import { alertNoteSchema, alertStatuses } from './admin-alerts.ts'

interface Described {
  readonly summary: string
  readonly description?: string
  readonly tags: readonly string[]
  readonly parameters?: readonly object[]
  readonly requestBody?: object
  readonly responses: Readonly<Record<string, object>>
}

const text = { type: 'string' }
const flag = { type: 'boolean' }
const instant = { type: 'string', format: 'date-time' }
const instantOrNull = { type: ['string', 'null'], format: 'date-time' }
const textOrNull = { type: ['string', 'null'] }
const list = (items: object): object => ({ type: 'array', items })
const object = (properties: Readonly<Record<string, object>>): object => ({ type: 'object', properties })
const reference = (name: string): object => ({ $ref: `#/components/schemas/${name}` })
const jsonOf = (description: string, schema: object): object => ({ description, content: { 'application/json': { schema } } })
const bodyOf = (schema: object, required: boolean): object => ({ required, content: { 'application/json': { schema } } })
const query = (name: string, schema: object, description: string): object => ({ name, in: 'query', schema, description })

const paging = [query('limit', { type: 'integer', minimum: 1, maximum: 500, default: 50 }, 'A page may be shorter although there is more: `nextCursor` says so.'), query('cursor', text, 'The `nextCursor` of the page before.')]
const auditFilters = [
  query('kind', { enum: auditKinds }, 'Only records of this kind.'),
  query('who', text, 'Only what this key or component did.'),
  query('what', text, 'Only this lever.'),
  query('component', text, 'Only what concerned this component.'),
  query('since', instant, 'Only what happened then or later.'),
  query('until', instant, 'Only what happened until then.'),
]

const override = object({ what: text, value: {}, lever: text, component: text, by: text, automatic: flag, reason: textOrNull, since: instant, until: instantOrNull, auditId: text })

export const adminSchemas: Readonly<Record<string, object>> = {
  DeadLetter: object({
    id: text,
    kind: { enum: ['operation', 'attempt', 'callback', 'unreadable'] },
    operationId: textOrNull,
    priority: { enum: priorities },
    deliveries: { type: 'integer' },
    reason: text,
    diedAt: instant,
    history: list(object({ delivery: { type: 'integer' }, workerId: text, ended: { enum: ['lapsed', 'released', 'dead_lettered'] }, reason: text, at: instant })),
  }),
  LeverAnswer: object({
    lever: { enum: leverNames },
    status: { enum: ['applied', 'unchanged', 'dry_run'] },
    component: text,
    changed: list(object({ what: text, before: {}, after: {} })),
    until: instantOrNull,
    by: text,
    reason: textOrNull,
    notApplied: { ...list(text), description: 'What it leaves as it is: operation types, alerts.' },
    warnings: list(text),
    undo: text,
    auditId: textOrNull,
    audit: { enum: ['written', 'waiting', 'none'], description: '`waiting`: the store is away, and the record is written when it is back.' },
    stored: { ...flag, description: 'Whether other instances and a restart know of it.' },
    result: {},
  }),
  Override: override,
  AuditRecord: object({
    sequence: { type: 'integer' },
    id: text,
    kind: { enum: auditKinds },
    atMs: { type: 'number' },
    lateAtMs: { type: 'number', description: 'When it was written, where the store was away.' },
    who: text,
    what: text,
    component: text,
    reason: textOrNull,
    before: {},
    after: {},
    untilMs: { type: 'number' },
    correlationId: text,
    previous: text,
    hash: { ...text, description: 'SHA-256 over everything but itself and the signature.' },
    signature: text,
  }),
  OperationsLogEntry: object({ id: text, title: text, findings: list(text), actions: list(text), author: text, createdAt: instant }),
}

/** @param problems the answers of every guarded route, those of one with a body, and further ones by code. */
export function adminPaths(problems: {
  readonly guarded: Readonly<Record<string, object>>
  readonly withBody: Readonly<Record<string, object>>
  of(...codes: readonly ('not_found' | 'conflict' | 'overloaded')[]): Readonly<Record<string, object>>
}): Readonly<Record<string, Readonly<Record<string, Described>>>> {
  const paths: Record<string, Record<string, Described>> = {}
  const add = (path: string, method: string, operation: Described): void => {
    paths[path] = { ...paths[path], [method]: operation }
  }
  for (const name of leverNames) {
    const { method, path, summary, undone, component, body, pathMember }: LeverDefinition = leverTable[name]
    const needsBody = Object.values(body).some((member) => !('~optional' in member))
    add(path.replaceAll(/:(\w+)/g, '{$1}'), method.toLowerCase(), {
      summary,
      description: `Lever \`${name}\`; concerns ${component}. Undone: ${undone} On the command line: \`admin ${name}\`.`,
      tags: ['Levers'],
      ...(pathMember === undefined ? {} : { parameters: [{ name: pathMember, in: 'path', required: true, schema: { enum: featureFlagNames } }] }),
      requestBody: bodyOf(leverBodySchema(name), needsBody),
      responses: { '200': jsonOf('What it changed, until when, and what it did not apply to.', reference('LeverAnswer')), ...problems.withBody, ...problems.of('not_found', 'conflict', 'overloaded') },
    })
  }
  const read = (path: string, summary: string, schema: object, tag: string, parameters: readonly object[] = [], more: Readonly<Record<string, object>> = {}): void =>
    add(path, 'get', { summary, tags: [tag], ...(parameters.length === 0 ? {} : { parameters }), responses: { '200': jsonOf('As it is now.', schema), ...problems.guarded, ...more } })

  read('/admin/status', 'All levers in force, with who, why, since and until', object({ timestamp: instant, overrides: list(reference('Override')), modes: { type: 'object' }, flags: { type: 'object' }, resets: list({ type: 'object' }), stored: flag, audit: object({ waiting: { type: 'integer' } }) }), 'Levers')
  read('/admin/feature-flags', 'The feature flags, what each means and who switched it', object({ flags: { type: 'object', propertyNames: { enum: featureFlagNames } } }), 'Levers')
  read('/admin/support/status', 'The support mode, and which parts exist', { type: 'object' }, 'Levers')
  read('/admin/config/history', 'Changes of the configuration, newest first', object({ changes: list(reference('AuditRecord')), nextCursor: textOrNull }), 'Levers', paging, problems.of('overloaded'))
  read('/admin/audit', 'The audit trail, newest first', object({ records: list(reference('AuditRecord')), nextCursor: textOrNull, waiting: { type: 'integer' } }), 'Audit', [...auditFilters, ...paging], problems.of('overloaded'))
  read(
    '/admin/audit/verify',
    'Whether a record was altered, removed, inserted or reordered, and which',
    object({ ok: flag, records: { type: 'integer' }, firstSequence: { type: 'integer' }, lastSequence: { type: 'integer' }, head: { type: ['object', 'null'] }, checkpoint: { type: ['object', 'null'] }, findings: list(object({ kind: text, sequence: { type: 'integer' }, message: text })), waiting: { type: 'integer' } }),
    'Audit',
    [query('sequence', { type: 'integer' }, 'Given with `hash`, a head that a line of the log holds.'), query('hash', text, 'With `sequence`.')],
    problems.of('overloaded'),
  )
  add('/admin/audit/export', 'get', {
    summary: 'The audit trail as JSON Lines, oldest first; the last line is the signed head',
    tags: ['Audit'],
    parameters: auditFilters,
    responses: { '200': { description: 'The file.', content: { 'application/jsonl': { schema: text } } }, ...problems.guarded, ...problems.of('overloaded') },
  })
  read('/admin/dead-letters', 'Messages that no delivery could mend, the oldest first', object({ deadLetters: list(reference('DeadLetter')), nextCursor: textOrNull }), 'Dead letters', paging, problems.of('overloaded'))
  const deadLetterId = [{ name: 'id', in: 'path', required: true, schema: text, description: 'The message’s id.' }]
  add('/admin/dead-letters/{id}/retry', 'post', {
    summary: 'Put a dead letter back with a new life',
    tags: ['Dead letters'],
    parameters: deadLetterId,
    responses: { '200': jsonOf('It is queued.', object({ id: text, status: { enum: ['queued'] } })), ...problems.withBody, ...problems.of('not_found', 'conflict', 'overloaded') },
  })
  add('/admin/dead-letters/{id}', 'delete', {
    summary: 'Drop a dead letter',
    tags: ['Dead letters'],
    parameters: deadLetterId,
    responses: { '200': jsonOf('It is gone.', object({ id: text, status: { enum: ['dropped'] } })), ...problems.guarded, ...problems.of('not_found', 'overloaded') },
  })
  read('/admin/operations-log', 'The operations log, newest first', object({ entries: list(reference('OperationsLogEntry')), nextCursor: textOrNull }), 'Operations log', paging, problems.of('overloaded'))
  add('/admin/operations-log', 'post', {
    summary: 'Add an entry; the author is the holder of the key',
    tags: ['Operations log'],
    requestBody: bodyOf(operationsLogSchema, true),
    responses: { '201': jsonOf('The entry.', reference('OperationsLogEntry')), ...problems.withBody, ...problems.of('overloaded') },
  })
  read('/health/alerts', 'Alerts: the active ones, or those of a status', object({ status: text, timestamp: instant, data: object({ activeAlerts: { type: 'integer' }, alerts: list({ type: 'object' }) }) }), 'Alerts', [
    query('status', { enum: [...alertStatuses, 'all'] }, 'Without it, those that are active.'),
    query('severity', { enum: alertSeverities }, 'Only those of this severity.'),
    query('component', text, 'Only those of this component.'),
  ])
  for (const [what, summary] of [['acknowledge', 'Take over an alert and its incident'], ['resolve', 'Resolve an alert by hand']] as const) {
    add(`/health/alerts/{id}/${what}`, 'post', {
      summary,
      tags: ['Alerts'],
      parameters: [{ name: 'id', in: 'path', required: true, schema: text, description: 'The alert’s id.' }],
      requestBody: bodyOf(alertNoteSchema, false),
      responses: { '200': jsonOf('The alert as it is then.', { type: 'object' }), ...problems.withBody, ...problems.of('not_found', 'conflict') },
    })
  }
  return paths
}
