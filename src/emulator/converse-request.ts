/**
 * Reads and checks a Converse request as Bedrock does: the structure of its members, roles that alternate and begin with
 * the user, tool results that answer the tool uses before them. What it refuses, it refuses with the sentence that Bedrock
 * uses where that is known. Source: the service model of Converse, and the documented errors of the API.
 *
 * It never repeats a prompt in an error.
 */
import type { Block, Conversation, Tool, ToolChoice, Turn } from './conversation.ts'
import { invalid, type Refusal } from './exceptions.ts'
import { asArray, asNumber, asObject, asString, type JsonObject } from './json.ts'

export interface ConverseRequest {
  readonly conversation: Conversation
  /** Echoed in the answer, as Bedrock does. */
  readonly serviceTier: JsonObject | undefined
  readonly performanceConfig: JsonObject | undefined
}

const members: ReadonlySet<string> = new Set([
  'messages',
  'system',
  'inferenceConfig',
  'toolConfig',
  'guardrailConfig',
  'additionalModelRequestFields',
  'promptVariables',
  'additionalModelResponseFieldPaths',
  'requestMetadata',
  'performanceConfig',
  'serviceTier',
  'outputConfig',
])

/** What an attachment counts, in tokens: about an image of a megapixel, and about two pages. */
const attachmentTokens: Readonly<Record<string, number>> = { image: 1_400, video: 8_000, audio: 2_000, document: 1_500, searchResult: 500 }

const serviceTiers = ['priority', 'default', 'flex', 'reserved']
const latencyModes = ['standard', 'optimized']

/** The first thing wrong ends the reading: a value that is thrown inside this file only and becomes the return value. */
class Refused extends Error {
  readonly refusal: Refusal
  constructor(message: string) {
    super(message)
    this.refusal = invalid(message)
  }
}

function refuse(message: string): never {
  throw new Refused(message)
}

export function readConverse(modelId: string, body: unknown): ConverseRequest | Refusal {
  try {
    return parse(modelId, body)
  } catch (error) {
    if (error instanceof Refused) return error.refusal
    throw error
  }
}

function parse(modelId: string, body: unknown): ConverseRequest {
  const request = asObject(body) ?? refuse('Malformed input request, please reformat your input and try again.')
  for (const name of Object.keys(request)) if (!members.has(name)) refuse(`Unknown member ${JSON.stringify(name.slice(0, 64))} in the request.`)
  const messages = asArray(request['messages']) ?? refuse("1 validation error detected: Value at 'messages' failed to satisfy constraint: Member must not be null")
  const turns = messages.map(readTurn)
  checkRoles(turns)
  const { tools, toolChoice } = readTools(request['toolConfig'])
  checkToolResults(turns, request['toolConfig'] !== undefined)
  const inference = readInference(request['inferenceConfig'])
  return {
    conversation: { modelId, system: readSystem(request['system']), turns, tools, toolChoice, ...inference },
    serviceTier: readChoice(request['serviceTier'], 'serviceTier', 'type', serviceTiers),
    performanceConfig: readChoice(request['performanceConfig'], 'performanceConfig', 'latency', latencyModes),
  }
}

function readTurn(value: unknown, index: number): Turn {
  const path = `messages.${index}`
  const message = asObject(value) ?? refuse(`The Message object at ${path} is not valid.`)
  const { role } = message
  if (role !== 'user' && role !== 'assistant') {
    refuse(`1 validation error detected: Value at 'messages.${index + 1}.member.role' failed to satisfy constraint: Member must satisfy enum value set: [user, assistant]`)
  }
  const content = asArray(message['content']) ?? refuse(`1 validation error detected: Value at 'messages.${index + 1}.member.content' failed to satisfy constraint: Member must not be null`)
  if (content.length === 0) refuse(`The content field in the Message object at ${path} is empty. Add a ContentBlock object to the content field and try again.`)
  return { role, blocks: content.map((block, position) => readBlock(block, `${path}.content.${position}`)) }
}

