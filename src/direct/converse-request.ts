/**
 * The request that goes to Bedrock: its path and its body. The canonical request already has Converse's shape, so the body
 * is that request with the operation's inference settings filled in where the caller gave none; every other member passes
 * through untouched.
 *
 * A model id is one path segment and is percent-encoded whole, slashes and colons of an ARN included, with the characters
 * that RFC 3986 reserves and `encodeURIComponent` leaves (AWS API reference, "Converse": URI request parameters).
 */
import type { ConverseRequest, InferenceConfig } from '../operation/converse.ts'
import type { OperationSettings } from './settings.ts'

export type ConverseAction = 'converse' | 'converse-stream'

export function conversePath(basePath: string, modelId: string, action: ConverseAction): string {
  return `${basePath}/model/${encodeSegment(modelId)}/${action}`
}

export function encodeSegment(text: string): string {
  return encodeURIComponent(text.toWellFormed()).replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
}

export function converseBody(converse: ConverseRequest, settings: OperationSettings | undefined): string {
  const inferenceConfig = withDefaults(converse.inferenceConfig, settings)
  if (inferenceConfig === converse.inferenceConfig) return JSON.stringify(converse)
  return JSON.stringify({ ...converse, inferenceConfig })
}

function withDefaults(given: InferenceConfig | undefined, settings: OperationSettings | undefined): InferenceConfig | undefined {
  if (settings === undefined) return given
  const defaults: InferenceConfig = {
    ...(settings.maxTokens === undefined ? {} : { maxTokens: settings.maxTokens }),
    ...(settings.temperature === undefined ? {} : { temperature: settings.temperature }),
    ...(settings.topP === undefined ? {} : { topP: settings.topP }),
    ...(settings.stopSequences === undefined ? {} : { stopSequences: settings.stopSequences }),
  }
  if (Object.keys(defaults).length === 0) return given
  return { ...defaults, ...given }
}
