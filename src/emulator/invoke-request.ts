/**
 * Reads the bodies of InvokeModel, whose format belongs to the model's maker: Anthropic's Messages format, Amazon Nova's
 * (which is close to Converse), and for every other maker whatever of `messages`, `prompt` or `inputText` is there.
 *
 * Sources: the model parameters pages of the Amazon Bedrock user guide for Anthropic Claude and Amazon Nova.
 */
import { readConverse } from './converse-request.ts'
import type { Block, Conversation, Tool, ToolChoice, Turn } from './conversation.ts'
import { invalid, type Refusal } from './exceptions.ts'
import { asArray, asNumber, asObject, asString, type JsonObject } from './json.ts'
import type { ModelFamily } from './model-id.ts'

const malformed = invalid('Malformed input request, please reformat your input and try again.')

export function readInvoke(modelId: string, family: ModelFamily, body: unknown): Conversation | Refusal {
  const request = asObject(body)
  if (request === undefined) return malformed
  switch (family) {
    case 'anthropic':
      return readAnthropic(modelId, request)
    case 'nova':
      return readNova(modelId, request)
    case 'generic':
      return readGeneric(modelId, request)
  }
}

function readAnthropic(modelId: string, request: JsonObject): Conversation | Refusal {
  if (asString(request['anthropic_version']) === undefined) return invalid('anthropic_version: Field required')
  const maxTokens = asNumber(request['max_tokens'])
  if (maxTokens === undefined) return invalid('max_tokens: Field required')
  if (!Number.isInteger(maxTokens) || maxTokens < 1) return invalid('max_tokens: must be greater than or equal to 1')
  const messages = asArray(request['messages'])
  if (messages === undefined) return invalid('messages: Field required')
  const turns: Turn[] = []
  for (const [index, value] of messages.entries()) {
    const message = asObject(value)
    const role = message?.['role']
    if (message === undefined || (role !== 'user' && role !== 'assistant')) return invalid(`messages.${index}.role: Input should be 'user' or 'assistant'`)
    const blocks = anthropicBlocks(message['content'])
    if (blocks === undefined || blocks.length === 0) return invalid(`messages.${index}.content: Field required`)
    const previous = turns.at(-1)
    // Anthropic joins consecutive turns of one role.
    if (previous?.role === role) turns[turns.length - 1] = { role, blocks: [...previous.blocks, ...blocks] }
    else turns.push({ role, blocks })
  }
  if (turns[0]?.role !== 'user') return invalid('messages: first message must use the "user" role')
  const tools = (asArray(request['tools']) ?? []).flatMap((entry): readonly Tool[] => {
    const tool = asObject(entry)
    const name = asString(tool?.['name'])
    return name === undefined ? [] : [{ name, description: asString(tool?.['description']) ?? '', inputSchema: tool?.['input_schema'] }]
  })
  const system = request['system']
  return {
    modelId,
    system: asString(system) ?? (asArray(system) ?? []).map((block) => asString(asObject(block)?.['text']) ?? '').join('\n'),
    turns,
    tools,
    toolChoice: anthropicToolChoice(asObject(request['tool_choice'])),
    maxTokens,
    stopSequences: strings(request['stop_sequences']),
  }
}

function anthropicBlocks(content: unknown): readonly Block[] | undefined {
  const text = asString(content)
  if (text !== undefined) return text === '' ? [] : [{ kind: 'text', text }]
  return asArray(content)?.map((value): Block => {
    const block = asObject(value) ?? {}
    switch (block['type']) {
      case 'text':
        return { kind: 'text', text: asString(block['text']) ?? '' }
      case 'tool_use':
        return { kind: 'toolUse', id: asString(block['id']) ?? '', name: asString(block['name']) ?? '', input: block['input'] }
      case 'tool_result': {
        const result = block['content']
        const resultText = asString(result) ?? (asArray(result) ?? []).map((part) => asString(asObject(part)?.['text']) ?? '[attachment]').join(' ')
        return { kind: 'toolResult', id: asString(block['tool_use_id']) ?? '', text: resultText, failed: block['is_error'] === true }
      }
      default:
        return { kind: 'other', tokens: 1_400 }
    }
  })
}

function anthropicToolChoice(choice: JsonObject | undefined): ToolChoice {
  const name = asString(choice?.['name'])
  switch (choice?.['type']) {
    case 'any':
      return { kind: 'any' }
    case 'none':
      return { kind: 'none' }
    case 'tool':
      return name === undefined ? { kind: 'any' } : { kind: 'tool', name }
    default:
      return { kind: 'auto' }
  }
}

/** Nova's body has Converse's members under the same names, and a few of its own. */
function readNova(modelId: string, request: JsonObject): Conversation | Refusal {
  const { schemaVersion: _schemaVersion, inferenceConfig, ...rest } = request
  const config = asObject(inferenceConfig)
  const maxTokens = config?.['maxTokens'] ?? config?.['max_new_tokens']
  const known = {
    ...(maxTokens === undefined ? {} : { maxTokens }),
    ...(config?.['temperature'] === undefined ? {} : { temperature: config['temperature'] }),
    ...(config?.['topP'] === undefined ? {} : { topP: config['topP'] }),
    ...(config?.['stopSequences'] === undefined ? {} : { stopSequences: config['stopSequences'] }),
  }
  const read = readConverse(modelId, { ...rest, inferenceConfig: known })
  return 'exception' in read ? read : read.conversation
}

function readGeneric(modelId: string, request: JsonObject): Conversation | Refusal {
  const config = asObject(request['textGenerationConfig'])
  const prompt = asString(request['prompt']) ?? asString(request['inputText'])
  const turns: readonly Turn[] = prompt === undefined ? messagesOf(request['messages']) : [{ role: 'user', blocks: [{ kind: 'text', text: prompt }] }]
  if (turns.length === 0) return malformed
  return {
    modelId,
    system: '',
    turns,
    tools: [],
    toolChoice: { kind: 'none' },
    maxTokens: asNumber(request['max_tokens']) ?? asNumber(request['max_gen_len']) ?? asNumber(request['max_completion_tokens']) ?? asNumber(config?.['maxTokenCount']),
    stopSequences: strings(request['stop'] ?? request['stop_sequences'] ?? config?.['stopSequences']),
  }
}

function messagesOf(value: unknown): readonly Turn[] {
  return (asArray(value) ?? []).flatMap((entry): readonly Turn[] => {
    const message = asObject(entry)
    const content = message?.['content']
    const text = asString(content) ?? (asArray(content) ?? []).map((part) => asString(asObject(part)?.['text']) ?? '').join(' ')
    return text === '' ? [] : [{ role: message?.['role'] === 'assistant' ? 'assistant' : 'user', blocks: [{ kind: 'text', text }] }]
  })
}

function strings(value: unknown): readonly string[] {
  const one = asString(value)
  if (one !== undefined) return [one]
  return (asArray(value) ?? []).flatMap((entry) => (typeof entry === 'string' ? [entry] : []))
}