function readBlock(value: unknown, path: string): Block {
  const block = asObject(value) ?? refuse(`The ContentBlock object at ${path} is not valid.`)
  const [name, another] = Object.keys(block)
  if (name === undefined || another !== undefined) refuse(`The ContentBlock object at ${path} must set exactly one of its members.`)
  const member = block[name]
  switch (name) {
    case 'text': {
      const text = asString(member) ?? refuse(`The text field in the ContentBlock object at ${path} is not a string.`)
      if (text.trim() === '') refuse(`The text field in the ContentBlock object at ${path} is blank. Add text to the text field, and try again.`)
      return { kind: 'text', text }
    }
    case 'toolUse': {
      const use = asObject(member)
      const id = asString(use?.['toolUseId'])
      const tool = asString(use?.['name'])
      if (id === undefined || id === '' || tool === undefined || tool === '') refuse(`The toolUse block at ${path} needs a toolUseId and a name.`)
      return { kind: 'toolUse', id, name: tool, input: use?.['input'] ?? {} }
    }
    case 'toolResult': {
      const result = asObject(member)
      const id = asString(result?.['toolUseId'])
      const content = asArray(result?.['content'])
      if (id === undefined || id === '' || content === undefined) refuse(`The toolResult block at ${path} needs a toolUseId and content.`)
      return { kind: 'toolResult', id, text: content.map(resultText).join(' '), failed: result?.['status'] === 'error' }
    }
    case 'guardContent':
      return { kind: 'text', text: asString(asObject(asObject(member)?.['text'])?.['text']) ?? ' ' }
    case 'reasoningContent':
    case 'citationsContent':
      return { kind: 'other', tokens: Math.ceil((JSON.stringify(member) ?? '').length / 4) }
    case 'cachePoint':
      return { kind: 'other', tokens: 0 }
    default:
      return { kind: 'other', tokens: attachmentTokens[name] ?? refuse(`Unknown member ${JSON.stringify(name.slice(0, 64))} in the ContentBlock object at ${path}.`) }
  }
}

function resultText(value: unknown): string {
  const block = asObject(value)
  if (block === undefined) return ''
  return asString(block['text']) ?? (block['json'] === undefined ? '[attachment]' : JSON.stringify(block['json']))
}

function checkRoles(turns: readonly Turn[]): void {
  if (turns[0]?.role !== 'user') refuse('A conversation must start with a user message. Try again with a conversation that starts with a user message.')
  for (let index = 1; index < turns.length; index += 1) {
    if (turns[index]?.role === turns[index - 1]?.role) {
      refuse('A conversation must alternate between user and assistant roles. Make sure the conversation alternates between user and assistant roles and try again.')
    }
  }
}

function checkToolResults(turns: readonly Turn[], toolsDefined: boolean): void {
  let asked: readonly string[] = []
  for (const [index, turn] of turns.entries()) {
    const answered = new Set(turn.blocks.flatMap((block) => (block.kind === 'toolResult' ? [block.id] : [])))
    const uses = turn.blocks.flatMap((block) => (block.kind === 'toolUse' ? [block.id] : []))
    if ((answered.size > 0 || uses.length > 0) && !toolsDefined) refuse('The toolConfig field must be defined when using toolUse and toolResult content blocks.')
    const missing = asked.filter((id) => !answered.has(id))
    if (missing.length > 0) refuse(`Expected toolResult blocks at messages.${index}.content for the following Ids: ${missing.map((id) => id.slice(0, 64)).join(', ')}`)
    if (answered.size > asked.length) refuse(`The number of toolResult blocks at messages.${index}.content exceeds the number of toolUse blocks of previous turn.`)
    asked = uses
  }
}

function readSystem(value: unknown): string {
  if (value === undefined) return ''
  const blocks = asArray(value) ?? refuse('The system field is not a list.')
  return blocks
    .map((block, index) => {
      const text = asObject(block)?.['text']
      if (text === undefined) return ''
      if (typeof text !== 'string' || text.trim() === '') refuse(`The text field in the SystemContentBlock object at system.${index} is blank. Add text to the text field, and try again.`)
      return text
    })
    .join('\n')
}

