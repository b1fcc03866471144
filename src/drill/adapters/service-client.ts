/**
 * Submits the operations of a drill to a running service over HTTP, as a caller would, and measures what the caller sees.
 * Attempts are counted from the service's own events, since a failure's problem details do not list them.
 */
import { Agent, request } from 'undici'
import type { SystemEvent } from '../../operation/system-event.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { EventStream } from '../../runtime/event-stream.ts'
import { promptOf, type Contestant, type DrillAnswer, type DrillItem } from '../contestant.ts'

export interface DrilledService {
  readonly url: string
  readonly events: EventStream<SystemEvent>
  stop(): Promise<void>
}

interface Counts {
  attempts: number
  hedges: number
  servedMs: number
}

/** Connections to the service: more than any drill has operations in flight. */
const connections = 2_048

export function createServiceContestant(name: string, service: DrilledService, clock: Clock): Contestant {
  const agent = new Agent({ connections, pipelining: 1, headersTimeout: 0, bodyTimeout: 0 })
  const counts = new Map<string, Counts>()
  let trips = 0
  const countsOf = (correlationId: string): Counts => {
    const known = counts.get(correlationId)
    if (known !== undefined) return known
    const fresh = { attempts: 0, hedges: 0, servedMs: 0 }
    counts.set(correlationId, fresh)
    return fresh
  }
  const unsubscribe = service.events.subscribe((event) => {
    if (event.type === 'breaker_tripped') trips += 1
    else if (event.type === 'attempt_started') {
      const its = countsOf(event.operation.correlationId)
      its.attempts += 1
      if (event.reason === 'hedge') its.hedges += 1
    } else if (event.type === 'attempt_ended' && event.record.outcome === 'succeeded') countsOf(event.operation.correlationId).servedMs = event.record.durationMs
  })

  return {
    name,
    async submit(item) {
      const seen = await send(agent, service.url, item, clock)
      const its = countsOf(item.label)
      counts.delete(item.label)
      return { ...seen, ...its }
    },
    trips: () => trips,
    async close() {
      unsubscribe()
      await agent.destroy()
      await service.stop()
    },
  }
}

type Seen = Omit<DrillAnswer, keyof Counts>

async function send(agent: Agent, url: string, item: DrillItem, clock: Clock): Promise<Seen> {
  const streaming = item.mode === 'stream'
  const sentAtMs = clock.monotonicMs()
  const sinceMs = (): number => clock.monotonicMs() - sentAtMs
  const response = await request(`${url}/v1/operations`, {
    dispatcher: agent,
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-correlation-id': item.label },
    body: JSON.stringify({ operation: item.type, prompt: promptOf(item.label), maxTokens: item.outputTokens, mode: item.mode }),
  })
  if (streaming && response.statusCode === 200) return readStream(response.body, item, sinceMs)
  const body = (await response.body.json()) as Answered
  const latencyMs = sinceMs()
  const answered = response.statusCode === 200 && body.status === 'succeeded'
  return { answered, latencyMs, refused: isRefusal(body.code), wrong: answered && !isRight(body, item) }
}

interface Answered {
  readonly status?: unknown
  readonly code?: string
  readonly output?: { readonly text?: string } | null
  readonly usage?: { readonly outputTokens?: number } | null
  readonly error?: { readonly code?: string }
}

function isRefusal(code: string | undefined): boolean {
  return code === 'overloaded'
}

/** Its own length, and at the MCP place its own name; the emulator's text is cut before it comes to the name. */
function isRight(result: Answered, item: DrillItem): boolean {
  const text = result.output?.text ?? ''
  const named = /Drill [a-z]+-\d+/.exec(text)?.[0]
  return text !== '' && result.usage?.outputTokens === item.outputTokens && (named === undefined || named === `Drill ${item.label}`)
}

async function readStream(body: AsyncIterable<Buffer>, item: DrillItem, sinceMs: () => number): Promise<Seen> {
  let rest = ''
  let text = ''
  let firstMs: number | null = null
  const decoder = new TextDecoder()
  for await (const chunk of body) {
    rest += decoder.decode(chunk, { stream: true })
    const events = rest.split('\n\n')
    rest = events.pop() ?? ''
    for (const event of events) {
      const name = /^event: ?(.*)$/m.exec(event)?.[1]
      const data = /^data: ?(.*)$/m.exec(event)?.[1]
      if (name === undefined || data === undefined) continue
      const value = JSON.parse(data) as Answered & { readonly text?: string; readonly restart?: boolean }
      if (name === 'delta') {
        firstMs ??= sinceMs()
        text += value.text ?? ''
      } else if (name === 'attempt' && value.restart === true) text = ''
      else if (name === 'error') return { answered: false, latencyMs: sinceMs(), refused: isRefusal(value.code), wrong: false }
      else if (name === 'result') {
        const answered = value.status === 'succeeded'
        const latencyMs = answered && firstMs !== null ? firstMs : sinceMs()
        return { answered, latencyMs, refused: isRefusal(value.error?.code), wrong: answered && !(isRight(value, item) && text === value.output?.text) }
      }
    }
  }
  return { answered: false, latencyMs: sinceMs(), refused: false, wrong: false }
}
