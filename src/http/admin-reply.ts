/**
 * What the operators' routes have in common: who may use them, who used them, and how they answer.
 */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { principalOf } from './principal-of.ts'

export const adminAccess = { config: { access: 'admin' as const } }

/** For the record: the key's name. */
export function whoOf(request: FastifyRequest): string {
  return principalOf(request).name
}

export function send(reply: FastifyReply, body: object): FastifyReply {
  return reply.header('content-type', 'application/json; charset=utf-8').send(JSON.stringify(body))
}