function readInference(value: unknown): Pick<Conversation, 'maxTokens' | 'stopSequences'> {
  if (value === undefined) return { maxTokens: undefined, stopSequences: [] }
  const config = asObject(value) ?? refuse('The inferenceConfig field is not an object.')
  const maxTokens = config['maxTokens']
  if (maxTokens !== undefined && (!Number.isInteger(maxTokens) || Number(maxTokens) < 1)) {
    refuse("1 validation error detected: Value at 'inferenceConfig.maxTokens' failed to satisfy constraint: Member must have value greater than or equal to 1")
  }
  for (const name of ['temperature', 'topP'] as const) {
    const share = config[name]
    if (share !== undefined && (typeof share !== 'number' || share < 0 || share > 1)) {
      refuse(`1 validation error detected: Value at 'inferenceConfig.${name}' failed to satisfy constraint: Member must be between 0 and 1, inclusive`)
    }
  }
  const sequences = config['stopSequences'] === undefined ? [] : (asArray(config['stopSequences']) ?? refuse('The stopSequences field is not a list.'))
  const stopSequences = sequences.map((sequence) =>
    typeof sequence === 'string' && sequence !== '' ? sequence : refuse("1 validation error detected: Value at 'inferenceConfig.stopSequences' failed to satisfy constraint: Member must have length greater than or equal to 1"),
  )
  return { maxTokens: asNumber(maxTokens), stopSequences }
}

function readTools(value: unknown): { readonly tools: readonly Tool[]; readonly toolChoice: ToolChoice } {
  if (value === undefined) return { tools: [], toolChoice: { kind: 'auto' } }
  const config = asObject(value)
  const list = asArray(config?.['tools'])
  if (list === undefined || list.length === 0) {
    refuse("1 validation error detected: Value at 'toolConfig.tools' failed to satisfy constraint: Member must have length greater than or equal to 1")
  }
  const tools = list.flatMap((entry, index): readonly Tool[] => {
    const specification = asObject(asObject(entry)?.['toolSpec'])
    if (specification === undefined) return asObject(entry) === undefined ? refuse(`The Tool object at toolConfig.tools.${index} is not valid.`) : []
    const name = asString(specification['name'])
    const schema = asObject(asObject(specification['inputSchema'])?.['json'])
    if (name === undefined || !/^[a-zA-Z0-9_-]{1,64}$/.test(name)) {
      refuse(`1 validation error detected: Value at 'toolConfig.tools.${index + 1}.member.toolSpec.name' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_-]+`)
    }
    if (schema === undefined || (schema['type'] !== undefined && schema['type'] !== 'object')) {
      refuse(`The value at toolConfig.tools.${index}.toolSpec.inputSchema.json.type must be one of the following: object.`)
    }
    return [{ name, description: asString(specification['description']) ?? '', inputSchema: schema }]
  })
  return { tools, toolChoice: readToolChoice(asObject(config?.['toolChoice']), tools) }
}

function readToolChoice(choice: JsonObject | undefined, tools: readonly Tool[]): ToolChoice {
  if (choice === undefined || 'auto' in choice) return { kind: 'auto' }
  if ('any' in choice) return { kind: 'any' }
  const name = asString(asObject(choice['tool'])?.['name']) ?? refuse('The toolChoice field must set one of auto, any and tool.')
  if (!tools.some((tool) => tool.name === name)) refuse('The tool that toolChoice names is not among toolConfig.tools.')
  return { kind: 'tool', name }
}

function readChoice(value: unknown, field: string, member: string, allowed: readonly string[]): JsonObject | undefined {
  if (value === undefined) return undefined
  const choice = asString(asObject(value)?.[member])
  if (choice === undefined || !allowed.includes(choice)) {
    refuse(`1 validation error detected: Value at '${field}.${member}' failed to satisfy constraint: Member must satisfy enum value set: [${allowed.join(', ')}]`)
  }
  return { [member]: choice }
}
