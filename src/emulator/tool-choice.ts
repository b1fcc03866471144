/**
 * Whether the emulated model calls a tool, and which: the one whose name and description share the most words with what the
 * user asked. A model understands; this only compares words, but it does so the same way every time.
 *
 * Within one question every tool is called at most once, and when its result is there and no other tool fits, the answer is
 * text. So a loop that runs tools until the model stops asking for them always ends, also where the request forces a tool
 * with every turn.
 */
import type { Conversation, Tool, Turn } from './conversation.ts'

/** Words that say nothing about what a tool does. */
const commonWords: ReadonlySet<string> = new Set(
  'the a an and or of to in on at for from with by is are was be it its this that these those get gets given return returns use used using tool function please can could would you your me my we our what which how will do does have has about into tell give show'.split(
    ' ',
  ),
)

/** One word of the name, or two of the description, make a tool fit. */
const nameWordScore = 2
const descriptionWordScore = 1
const fittingScore = 2

export function chooseTool(conversation: Conversation): Tool | undefined {
  const { tools, toolChoice, turns } = conversation
  if (tools.length === 0 || toolChoice.kind === 'none') return undefined
  const question = currentQuestion(turns)
  const open = tools.filter((tool) => !question.calledTools.includes(tool.name))
  const answered = question.calledTools.length > 0
  if (toolChoice.kind === 'tool' && !answered) return tools.find((tool) => tool.name === toolChoice.name)
  const [best] = open.map((tool) => ({ tool, score: overlap(question.text, tool) })).sort((a, b) => b.score - a.score)
  if (best === undefined) return undefined
  if (best.score >= fittingScore) return best.tool
  return toolChoice.kind === 'any' && !answered ? best.tool : undefined
}

export interface Question {
  /** The user's own words since the assistant last answered with more than a tool call. */
  readonly text: string
  readonly calledTools: readonly string[]
}

export function currentQuestion(turns: readonly Turn[]): Question {
  const calledTools: string[] = []
  for (let index = turns.length - 1; index >= 0; index -= 1) {
    const turn = turns[index]
    if (turn === undefined) break
    if (turn.role === 'assistant') {
      for (const block of turn.blocks) if (block.kind === 'toolUse') calledTools.push(block.name)
      continue
    }
    if (turn.blocks.some((block) => block.kind === 'toolResult')) continue
    return { text: textOf(turn), calledTools }
  }
  return { text: '', calledTools }
}

export function textOf(turn: Turn): string {
  return turn.blocks.flatMap((block) => (block.kind === 'text' ? [block.text] : [])).join('\n')
}

function overlap(question: string, tool: Tool): number {
  const asked = new Set(wordsOf(question))
  const nameWords = new Set(wordsOf(tool.name))
  let score = 0
  for (const word of nameWords) if (asked.has(word)) score += nameWordScore
  for (const word of new Set(wordsOf(tool.description))) if (asked.has(word) && !nameWords.has(word)) score += descriptionWordScore
  return score
}

/** A prompt may be megabytes; what it asks for stands at its beginning or its end. */
const consideredLength = 4_000

function wordsOf(text: string): readonly string[] {
  const considered = text.length <= 2 * consideredLength ? text : `${text.slice(0, consideredLength)} ${text.slice(-consideredLength)}`
  return considered
    .replace(/(\p{Ll})(\p{Lu})/gu, '$1 $2')
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word.length > 2 && !commonWords.has(word))
    .map(stem)
}

/** Enough that "checks", "checked" and "checking" are one word. */
function stem(word: string): string {
  if (word.length > 6 && word.endsWith('ing')) return word.slice(0, -3)
  if (word.length > 5 && word.endsWith('ed')) return word.slice(0, -2)
  return word.length > 4 && word.endsWith('s') ? word.slice(0, -1) : word
}
