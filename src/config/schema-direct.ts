/**
 * The configuration of the Direct Bedrock Client: where Amazon Bedrock is asked, with which model and settings, within
 * which times, and at which prices. Part of the one schema (`schema.ts`).
 *
 * The names follow the public contract, part 2. Credentials are never written into the file: the members exist so that
 * the environment has one place where it is read, and accept nothing but a reference to a variable.
 */
import { flag, group, list, named, optional, orNull, real, section, share, text, whole, choice } from './fields.ts'
import { operationTypes, type OperationType } from '../operation/matrix.ts'
import { defaultPrices } from './prices.ts'
import type { TOptional } from 'typebox'

export const idNames = { pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$', form: 'a name of 1 to 64 letters, digits, ".", "_" and "-"' }
export const urlText = { pattern: '^https?://[^\\s@/?#]+([/?][^\\s]*)?$', form: 'an http:// or https:// address without user information' }
/** Bedrock's own bound on a model id or ARN, and the characters that occur in them. */
const modelText = { maxLength: 2_048, pattern: '^[A-Za-z0-9][A-Za-z0-9._:/-]*$', form: 'a model id, inference profile id or ARN' }
export const regionText = { pattern: '^[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}$', form: 'a region such as eu-central-1' }

const target = group(
  {
    id: text({ ...idNames, description: 'The name of the target in results, metrics and breakers.', reload: 'restart' }),
    region: text({ ...regionText, description: 'The AWS region that is asked and signed for.', reload: 'restart' }),
    modelId: text({ ...modelText, description: 'The model or inference profile for operations that name none.', reload: 'restart' }),
    endpoint: orNull(text({ ...urlText, description: '', reload: 'restart' }), {
      description: 'Another address for this target, such as a VPC endpoint or the emulator; `null`: the region’s own.',
      default: null,
      reload: 'restart',
    }),
    operations: orNull(list(choice(operationTypes, { description: '', reload: 'restart' }), { description: '', minItems: 1, maxItems: 7, reload: 'restart' }), {
      description: 'The operation types that may use the target; `null`: all.',
      default: null,
      reload: 'restart',
    }),
  },
  { description: 'One place where Bedrock is asked.', reload: 'restart' },
)

const inference = group(
  {
    modelId: orNull(text({ ...modelText, description: '', reload: 'live' }), {
      description: 'The model for this operation type; `null`: each target’s own.',
      default: null,
      reload: 'live',
    }),
    maxTokens: orNull(whole({ description: '', unit: 'tokens', minimum: 1, maximum: 1_000_000, reload: 'live' }), {
      description: 'The cap on the answer where the request names none; `null`: the model’s own.',
      default: null,
      reload: 'live',
    }),
    temperature: orNull(share({ description: '', reload: 'live' }), {
      description: 'Where the request names none; `null`: the model’s own.',
      default: null,
      reload: 'live',
    }),
    topP: orNull(share({ description: '', reload: 'live' }), {
      description: 'Where the request names none; `null`: the model’s own.',
      default: null,
      reload: 'live',
    }),
    stopSequences: orNull(list(text({ description: '', reload: 'live' }), { description: '', maxItems: 2_500, reload: 'live' }), {
      description: 'Where the request names none; `null`: none.',
      default: null,
      reload: 'live',
    }),
  },
  { description: 'Model and inference settings of one operation type.', reload: 'live' },
)

const attemptTime = (description: string, maximum: number) =>
  orNull(whole({ description: '', unit: 'ms', minimum: 1, maximum, reload: 'live' }), { description, default: null, reload: 'live' })

const secretText = (description: string) =>
  text({ description, maxLength: 16_384, pattern: '^[\\x21-\\x7e]+$', form: 'visible ASCII without spaces', environmentOnly: true, reload: 'restart' })

const perMillion = (description: string) => real({ description, unit: 'per million tokens', minimum: 0, maximum: 1_000_000, reload: 'live' })

export const directSchema = section('The Direct Bedrock Client.', {
  targets: list(target, {
    description: 'Tried by measured health and latency; the first is preferred.',
    default: [],
    maxItems: 64,
    reload: 'restart',
  }),
  allowedRegions: list(
    text({ pattern: '^[a-z0-9*-]{1,64}$', form: 'a region or a pattern such as eu-*', description: 'A region; `*` stands for any characters.', reload: 'restart' }),
    {
      description:
        'Where prompts may go. A target’s region, or an inference profile whose geography is not wholly inside, stops the start; `global.` profiles need `*`.',
      default: ['*'],
      minItems: 1,
      maxItems: 64,
      reload: 'restart',
    },
  ),
  operations: group(
    Object.fromEntries(operationTypes.map((type) => [type, optional(inference)])) as unknown as Record<OperationType, TOptional<typeof inference>>,
    { description: 'Model and inference settings per operation type.', default: {}, reload: 'live' },
  ),
  models: list(text({ ...modelText, description: 'A model or inference profile id.', reload: 'live' }), {
    description: 'Models that a caller may choose with `modelId`, besides those of targets and operations.',
    default: [],
    maxItems: 256,
    reload: 'live',
  }),
  timeouts: section('How long one attempt may take to make progress. The deadline of the operation bounds it in any case.', {
    connectMs: attemptTime('Until the connection stands; `null`: a fifth of the operation’s latency requirement, between 50 ms and 3 s.', 60_000),
    firstByteMs: attemptTime('Until the first byte of the answer; `null`: the operation’s hard timeout.', 3_600_000),
    silenceMs: attemptTime('Between two pieces of an answer; `null`: `routing.streamSilenceMs`, or what that is derived from.', 3_600_000),
  }),
  connections: whole({
    description: 'Open connections per target; further attempts wait for one.',
    unit: 'connections',
    minimum: 1,
    maximum: 65_535,
    default: 1_024,
    reload: 'restart',
  }),
  bearerToken: orNull(secretText(''), {
    description: 'A Bedrock API key; `null`: `AWS_BEARER_TOKEN_BEDROCK` where it is set and no `credentials` are given, else requests are signed.',
    default: null,
    reload: 'restart',
  }),
  credentials: orNull(
    group(
      {
        accessKeyId: secretText('The access key id.'),
        secretAccessKey: secretText('The secret access key.'),
        sessionToken: orNull(secretText(''), { description: 'The session token of temporary credentials.', default: null, reload: 'restart' }),
      },
      { description: '', reload: 'restart' },
    ),
    { description: 'Fixed AWS credentials; `null`: the AWS SDK’s default provider chain.', default: null, reload: 'restart' },
  ),
  prices: group(
    {
      currency: text({ pattern: '^[A-Z]{3}$', form: 'a currency code such as USD', description: 'The currency of the table, ISO 4217.', reload: 'live' }),
      asOf: text({ pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}$', form: 'a date such as 2026-10-05', description: 'The day on which the prices were checked.', reload: 'live' }),
      source: text({ description: 'Where they were checked.', maxLength: 512, reload: 'live' }),
      models: named(
        group(
          {
            inputPerMillion: perMillion('Input tokens.'),
            outputPerMillion: perMillion('Output tokens.'),
            cacheReadPerMillion: optional(perMillion('Tokens read from the prompt cache; absent: as input.')),
            cacheWritePerMillion: optional(perMillion('Tokens written to the prompt cache; absent: as input.')),
          },
          { description: 'The prices of one model.', reload: 'live' },
        ),
        {
          description: 'By model id or inference profile id, exactly as requests name it.',
          names: { pattern: '^[A-Za-z0-9][A-Za-z0-9._:/-]{0,2047}$', form: 'a model id, inference profile id or ARN' },
          reload: 'live',
        },
      ),
    },
    {
      description: 'What the estimated costs are computed with. A table of your own replaces the built-in one as a whole, so that its date and source are true.',
      default: defaultPrices,
      reload: 'live',
    },
  ),
})

export const cloudEndpoint = (description: string) =>
  orNull(text({ ...urlText, description: '', reload: 'restart' }), { description, default: null, reload: 'restart' })

export const enabledFlag = (description: string) => flag({ description, default: false, reload: 'restart' })
