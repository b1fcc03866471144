/**
 * `/admin/dead-letters`: messages that no delivery could mend, for admins. They are shown with their history and without
 * their content; trying one again and dropping one is kept in the audit trail.
 */
import type { FastifyInstance } from 'fastify'
import type { AuditTrail } from '../audit/audit-trail.ts'
import type { DeadLetters, ListedDeadLetter } from '../intake/adapters/dead-letters.ts'
import { isoTime } from '../runtime/iso-time.ts'
import { adminAccess, send, whoOf } from './admin-reply.ts'
import { readAdminQuery, toAdminCursor } from './admin-query.ts'

export interface DeadLettersParts {
  readonly deadLetters: DeadLetters
  readonly audit: Pick<AuditTrail, 'append'>
}

export function registerDeadLetters(app: FastifyInstance, { deadLetters, audit }: DeadLettersParts): void {
  const note = (what: string, id: string, who: string, correlationId: string): void => {
    audit.append({ kind: 'lever', who, what, component: 'message-queue', reason: null, before: { deadLetter: id }, after: null, correlationId })
  }

  app.get('/admin/dead-letters', adminAccess, async (request, reply) => {
    const query = readAdminQuery(request.query, [])
    query.check()
    const letters = await deadLetters.list(query.limit, query.after)
    const last = letters.length === query.limit ? letters.at(-1) : undefined
    return send(reply, { deadLetters: letters.map(shown), nextCursor: last === undefined ? null : toAdminCursor(last.id) })
  })

  app.post<{ Params: { id: string } }>('/admin/dead-letters/:id/retry', adminAccess, async (request, reply) => {
    const { id } = request.params
    await deadLetters.retry(id)
    note('dead-letter-retry', id, whoOf(request), request.exchange.correlationId)
    return send(reply, { id, status: 'queued' })
  })

  app.delete<{ Params: { id: string } }>('/admin/dead-letters/:id', adminAccess, async (request, reply) => {
    const { id } = request.params
    await deadLetters.drop(id)
    note('dead-letter-drop', id, whoOf(request), request.exchange.correlationId)
    return send(reply, { id, status: 'dropped' })
  })
}

function shown({ diedAtMs, history, ...letter }: ListedDeadLetter): object {
  return { ...letter, diedAt: isoTime(diedAtMs), history: history.map(({ atMs, ...record }) => ({ ...record, at: isoTime(atMs) })) }
}
