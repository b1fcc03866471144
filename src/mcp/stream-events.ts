/**
 * A streamed answer over MCP, as the events of Bedrock's ConverseStream. Text arrives in progress notifications that carry
 * our marker in `_meta`; the tool's result is the whole answer and the judge: what was not streamed is delivered from it, and
 * text that does not begin with what was streamed is a failure, because it cannot be taken back here.
 *
 * A server that knows nothing of the marker streams nothing: its text arrives as one delta at the end.
 */
import type { Answer, ConverseStreamEvent } from '../operation/converse.ts'

/** In a progress notification's `_meta`: the index of the content block to which its `message` is the next text. */
export const textMarker = 'hybrid-routing/delta'
/** In a call's `_meta`: the caller wants text as it comes; `{ silenceMs, maxMs }` bound the stream after first content. */
export const streamMarker = 'hybrid-routing/stream'
/** In a call's `_meta`: the operation's id, for servers that do not read our arguments. */
export const operationIdMarker = 'hybrid-routing/operation-id'

/** What was streamed so far: the text of each content block, by index. */
export interface StreamedText {
  readonly blocks: ReadonlyMap<number, string>
}

export const nothingStreamed: StreamedText = { blocks: new Map() }

/** The most content blocks that a stream may open: more than any model gives, and a bound for a server gone wild. */
const maxBlocks = 64

/** The text in a progress notification; null when it is an ordinary one, which only shows that the server lives. */
export function textInProgress(progress: { readonly message?: unknown; readonly _meta?: unknown }): { readonly text: string; readonly index: number } | null {
  if (typeof progress.message !== 'string' || progress.message === '') return null
  const meta = progress._meta
  if (typeof meta !== 'object' || meta === null) return null
  const index = (meta as Record<string, unknown>)[textMarker]
  if (typeof index !== 'number' || !Number.isInteger(index) || index < 0 || index >= maxBlocks) return null
  return { text: progress.message, index }
}

export function addText(streamed: StreamedText, text: string, index: number): { readonly streamed: StreamedText; readonly events: readonly ConverseStreamEvent[] } {
  const events: ConverseStreamEvent[] = []
  if (streamed.blocks.size === 0) events.push({ type: 'messageStart', payload: { role: 'assistant' } })
  events.push({ type: 'contentBlockDelta', payload: { contentBlockIndex: index, delta: { text } } })
  const blocks = new Map(streamed.blocks)
  blocks.set(index, (blocks.get(index) ?? '') + text)
  return { streamed: { blocks }, events }
}

/** What is still to be said after the result came; null when the result contradicts what was streamed. */
export function remainingEvents(streamed: StreamedText, answer: Answer): readonly ConverseStreamEvent[] | null {
  const events: ConverseStreamEvent[] = []
  if (streamed.blocks.size === 0) events.push({ type: 'messageStart', payload: { role: 'assistant' } })
  for (const index of streamed.blocks.keys()) if (index >= answer.message.content.length) return null
  for (const [index, block] of answer.message.content.entries()) {
    const said = streamed.blocks.get(index)
    if (block.text === undefined) {
      if (said !== undefined) return null
      events.push(...blockEvents(index, block))
    } else {
      if (!block.text.startsWith(said ?? '')) return null
      const rest = block.text.slice(said?.length ?? 0)
      if (rest !== '') events.push({ type: 'contentBlockDelta', payload: { contentBlockIndex: index, delta: { text: rest } } })
    }
    events.push({ type: 'contentBlockStop', payload: { contentBlockIndex: index } })
  }
  events.push({ type: 'messageStop', payload: { stopReason: answer.stopReason } }, { type: 'metadata', payload: { usage: answer.usage } })
  return events
}

function blockEvents(index: number, block: Answer['message']['content'][number]): readonly ConverseStreamEvent[] {
  if (block.toolUse !== undefined) {
    const { toolUseId, name, input } = block.toolUse
    return [
      { type: 'contentBlockStart', payload: { contentBlockIndex: index, start: { toolUse: { toolUseId, name } } } },
      { type: 'contentBlockDelta', payload: { contentBlockIndex: index, delta: { toolUse: { input: JSON.stringify(input) } } } },
    ]
  }
  if (block.reasoningContent !== undefined) {
    return reasoningDeltas(block.reasoningContent).map((delta) => ({ type: 'contentBlockDelta', payload: { contentBlockIndex: index, delta: { reasoningContent: delta } } }))
  }
  // A block of a kind that is not known here is part of the result; a stream has no event for it.
  return []
}

/** A whole reasoning block nests its text; the stream's delta is flat (API reference, `ReasoningContentBlockDelta`). */
function reasoningDeltas(block: NonNullable<Answer['message']['content'][number]['reasoningContent']>): readonly NonNullable<Answer['message']['content'][number]['reasoningContent']>[] {
  const reasoning = block['reasoningText']
  if (typeof reasoning !== 'object' || reasoning === null || Array.isArray(reasoning)) return [block]
  const { text, signature } = reasoning as { text?: unknown; signature?: unknown }
  const deltas = []
  if (typeof text === 'string') deltas.push({ text })
  if (typeof signature === 'string') deltas.push({ signature })
  return deltas
}
