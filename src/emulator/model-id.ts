/**
 * What a model identifier names: a foundation model, an inference profile of one, an ARN of either, or one of the
 * emulator's own `fault.KIND` models. Also which foundation models this emulated account may use.
 *
 * An id is accepted when it is in the catalogue, when the emulator's options add it, or when it belongs to a family that
 * Bedrock serves: a fixed list would age faster than the software that is tested against it. Sources: the model-id
 * parameter of the Bedrock Runtime API, the prefixes of cross-region inference profiles, the format of Bedrock's ARNs.
 */
import { invalid, type Refusal } from './exceptions.ts'

/** Prefixes of cross-region inference profiles. */
const profilePrefixes: ReadonlySet<string> = new Set(['us', 'us-gov', 'eu', 'apac', 'jp', 'au', 'ca', 'in', 'sa', 'global'])

/** Which body InvokeModel speaks is decided by who made the model. */
export type ModelFamily = 'anthropic' | 'nova' | 'generic'

export type ModelReference =
  | { readonly kind: 'model'; readonly modelId: string; readonly family: ModelFamily; readonly profile: string | undefined }
  | { readonly kind: 'fault'; readonly modelId: string; readonly family: ModelFamily; readonly faultName: string }

export interface FoundationModel {
  readonly modelId: string
  readonly modelName: string
  readonly providerName: string
  readonly inferenceTypes: readonly ('ON_DEMAND' | 'INFERENCE_PROFILE')[]
  readonly inputModalities: readonly ('TEXT' | 'IMAGE' | 'VIDEO')[]
}

const claude = (modelId: string, modelName: string): FoundationModel => ({
  modelId,
  modelName,
  providerName: 'Anthropic',
  inferenceTypes: ['INFERENCE_PROFILE'],
  inputModalities: ['TEXT', 'IMAGE'],
})

const nova = (modelId: string, modelName: string, inputModalities: FoundationModel['inputModalities']): FoundationModel => ({
  modelId,
  modelName,
  providerName: 'Amazon',
  inferenceTypes: ['ON_DEMAND', 'INFERENCE_PROFILE'],
  inputModalities,
})

/** What ListFoundationModels shows unless the options add to it. */
export const defaultFoundationModels: readonly FoundationModel[] = [
  claude('anthropic.claude-haiku-4-5-20251001-v1:0', 'Claude Haiku 4.5'),
  claude('anthropic.claude-sonnet-4-5-20250929-v1:0', 'Claude Sonnet 4.5'),
  claude('anthropic.claude-sonnet-4-6', 'Claude Sonnet 4.6'),
  claude('anthropic.claude-sonnet-5', 'Claude Sonnet 5'),
  claude('anthropic.claude-opus-4-8', 'Claude Opus 4.8'),
  nova('amazon.nova-micro-v1:0', 'Nova Micro', ['TEXT']),
  nova('amazon.nova-lite-v1:0', 'Nova Lite', ['TEXT', 'IMAGE', 'VIDEO']),
  nova('amazon.nova-pro-v1:0', 'Nova Pro', ['TEXT', 'IMAGE', 'VIDEO']),
]

const servedFamilies =
  /^(?:anthropic\.claude|amazon\.(?:nova|titan)|meta\.llama|mistral\.|cohere\.(?:command|embed|rerank)|ai21\.(?:jamba|j2)|deepseek\.|qwen\.|openai\.gpt-oss|writer\.palmyra|moonshot\.|minimax\.|nvidia\.|google\.gemma|zai\.)[a-z0-9.:-]*$/

const arnPattern = /^arn:aws(?:-[a-z]+)*:bedrock:([a-z0-9-]*):(\d{12})?:([a-z-]+)\/(.+)$/

const invalidIdentifier = invalid('The provided model identifier is invalid.')

export function resolveModel(identifier: string, additional: readonly string[] = []): ModelReference | Refusal {
  if (identifier.length === 0 || identifier.length > 2_048) return invalidIdentifier
  if (!identifier.startsWith('arn:')) return resolveName(identifier, additional) ?? invalidIdentifier
  const [, , , resourceType, name] = arnPattern.exec(identifier) ?? []
  if (resourceType === undefined || name === undefined) return invalidIdentifier
  switch (resourceType) {
    case 'foundation-model':
    case 'inference-profile':
      return resolveName(name, additional) ?? { exception: 'ResourceNotFoundException' }
    case 'application-inference-profile':
    case 'provisioned-model':
    case 'custom-model-deployment':
    case 'imported-model':
      // Such a resource has a random name; that the account owns it cannot be told from here.
      return additional.includes(identifier) || /^[a-z0-9]{1,63}$/.test(name)
        ? { kind: 'model', modelId: identifier, family: 'anthropic', profile: undefined }
        : { exception: 'ResourceNotFoundException' }
    default:
      return invalidIdentifier
  }
}

function resolveName(name: string, additional: readonly string[]): ModelReference | undefined {
  const dot = name.indexOf('.')
  const prefix = dot > 0 ? name.slice(0, dot) : ''
  const profile = profilePrefixes.has(prefix) ? prefix : undefined
  const modelId = profile === undefined ? name : name.slice(dot + 1)
  if (modelId.startsWith('fault.')) return { kind: 'fault', modelId, family: 'anthropic', faultName: modelId.slice('fault.'.length) }
  if (!additional.includes(modelId) && !additional.includes(name) && !servedFamilies.test(modelId)) return undefined
  return { kind: 'model', modelId, family: familyOf(modelId), profile }
}

function familyOf(modelId: string): ModelFamily {
  if (modelId.startsWith('anthropic.')) return 'anthropic'
  return modelId.startsWith('amazon.nova') ? 'nova' : 'generic'
}

export function isRefusal(value: object): value is Refusal {
  return 'exception' in value
}
