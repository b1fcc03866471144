/**
 * What is measured: a service that stands between a client and Bedrock. Each subject knows how to start itself in front
 * of the mock upstream and how a client of its own asks it for the same answer; scenarios know neither.
 */
import type { Child, Children } from '../children.ts'
import type { StreamPlan } from '../stream-plan.ts'

export const subjectNames = ['bare', 'portkey', 'hybrid'] as const
export type SubjectName = (typeof subjectNames)[number]

export interface RunningSubject {
  readonly name: SubjectName
  readonly child: Child
  readonly port: number
  /** From the start of the process until it answered. */
  readonly readyMs: number
  /** Whole requests as they go on the wire. */
  readonly answerRequest: string
  streamRequest(plan: StreamPlan): string
}

export interface Subject {
  readonly name: SubjectName
  readonly title: string
  start(children: Children, upstreamPort: number): Promise<RunningSubject>
}

/** How long any subject may take to start; beyond it the run fails. */
export const readyWithinMs = 20_000

/** The same question for all: about as long as an agent's instruction, without what it quotes. */
export const prompt =
  'Check the health of node seven in the infrastructure cluster: compare its load, memory and disk with the last hour, name what stands out, and say in one sentence whether a step is needed.'

export const maxTokens = 512

export function post(port: number, path: string, headers: Readonly<Record<string, string>>, body: object): string {
  const text = JSON.stringify(body)
  const lines = Object.entries({ host: `127.0.0.1:${port}`, 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(text)), ...headers })
  return `POST ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${text}`
}
