import { describe, expect, test } from 'vitest'
import { modelAllowed, regionAllowed } from './allowed-regions.ts'

describe('regions', () => {
  test.each<[region: string, allowed: string[], inside: boolean, why: string]>([
    ['eu-central-1', ['eu-*'], true, 'the pattern holds it'],
    ['us-east-1', ['eu-*'], false, 'no pattern holds it'],
    ['eu-central-1', ['eu-west-1', 'eu-central-1'], true, 'one entry is enough'],
    ['eu-central-11', ['eu-central-1'], false, 'an entry is the whole name'],
    ['us-gov-west-1', ['*-west-1'], true, 'a star may stand first'],
    ['eu-central-1', ['*'], true, 'everything is allowed'],
  ])('%s in %j: %s (%s)', (region, allowed, inside) => {
    expect(regionAllowed(region, allowed)).toBe(inside)
  })
})

describe('models', () => {
  test.each<[modelId: string, allowed: string[], inside: boolean, why: string]>([
    ['anthropic.claude-sonnet-5', ['eu-*'], true, 'a model runs where it is asked'],
    ['amazon.nova-pro-v1:0', ['eu-*'], true, 'a provider is no geography'],
    ['ai21.jamba-1-5-large-v1:0', ['eu-*'], true, 'a provider with digits and dots in the name of the model'],
    ['fault.throttle', ['eu-*'], true, 'the emulator’s faults are models'],
    ['eu.anthropic.claude-sonnet-5', ['eu-*'], true, 'the geography is inside'],
    ['eu.anthropic.claude-sonnet-5', ['eu-central-1'], false, 'the profile also goes to other regions of the geography'],
    ['us.anthropic.claude-sonnet-5', ['eu-*'], false, 'another geography'],
    ['apac.anthropic.claude-sonnet-5', ['ap-*'], true, 'apac is ap-*'],
    ['jp.anthropic.claude-sonnet-5', ['ap-*'], true, 'a part of ap-*'],
    ['jp.anthropic.claude-sonnet-5', ['ap-southeast-*'], false, 'another part of ap-*'],
    ['au.anthropic.claude-sonnet-5', ['ap-southeast-*'], true, 'au is ap-southeast-*'],
    ['in.anthropic.claude-sonnet-5', ['ap-south-*'], true, 'in is ap-south-*'],
    ['in.anthropic.claude-sonnet-5', ['ap-southeast-*'], false, 'south is not southeast'],
    ['us-gov.anthropic.claude-sonnet-5', ['us-*'], true, 'us-* holds us-gov-*'],
    ['global.anthropic.claude-sonnet-5', ['eu-*', 'us-*', 'ap-*'], false, 'global goes anywhere'],
    ['global.anthropic.claude-sonnet-5', ['*'], true, 'anywhere is allowed'],
    ['zz.anthropic.claude-sonnet-5', ['eu-*'], false, 'an unknown geography cannot be placed'],
    ['arn:aws:bedrock:eu-central-1:111122223333:inference-profile/eu.anthropic.claude-sonnet-5', ['eu-*'], true, 'the profile of an ARN'],
    ['arn:aws:bedrock:eu-central-1:111122223333:inference-profile/us.anthropic.claude-sonnet-5', ['eu-*'], false, 'the profile counts, not the region of the ARN'],
    ['arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-sonnet-5', ['eu-*'], false, 'the region of a model’s ARN'],
    ['arn:aws:bedrock:eu-west-1::foundation-model/anthropic.claude-sonnet-5', ['eu-*'], true, 'the region of a model’s ARN is inside'],
    ['arn:aws:bedrock:eu-central-1:111122223333:application-inference-profile/abc', ['eu-*'], false, 'what it copies is not known'],
    ['arn:aws:bedrock:eu-central-1:111122223333:application-inference-profile/abc', ['*'], true, 'anywhere is allowed'],
  ])('%s in %j: %s (%s)', (modelId, allowed, inside) => {
    expect(modelAllowed(modelId, allowed)).toBe(inside)
  })
})
