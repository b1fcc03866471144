/**
 * `/admin/operations-log`: what the people on call found and did (runbook, "Morning health check"). The author is the
 * holder of the key.
 */
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import type { OperationsLog } from '../audit/operations-log.ts'
import { asStoreProblem } from '../levers/levers.ts'
import { adminAccess, send, whoOf } from './admin-reply.ts'
import { readAdminQuery, toAdminCursor } from './admin-query.ts'
import { fieldErrors, invalidRequest } from './validation-errors.ts'

/** Characters of one text, and texts of one list: a page of notes, not a log file. */
const noteCharacters = 4_000
const notes = 100

const note = Type.String({ minLength: 1, maxLength: noteCharacters })
const noteOrNotes = (description: string): ReturnType<typeof Type.Union> => Type.Union([Type.Array(note, { maxItems: notes }), note], { description })

export const operationsLogSchema = Type.Object(
  {
    title: Type.String({ minLength: 1, maxLength: 200, description: 'In one line.' }),
    findings: Type.Optional(noteOrNotes('What was found: a text, or a list of them.')),
    actions: Type.Optional(noteOrNotes('What was done about it: a text, or a list of them.')),
  },
  { additionalProperties: false, description: 'An entry of the operations log.' },
)

const validator = Compile(operationsLogSchema)

export function registerOperationsLog(app: FastifyInstance, log: OperationsLog): void {
  app.post('/admin/operations-log', adminAccess, async (request, reply) => {
    const body: unknown = request.body ?? {}
    if (!validator.Check(body)) throw invalidRequest(fieldErrors('body', operationsLogSchema, body, validator.Errors(body)))
    const { title, findings, actions } = body as { readonly title: string; readonly findings?: string | readonly string[]; readonly actions?: string | readonly string[] }
    try {
      return send(reply.code(201), await log.add({ title, findings: listOf(findings), actions: listOf(actions) }, whoOf(request), request.exchange.correlationId))
    } catch (error) {
      throw asStoreProblem(error)
    }
  })

  app.get('/admin/operations-log', adminAccess, async (request, reply) => {
    const query = readAdminQuery(request.query, [])
    query.check()
    try {
      const { entries, after } = await log.list(query.limit, query.after)
      return send(reply, { entries, nextCursor: after === undefined ? null : toAdminCursor(after) })
    } catch (error) {
      throw asStoreProblem(error)
    }
  })
}

function listOf(value: string | readonly string[] | undefined): readonly string[] {
  if (value === undefined) return []
  return typeof value === 'string' ? [value] : value
}
