import { describe, expect, it } from 'vitest'
import type { Conversation, ToolChoice, Turn } from './conversation.ts'
import { chooseTool } from './tool-choice.ts'

const tool = (name: string, description: string) => ({ name, description, inputSchema: {} })
const tools = [tool('get_weather', 'Current weather and forecast of a city'), tool('restartServer', 'Reboots a virtual machine'), tool('search', 'Looks documents up in the knowledge base')]
const user = (text: string): Turn => ({ role: 'user', blocks: [{ kind: 'text', text }] })
const called = (name: string): readonly Turn[] => [
  { role: 'assistant', blocks: [{ kind: 'toolUse', id: 'a', name, input: {} }] },
  { role: 'user', blocks: [{ kind: 'toolResult', id: 'a', text: 'done', failed: false }] },
]
const choose = (turns: readonly Turn[], toolChoice: ToolChoice = { kind: 'auto' }): string | undefined =>
  chooseTool({ modelId: '', system: '', turns, tools, toolChoice, maxTokens: undefined, stopSequences: [] } satisfies Conversation)?.name

const sheet: readonly (readonly [string, readonly Turn[], ToolChoice, string | undefined, string])[] = [
  ['What is the weather like?', [], { kind: 'auto' }, 'get_weather', 'a word of the name is enough'],
  ['Please reboot the machine', [], { kind: 'auto' }, 'restartServer', 'two words of the description are enough'],
  ['Restarting the servers now', [], { kind: 'auto' }, 'restartServer', 'camel case and endings do not matter'],
  ['Tell me a joke', [], { kind: 'auto' }, undefined, 'nothing fits'],
  ['Which city is larger?', [], { kind: 'auto' }, undefined, 'one word of a description is chance'],
  ['Tell me a joke', [], { kind: 'any' }, 'get_weather', 'any forces one'],
  ['What is the weather?', [], { kind: 'tool', name: 'search' }, 'search', 'a forced tool goes before a fitting one'],
  ['What is the weather?', [], { kind: 'none' }, undefined, 'none forbids'],
  ['What is the weather?', called('get_weather'), { kind: 'auto' }, undefined, 'it has its result'],
  ['What is the weather?', called('get_weather'), { kind: 'any' }, undefined, 'a loop that always forces must end'],
  ['Check the weather, then restart the server', called('get_weather'), { kind: 'auto' }, 'restartServer', 'the second thing that was asked'],
]

describe('the choice of a tool', () => {
  it.each(sheet)('%s', (prompt, then, choice, expected, rationale) => {
    expect(choose([user(prompt), ...then], choice), rationale).toBe(expected)
  })

  it('a new question may call the same tool again', () => {
    const turns: readonly Turn[] = [user('What is the weather?'), ...called('get_weather'), { role: 'assistant', blocks: [{ kind: 'text', text: 'Sunny.' }] }, user('And the weather tomorrow?')]
    expect(choose(turns)).toBe('get_weather')
  })
})
