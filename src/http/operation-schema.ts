/**
 * The body of `POST /v1/operations` as JSON Schema: the one source of its validation and of its page in the OpenAPI document.
 * Members of Bedrock's Converse request stand under their own names (API reference, `API_runtime_Converse`); what the
 * service only passes on is left free, so that a value AWS adds tomorrow needs no change here. Content blocks are not free:
 * one of an unknown kind would fail at the upstream after it was paid for.
 *
 * Rules between members (prompt or messages, short forms) are in `operation-request.ts`.
 */
import { Type, type Static } from 'typebox'
import { operationTypes, priorities } from '../operation/matrix.ts'

/** Members of Bedrock's union `ContentBlock`. */
const contentBlockMembers = [
  'image',
  'document',
  'video',
  'audio',
  'toolUse',
  'toolResult',
  'guardContent',
  'cachePoint',
  'reasoningContent',
  'citationsContent',
  'searchResult',
] as const

const freeObject = (description: string) => Type.Record(Type.String(), Type.Unknown(), { description })
const text = Type.String({ minLength: 1 })

const contentBlock = Type.Object(
  { text: Type.Optional(text), ...Object.fromEntries(contentBlockMembers.map((member) => [member, Type.Optional(freeObject('As Bedrock describes it.'))])) },
  { additionalProperties: false, minProperties: 1, maxProperties: 1, description: 'Exactly one member of Bedrock’s ContentBlock.' },
)

const systemBlock = Type.Object(
  { text: Type.Optional(text), guardContent: Type.Optional(freeObject('As Bedrock describes it.')), cachePoint: Type.Optional(freeObject('As Bedrock describes it.')) },
  { additionalProperties: false, minProperties: 1, maxProperties: 1, description: 'Exactly one member of Bedrock’s SystemContentBlock.' },
)

const maxTokens = Type.Integer({ minimum: 1, maximum: 1_000_000, description: 'The longest answer, in tokens.' })
const temperature = Type.Number({ minimum: 0, maximum: 1 })

export const operationSchema = Type.Object(
  {
    operation: Type.Enum([...operationTypes], { description: 'The type: it decides route, priority and limits in time.' }),
    prompt: Type.Optional(Type.String({ minLength: 1, description: 'A single user message; or give `messages`.' })),
    messages: Type.Optional(
      Type.Array(
        Type.Object(
          { role: Type.Enum(['user', 'assistant']), content: Type.Array(contentBlock, { minItems: 1, maxItems: 1_000 }) },
          { additionalProperties: false },
        ),
        { minItems: 1, maxItems: 10_000, description: 'A conversation in Converse’s form; or give `prompt`.' },
      ),
    ),
    system: Type.Optional(Type.Array(systemBlock, { minItems: 1, maxItems: 1_000 })),
    inferenceConfig: Type.Optional(
      Type.Object(
        {
          maxTokens: Type.Optional(maxTokens),
          temperature: Type.Optional(temperature),
          topP: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
          stopSequences: Type.Optional(Type.Array(text, { maxItems: 2_500 })),
        },
        { additionalProperties: false },
      ),
    ),
    toolConfig: Type.Optional(freeObject('The tools that the model may call.')),
    guardrailConfig: Type.Optional(freeObject('The guardrail to apply.')),
    additionalModelRequestFields: Type.Optional(Type.Unknown({ description: 'Inference parameters of one model family.' })),
    additionalModelResponseFieldPaths: Type.Optional(Type.Array(Type.String({ minLength: 1, maxLength: 256 }), { maxItems: 10 })),
    promptVariables: Type.Optional(freeObject('Variables of a managed prompt.')),
    requestMetadata: Type.Optional(Type.Record(Type.String(), Type.String({ maxLength: 256 }), { maxProperties: 16 })),
    performanceConfig: Type.Optional(freeObject('`{ "latency": "standard" | "optimized" }`')),
    serviceTier: Type.Optional(freeObject('`{ "type": "priority" | "default" | "flex" | "reserved" }`')),
    outputConfig: Type.Optional(freeObject('The form of the answer.')),
    modelId: Type.Optional(Type.String({ minLength: 1, maxLength: 2_048, description: 'One of the configured models.' })),
    maxTokens: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000, description: 'Short for `inferenceConfig.maxTokens`.' })),
    temperature: Type.Optional(Type.Number({ minimum: 0, maximum: 1, description: 'Short for `inferenceConfig.temperature`.' })),
    mode: Type.Optional(Type.Enum(['sync', 'stream', 'async'], { description: '`sync` where absent; with `Accept: text/event-stream`, `stream`.' })),
    latencyMs: Type.Optional(Type.Number({ minimum: 1, maximum: 600_000, description: 'A tighter latency requirement, in ms.' })),
    priority: Type.Optional(Type.Enum([...priorities], { description: 'Lower than the matrix’s; higher with an admin key.' })),
    context: Type.Optional(
      Type.Object(
        {
          tenant: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
          userId: Type.Optional(Type.String({ minLength: 1, maxLength: 256 })),
          metadata: Type.Optional(Type.Record(Type.String(), Type.String({ maxLength: 512 }), { maxProperties: 32, description: 'At most 32 texts, kept with the operation.' })),
        },
        { additionalProperties: false },
      ),
    ),
    repeatable: Type.Optional(Type.Boolean({ description: 'False: what was sent is never sent again.' })),
    callbackUrl: Type.Optional(Type.String({ minLength: 1, maxLength: 2_048, description: 'An https (or loopback http) address that is told the result.' })),
  },
  { additionalProperties: false, description: 'An operation.' },
)

export type OperationBody = Static<typeof operationSchema>
