/**
 * `/admin/audit`: the trail by filters, newest first; its verification; its export as JSON Lines.
 */
import { Readable } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import { auditKinds, type AuditFilter } from '../audit/audit-record.ts'
import type { AuditTrail } from '../audit/audit-trail.ts'
import { asStoreProblem } from '../levers/levers.ts'
import { adminAccess, send } from './admin-reply.ts'
import { readAdminQuery, readInstant, readWord, toAdminCursor, type AdminQuery } from './admin-query.ts'

const filters = ['kind', 'who', 'what', 'component', 'since', 'until'] as const

export function registerAudit(app: FastifyInstance, audit: AuditTrail): void {
  app.get('/admin/audit', adminAccess, async (request, reply) => {
    const query = readAdminQuery(request.query, filters)
    const filter = readFilter(query)
    query.check()
    const page = await fromStore(audit.list(filter, query.limit, query.after === undefined ? undefined : Number(query.after)))
    return send(reply, { records: page.records, nextCursor: page.before === undefined ? null : toAdminCursor(String(page.before)), waiting: audit.waiting() })
  })

  app.get('/admin/audit/verify', adminAccess, async (request, reply) => {
    const query = readAdminQuery(request.query, ['sequence', 'hash'], null)
    const { sequence, hash } = query.texts
    if ((sequence === undefined) !== (hash === undefined)) query.refuse(sequence === undefined ? 'sequence' : 'hash', 'sequence and hash of a logged head are given together.')
    if (sequence !== undefined && !/^\d{1,12}$/.test(sequence)) query.refuse('sequence', 'is not the number of a record.')
    if (hash !== undefined && !/^[0-9a-f]{64}$/.test(hash)) query.refuse('hash', 'is not a hash: 64 hexadecimal digits.')
    query.check()
    return send(reply, await fromStore(audit.verify(sequence === undefined || hash === undefined ? [] : [{ sequence: Number(sequence), hash }])))
  })

  app.get('/admin/audit/export', adminAccess, async (request, reply) => {
    const query = readAdminQuery(request.query, filters, null)
    const filter = readFilter(query)
    query.check()
    const lines = audit.exportLines(filter)
    // The first lines before the answer begins: a store that is away is then a 503 and not half a file.
    const first = await fromStore(lines.next())
    return reply.header('content-type', 'application/jsonl; charset=utf-8').header('content-disposition', 'attachment; filename="audit.jsonl"').send(Readable.from(continued(first, lines)))
  })
}

async function* continued(first: IteratorResult<string, unknown>, rest: AsyncGenerator<string>): AsyncGenerator<string> {
  if (first.done === true) return
  yield first.value
  yield* rest
}

function readFilter(query: AdminQuery<(typeof filters)[number]>): AuditFilter {
  const kind = readWord(query, 'kind', auditKinds)
  const sinceMs = readInstant(query, 'since')
  const untilMs = readInstant(query, 'until')
  const { who, what, component } = query.texts
  return {
    ...(kind === undefined ? {} : { kind }),
    ...(who === undefined ? {} : { who }),
    ...(what === undefined ? {} : { what }),
    ...(component === undefined ? {} : { component }),
    ...(sinceMs === undefined ? {} : { sinceMs }),
    ...(untilMs === undefined ? {} : { untilMs }),
  }
}

async function fromStore<Value>(reading: Promise<Value>): Promise<Value> {
  try {
    return await reading
  } catch (error) {
    throw asStoreProblem(error)
  }
}
