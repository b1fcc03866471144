/**
 * The tool `execute_operation` on the MCP SDK's server: reads the call, bounds it by its deadline, runs it, reports progress
 * and answers. Text goes out as progress only to a caller that asked for a stream, in the call's `_meta` or with the argument
 * `stream`; every caller that gave a progress token gets signs of life while the model says nothing.
 */
import { McpServer } from '@modelcontextprotocol/server'
import type { ServerContext } from '@modelcontextprotocol/server'
import * as z from 'zod'
import { streamMarker, textMarker } from '../../mcp/stream-events.ts'
import type { CancelSchedule, Clock } from '../../runtime/clock.ts'
import { version } from '../../runtime/version.ts'
import { operationsServerLimits as limits } from '../limits.ts'
import { answerResult, faultResult } from '../tool-answer.ts'
import type { ToolAnswer } from '../tool-answer.ts'
import { readArguments } from '../tool-arguments.ts'
import type { Executions } from './executions.ts'

const inputSchema = z.object({
  operationId: z.string().describe('The key of the operation: a repeat gets the same answer.'),
  operation: z.string().optional().describe('The type of operation, such as standard_analysis.'),
  priority: z.string().optional().describe('critical, high, medium or low.'),
  prompt: z.string().optional().describe('What the user asks.'),
  messages: z.array(z.unknown()).optional().describe('The conversation, as Bedrock Converse spells it; instead of prompt.'),
  system: z.string().optional().describe('The system prompt.'),
  context: z.record(z.string(), z.unknown()).optional().describe('Tenant, user and metadata.'),
  maxTokens: z.number().optional().describe('The longest answer, in tokens.'),
  deadlineMs: z.number().optional().describe('What is left of the caller’s time, in milliseconds.'),
  converse: z.record(z.string(), z.unknown()).optional().describe('The whole Converse request; instead of prompt, messages, system and maxTokens.'),
  stream: z.boolean().optional().describe('Send text as progress while it is written.'),
})

export function createToolServer(executions: Executions, clock: Clock): McpServer {
  const server = new McpServer({ name: 'hybrid-routing-operations', version }, { capabilities: { tools: { listChanged: false } } })
  server.registerTool(
    'execute_operation',
    {
      title: 'Execute an AI operation',
      description: 'Carries out one AI operation with Amazon Bedrock and returns the answer. Idempotent by operationId.',
      inputSchema,
      annotations: { readOnlyHint: true, idempotentHint: true, openWorldHint: true },
    },
    (args, context) => execute(args, context, executions, clock),
  )
  return server
}

async function execute(args: Readonly<Record<string, unknown>>, context: ServerContext, executions: Executions, clock: Clock): Promise<ToolAnswer> {
  const meta = recordOf(context.mcpReq._meta)
  const traceparent = meta['traceparent']
  const read = readArguments(args, typeof traceparent === 'string' ? traceparent : undefined)
  if (!read.ok) return faultResult({ kind: 'validation', retryable: false, message: `The arguments are not valid: ${read.errors.join('; ')}.` })
  const { request, remainingMs } = read.value

  const streamLimits = recordOf(meta[streamMarker])
  const progress = createProgress(context, clock)
  const streaming = progress !== null && (meta[streamMarker] !== undefined || args['stream'] === true)
  const deadline = new AbortController()
  const deadlineMs = clock.monotonicMs() + remainingMs
  let timedOut = false
  const expire = (): void => {
    timedOut = true
    deadline.abort(new Error('the deadline passed'))
  }
  let cancelLimit: CancelSchedule = clock.schedule(deadlineMs, expire)
  const streamMaxMs = limitOf(streamLimits['maxMs'], limits.streamMaxMs)
  let hasContent = false
  const onText = (text: string, index: number): void => {
    if (!hasContent) {
      hasContent = true
      cancelLimit()
      cancelLimit = clock.schedule(clock.monotonicMs() + streamMaxMs, expire)
    }
    progress?.text(text, index)
  }

  const end = await executions.run(request, {
    deadlineMs,
    signal: AbortSignal.any([context.mcpReq.signal, deadline.signal]),
    streamSilenceMs: limitOf(streamLimits['silenceMs'], limits.streamSilenceMs),
    streamMaxMs,
    ...(streaming ? { onText } : {}),
  })
  cancelLimit()
  await progress?.end()
  switch (end.kind) {
    case 'answer':
      return answerResult(end.answer)
    case 'fault':
      return faultResult(end.fault)
    case 'cancelled':
      return faultResult(
        timedOut
          ? { kind: 'timeout', retryable: true, message: 'No answer before the deadline.' }
          : { kind: 'network', retryable: true, message: 'The execution was stopped.' },
      )
  }
}

interface ProgressReport {
  text(text: string, contentBlockIndex: number): void
  /** No more signs of life; resolves when everything reported is on its way, so that the result comes after it. */
  end(): Promise<void>
}

/** Null when the caller did not ask for progress. */
function createProgress(context: ServerContext, clock: Clock): ProgressReport | null {
  const progressToken = context.mcpReq._meta?.progressToken
  if (progressToken === undefined) return null
  let count = 0
  let sent: Promise<void> = Promise.resolve()
  let ended = false
  let cancelSign: CancelSchedule = () => undefined

  const report = (extra: { readonly message?: string; readonly _meta?: Record<string, unknown> }): void => {
    if (ended) return
    count += 1
    const params = { progressToken, progress: count, ...extra }
    // A caller that is gone is told nothing; that it is gone comes as the call's own cancellation.
    const sending = context.mcpReq.notify({ method: 'notifications/progress', params }).catch(() => undefined)
    sent = sent.then(() => sending)
    cancelSign()
    cancelSign = clock.schedule(clock.monotonicMs() + limits.signOfLifeMs, () => report({}))
  }
  cancelSign = clock.schedule(clock.monotonicMs() + limits.signOfLifeMs, () => report({}))

  return {
    text: (text, index) => report({ message: text, _meta: { [textMarker]: index } }),
    async end() {
      ended = true
      cancelSign()
      await sent
    },
  }
}

function limitOf(value: unknown, otherwise: number): number {
  return typeof value === 'number' && value > 0 ? Math.min(value, limits.longestDeadlineMs) : otherwise
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}
