/**
 * The answer to a conversation: made from its words alone, so that the same request has the same answer on every machine,
 * and plainly synthetic, so that nobody takes it for a model's. Long enough to stream; `maxTokens`, stop sequences and tools
 * are respected as Bedrock documents them.
 */
import type { Answer, AnswerBlock, Conversation, StopReason } from './conversation.ts'
import { toolArguments } from './tool-arguments.ts'
import { chooseTool, currentQuestion, textOf, type Question } from './tool-choice.ts'
import { countTokens, splitTokens } from './tokens.ts'

/** How long answers are, in tokens, unless the request's `maxTokens` is less. */
export interface AnswerLength {
  readonly minTokens: number
  readonly maxTokens: number
}

/** About a short paragraph: some twenty to fifty events of a stream. */
export const defaultAnswerLength: AnswerLength = { minTokens: 60, maxTokens: 150 }

/** What the framing of a turn and of a tool costs besides its words. */
const tokensPerTurn = 4
const tokensPerTool = 12

const opening = 'This is a synthetic answer of the AWS emulator; no model was asked.'

const sentences = [
  'The text is made from the words of the request, so the same request gives the same answer every time.',
  'Its length is chosen so that a stream of it has a beginning, a middle and an end.',
  'Nothing in it is advice, and nothing in it was looked up anywhere.',
  'A real model would now weigh what was asked and explain what follows from it.',
  'The counts of tokens that come with it are plausible, and they agree with CountTokens.',
  'A slow network, a busy region or a failing model can be injected with a fault rule.',
  'What stands here serves to fill the wire, and to be recognised when it arrives.',
  'Whoever reads this in production has pointed a service at an emulator.',
  'The next sentence is drawn from the same short list by the same small generator.',
  'Words are cheap here, which is the whole point of an emulator.',
] as const

export function answerFor(conversation: Conversation, length: AnswerLength = defaultAnswerLength): Answer {
  const question = currentQuestion(conversation.turns)
  const seed = seedOf(conversation, question)
  const inputTokens = countInput(conversation)
  const tool = chooseTool(conversation)
  if (tool === undefined) return textAnswer(conversation, composeText(conversation, question, length, seed), inputTokens)

  const input = toolArguments(tool.inputSchema, question.text)
  const inputTokensOfCall = splitTokens(JSON.stringify(input))
  const preface = splitTokens(`Synthetic answer: this calls for the tool ${tool.name}.`)
  const outputTokens = preface.length + inputTokensOfCall.length
  if (conversation.maxTokens !== undefined && conversation.maxTokens < outputTokens) {
    return textAnswer(conversation, preface.join(''), inputTokens, 'max_tokens')
  }
  const blocks: readonly AnswerBlock[] = [
    { kind: 'text', tokens: preface },
    { kind: 'toolUse', id: `tooluse_${toolUseId(seed)}`, name: tool.name, input, tokens: inputTokensOfCall },
  ]
  return { blocks, stopReason: 'tool_use', stopSequence: undefined, inputTokens, outputTokens }
}

/** What the request counts, as usage and CountTokens say it. */
export function countInput(conversation: Conversation): number {
  let tokens = countTokens(conversation.system)
  for (const turn of conversation.turns) {
    tokens += tokensPerTurn
    for (const block of turn.blocks) {
      switch (block.kind) {
        case 'text':
        case 'toolResult':
          tokens += countTokens(block.text)
          break
        case 'toolUse':
          tokens += countTokens(block.name) + countTokens(JSON.stringify(block.input) ?? '')
          break
        case 'other':
          tokens += block.tokens
          break
      }
    }
  }
  for (const tool of conversation.tools) {
    tokens += tokensPerTool + countTokens(tool.name) + countTokens(tool.description) + countTokens(JSON.stringify(tool.inputSchema) ?? '')
  }
  return tokens
}

function textAnswer(conversation: Conversation, text: string, inputTokens: number, reason: StopReason = 'end_turn'): Answer {
  const stop = firstStop(text, conversation.stopSequences)
  const whole = splitTokens(stop === undefined ? text : text.slice(0, stop.at))
  const limit = conversation.maxTokens ?? Number.POSITIVE_INFINITY
  const tokens = whole.length > limit ? whole.slice(0, limit) : whole
  const cut = tokens.length < whole.length
  const stopReason: StopReason = cut ? 'max_tokens' : stop === undefined ? reason : 'stop_sequence'
  return {
    blocks: [{ kind: 'text', tokens }],
    stopReason,
    stopSequence: cut ? undefined : stop?.sequence,
    inputTokens,
    outputTokens: tokens.length,
  }
}

function firstStop(text: string, sequences: readonly string[]): { readonly at: number; readonly sequence: string } | undefined {
  let first: { at: number; sequence: string } | undefined
  for (const sequence of sequences) {
    const at = sequence === '' ? -1 : text.indexOf(sequence)
    if (at !== -1 && (first === undefined || at < first.at)) first = { at, sequence }
  }
  return first
}

const quotedWords = 16
const quotedCharacters = 160
const quotedResultCharacters = 600

function composeText(conversation: Conversation, question: Question, length: AnswerLength, seed: number): string {
  const parts: string[] = [opening]
  const results = question.calledTools.length > 0 ? lastResults(conversation) : []
  for (const result of results) parts.push(`The tool ${result.failed ? 'failed with' : 'answered'}: ${result.text.slice(0, quotedResultCharacters)}.`)
  const words = question.text.slice(0, quotedCharacters * 4).trim().split(/\s+/)
  const quoted = words.slice(0, quotedWords).join(' ').slice(0, quotedCharacters)
  if (quoted !== '') parts.push(`You asked: "${quoted}${words.length > quotedWords ? ' …' : ''}".`)
  const wanted = length.minTokens + (seed % (length.maxTokens - length.minTokens + 1))
  let tokens = countTokens(parts.join(' '))
  for (let index = 0; tokens < wanted; index += 1) {
    const sentence = sentences[(seed + index * 7) % sentences.length] ?? opening
    parts.push(sentence)
    tokens += countTokens(sentence)
  }
  return parts.join(' ')
}

function lastResults(conversation: Conversation): readonly { readonly text: string; readonly failed: boolean }[] {
  const last = conversation.turns.at(-1)
  return last === undefined ? [] : last.blocks.flatMap((block) => (block.kind === 'toolResult' ? [block] : []))
}

/** As much of the conversation as tells two apart in practice; a prompt may be megabytes. */
const seededCharacters = 4_096

function seedOf(conversation: Conversation, question: Question): number {
  let hash = fnv(0x811c9dc5, conversation.modelId)
  hash = fnv(hash, conversation.system)
  hash = fnv(hash, question.text)
  const last = conversation.turns.at(-1)
  if (last !== undefined) hash = fnv(hash, textOf(last))
  hash = fnv(hash, String(conversation.turns.length))
  return hash >>> 0
}

/** FNV-1a, 32 bits (Fowler, Noll, Vo): small, quick, and well spread over short texts. */
function fnv(start: number, text: string): number {
  let hash = start
  const length = Math.min(text.length, seededCharacters)
  for (let index = 0; index < length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  return hash
}

function toolUseId(seed: number): string {
  let text = ''
  let state = seed
  for (let index = 0; index < 4; index += 1) {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + index
    text += (state >>> 0).toString(36).padStart(7, '0').slice(-6)
  }
  return text.slice(0, 22)
}
