/**
 * The command line's view of a running service: requests with the caller's key, and every way in which the other side can
 * fail turned into one line that says what to do.
 */
import { EventSourceParserStream } from 'eventsource-parser/stream'
import type { Problem } from '../operation/problem.ts'
import { CommandFailure, type Terminal } from './terminal.ts'

/** A service that takes longer than this to send the headers of a plain answer is reported as hanging. */
const answerTimeoutMs = 130_000
/** Longest line of the event stream that is kept: a result with the largest answer fits many times. */
const longestEventCharacters = 16 * 1024 * 1024

export interface ServiceClient {
  /** @param alsoAnswers statuses that are an answer here and no failure: a service that is not well still says how it is */
  getJson(path: string, alsoAnswers?: readonly number[]): Promise<unknown>
  postJson(path: string, body: unknown): Promise<unknown>
  deleteJson(path: string, body: unknown): Promise<unknown>
  getText(path: string): Promise<string>
  postForEvents(path: string, body: unknown, signal: AbortSignal): AsyncIterable<ServiceEvent>
}

export interface ServiceEvent {
  readonly event: string
  readonly data: unknown
}

export function createServiceClient(url: string, terminal: Terminal): ServiceClient {
  const key = terminal.environment['HYBRID_ROUTING_KEY']
  const headers = (accept: string): Record<string, string> => ({
    accept,
    'content-type': 'application/json',
    ...(key === undefined || key === '' ? {} : { authorization: `Bearer ${key}` }),
  })

  const request = async (method: string, path: string, accept: string, body: unknown, signal: AbortSignal, alsoAnswers: readonly number[] = []): Promise<Response> => {
    let response: Response
    try {
      response = await fetch(`${url}${path}`, {
        method,
        headers: headers(accept),
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal,
      })
    } catch (error) {
      if (signal.aborted) throw new CommandFailure(`${url} did not answer in time, or the request was interrupted`, 1, error)
      throw new CommandFailure(`no service answers at ${url}: start one with \`hybrid-routing demo\`, or name another with --url`, 1, error)
    }
    const isAnswer = response.ok || (alsoAnswers.includes(response.status) && response.headers.get('content-type')?.startsWith('application/json') === true)
    if (!isAnswer) throw await failureOf(response)
    return response
  }

  const json = async (method: string, path: string, body?: unknown, alsoAnswers?: readonly number[]): Promise<unknown> => {
    const response = await request(method, path, 'application/json', body, AbortSignal.timeout(answerTimeoutMs), alsoAnswers)
    return response.json()
  }

  return {
    getJson: (path, alsoAnswers) => json('GET', path, undefined, alsoAnswers),
    postJson: (path, body) => json('POST', path, body),
    deleteJson: (path, body) => json('DELETE', path, body),
    getText: async (path) => (await request('GET', path, '*/*', undefined, AbortSignal.timeout(answerTimeoutMs))).text(),
    async *postForEvents(path, body, signal) {
      const response = await request('POST', path, 'text/event-stream', body, signal)
      if (response.body === null) throw new CommandFailure(`${url}${path} answered without a body`)
      const events = response.body
        .pipeThrough(new TextDecoderStream())
        .pipeThrough(new EventSourceParserStream({ maxBufferSize: longestEventCharacters }))
      for await (const message of events) {
        yield { event: message.event ?? 'message', data: JSON.parse(message.data) as unknown }
      }
    },
  }
}

async function failureOf(response: Response): Promise<CommandFailure> {
  const text = await response.text()
  return new CommandFailure(describeProblem(readProblem(text)) ?? `the service answered ${response.status}, not as this service does: is the URL right?`)
}

function readProblem(text: string): Partial<Problem> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && 'code' in value ? (value as Partial<Problem>) : undefined
  } catch {
    // Not JSON: then it is not one of ours, and the caller says so.
    return undefined
  }
}

/** One line: the code, the detail, each field that was wrong and is not in it yet, and the id to look for in the log. */
export function describeProblem(problem: Partial<Problem> | undefined): string | undefined {
  if (problem?.code === undefined) return undefined
  const detail = problem.detail ?? problem.title ?? ''
  const fields = (problem.errors ?? [])
    .map((error) => `${error.path}: ${error.message}`)
    .filter((fault) => !detail.includes(fault))
    .join('; ')
  const where = problem.correlationId === undefined ? '' : ` (correlation id ${problem.correlationId})`
  return `${problem.code}: ${detail}${fields === '' ? '' : ` — ${fields}`}${where}`
}
