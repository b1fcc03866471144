/**
 * What describes the service: `/openapi.json`, a page of it for people, and a page for each problem code. All of it is
 * public, made at the start from the schemas and the catalogue, and complete without a network or a script.
 */
import type { FastifyInstance } from 'fastify'
import { OperationError, problemCodes } from '../operation/problem.ts'
import { pageHeaders } from './answer-headers.ts'
import { openApiDocument } from './openapi.ts'
import { openApiPage } from './openapi-page.ts'
import { problemPage } from './problem-reference.ts'

export function registerReference(app: FastifyInstance, parts: { readonly version: string }): void {
  const access = { config: { access: 'public' as const } }
  let document: string | undefined
  let page: string | undefined
  // Made when first asked for: most processes are never asked.
  const documentText = (): string => (document ??= JSON.stringify(openApiDocument(parts.version)))

  app.get('/openapi.json', access, (_request, reply) => {
    reply.header('content-type', 'application/json; charset=utf-8').send(documentText())
  })
  app.get('/docs', access, (_request, reply) => {
    reply.headers(pageHeaders).send((page ??= openApiPage(openApiDocument(parts.version))))
  })
  app.get<{ Params: { code: string } }>('/problems/:code', access, (request, reply) => {
    const code = problemCodes.find((known) => known === request.params.code)
    if (code === undefined) throw new OperationError('not_found', `There is no problem code of this name; known are ${problemCodes.join(', ')}.`)
    reply.headers(pageHeaders).send(problemPage(code))
  })
}
