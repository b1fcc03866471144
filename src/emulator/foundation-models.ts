/**
 * Answers of Bedrock's control plane: which foundation models there are. Source: the service model of Amazon Bedrock,
 * operations ListFoundationModels and GetFoundationModel.
 */
import type { Refusal } from './exceptions.ts'
import { invalid } from './exceptions.ts'
import type { FoundationModel } from './model-id.ts'

/** The region of an ARN where a bearer key names none. */
const defaultRegion = 'us-east-1'

export function listFoundationModels(models: readonly FoundationModel[], query: ReadonlyMap<string, string>, region: string | undefined): string {
  const provider = query.get('byProvider')?.toLowerCase()
  const inferenceType = query.get('byInferenceType')
  const output = query.get('byOutputModality')
  const modelSummaries = models
    .filter((model) => provider === undefined || model.providerName.toLowerCase() === provider)
    .filter((model) => inferenceType === undefined || model.inferenceTypes.some((type) => type === inferenceType))
    .filter(() => output === undefined || output === 'TEXT')
    .filter(() => query.get('byCustomizationType') === undefined)
    .map((model) => details(model, region))
  return JSON.stringify({ modelSummaries })
}

export function getFoundationModel(models: readonly FoundationModel[], identifier: string, region: string | undefined): string | Refusal {
  if (!/^[a-zA-Z0-9.:/_-]{1,2048}$/.test(identifier)) return invalid('The provided model identifier is invalid.')
  const modelId = identifier.startsWith('arn:') ? identifier.slice(identifier.lastIndexOf('/') + 1) : identifier
  const model = models.find((each) => each.modelId === modelId)
  return model === undefined ? { exception: 'ResourceNotFoundException' } : JSON.stringify({ modelDetails: details(model, region) })
}

function details(model: FoundationModel, region: string | undefined): object {
  return {
    modelArn: `arn:aws:bedrock:${region ?? defaultRegion}::foundation-model/${model.modelId}`,
    modelId: model.modelId,
    modelName: model.modelName,
    providerName: model.providerName,
    inputModalities: model.inputModalities,
    outputModalities: ['TEXT'],
    responseStreamingSupported: true,
    customizationsSupported: [],
    inferenceTypesSupported: model.inferenceTypes,
    modelLifecycle: { status: 'ACTIVE' },
  }
}
