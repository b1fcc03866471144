/**
 * The one description of the configuration, in the public contract's names (part 2). From it are made:
 *
 *   the type `Config`              below
 *   validation and defaults        `read-config.ts`
 *   what a reload may change       `reload-plan.ts`
 *   the published JSON Schema      `published-schema.ts` -> docs/hybrid-routing.schema.json
 *   the reference page             `reference-page.ts` -> docs/configuration.md
 *
 * A member with a default is optional in the file and always there in a `Config`. What one member says about another
 * (unique ids, known servers, allowed regions) is in `check-config.ts`.
 *
 * It must not know the environment, the file, or who reads which member.
 */
import type { Static } from 'typebox'
import { choice, flag, group, oneOf, orNull, real, section, tag, text, type SchemaNode, whole } from './fields.ts'
import { limitTable, type LimitName } from './limits.ts'
import { alertsSchema } from './schema-alerts.ts'
import { authSchema } from './schema-auth.ts'
import { cloudEndpoint, directSchema, enabledFlag, regionText } from './schema-direct.ts'
import { healthSchema } from './schema-health.ts'
import { mcpSchema } from './schema-mcp.ts'
import { routingSchema } from './schema-routing.ts'
import { serverSchema } from './schema-server.ts'

/** The least urgent last. */
export const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace'] as const
export type LogLevel = (typeof logLevels)[number]

const limitFields = Object.fromEntries(
  Object.entries(limitTable).map(([name, limit]) => [name, whole({ ...limit, description: `${limit.description} ${limit.reason}`, reload: 'restart' })]),
) as Record<LimitName, ReturnType<typeof whole>>

export const configSchema = section('The configuration of Hybrid Routing.', {
  server: serverSchema,
  auth: authSchema,
  direct: directSchema,
  mcp: mcpSchema,
  store: oneOf(
    [
      group({ engine: tag('memory', 'In the process: gone when it ends.') }, { description: 'Nothing outlives the process.', reload: 'restart' }),
      group(
        {
          engine: tag('sqlite', 'A file on this machine.'),
          path: text({ description: 'The file, relative to the working directory.', default: 'data/hybrid-routing.db', reload: 'restart' }),
          durability: choice(['process', 'power'], {
            description: '`process`: survives the end of the process. `power`: also the loss of power, at the price of waiting for the disk.',
            default: 'process',
            reload: 'restart',
          }),
        },
        { description: 'One instance, survives a restart.', reload: 'restart' },
      ),
      group(
        {
          engine: tag('redis', 'A Redis or Valkey server.'),
          url: text({ description: 'Its address.', pattern: '^rediss?://[^\\s]+$', form: 'a redis:// or rediss:// address', secret: true, reload: 'restart' }),
        },
        { description: 'Several instances share it.', reload: 'restart' },
      ),
    ],
    { description: 'What holds the queue, results, idempotency keys, overrides, alerts and audit.', default: { engine: 'sqlite', path: 'data/hybrid-routing.db', durability: 'process' }, reload: 'restart' },
  ),
  callbacks: section('Callbacks: results posted to the `callbackUrl` of an operation.', {
    secret: orNull(text({ description: '', minLength: 16, maxLength: 1_024, secret: true, reload: 'live' }), {
      description: 'The key of the HMAC in `X-Hybrid-Signature`; better as `${NAME}`. `null`: a `callbackUrl` is refused.',
      default: null,
      reload: 'live',
    }),
    allowPrivateAddresses: flag({ description: 'Whether a callback may reach loopback, private and link-local addresses.', default: false, reload: 'live' }),
    timeoutMs: whole({ description: 'How long one try may take.', unit: 'ms', minimum: 100, maximum: 60_000, default: 10_000, reload: 'live' }),
  }),
  routing: routingSchema,
  limits: section('What the process can be made to hold.', limitFields),
  health: healthSchema,
  metrics: section('Metrics beyond `/metrics`.', {
    budgetPerDay: orNull(real({ description: '', unit: 'currency of the price table', minimum: 0.01, maximum: 1_000_000_000, reload: 'live' }), {
      description: 'What the estimated cost of the last 24 hours is held against: the alert rules on the budget read its share. `null`: no budget.',
      default: null,
      reload: 'live',
    }),
    cloudwatch: section('Amazon CloudWatch.', {
      enabled: enabledFlag('Whether metrics are published there.'),
      region: orNull(text({ ...regionText, description: '', reload: 'restart' }), { description: 'Its region; `null`: that of the first target.', default: null, reload: 'restart' }),
      endpoint: cloudEndpoint('Another address; `null`: the region’s own.'),
      intervalMs: whole({ description: 'Between two publications.', unit: 'ms', minimum: 1_000, maximum: 3_600_000, default: 60_000, reload: 'restart' }),
    }),
  }),
  logs: section('The log.', {
    level: choice(logLevels, { description: 'The least urgent lines that are written.', default: 'info', reload: 'live' }),
    content: flag({ description: 'Whether prompts and answers are logged.', default: false, reload: 'live' }),
    cloudwatch: section('Amazon CloudWatch Logs.', {
      enabled: enabledFlag('Whether lines are shipped there.'),
      endpoint: cloudEndpoint('Another address; `null`: the region’s own.'),
    }),
  }),
  audit: section('The audit trail.', {
    key: orNull(text({ description: '', minLength: 32, maxLength: 1_024, pattern: '^[\\x21-\\x7e]+$', form: 'visible ASCII without spaces', environmentOnly: true, reload: 'restart' }), {
      description: 'What its records are signed with, the same on all instances; `null`: a key that is made once and kept, in a file beside a SQLite store, in a Redis store itself.',
      default: null,
      reload: 'restart',
    }),
    retentionDays: whole({ description: 'How long records are kept; what is older is removed behind a signed checkpoint.', unit: 'days', minimum: 1, maximum: 3_650, default: 400, reload: 'live' }),
  }),
  alerts: alertsSchema,
})

/** The same schema as the reader, the differ and the generators walk it. */
export const configNode = configSchema as unknown as SchemaNode

/** Read-only at every depth, as `deepFreeze` makes it. */
export type DeepReadonly<Value> = Value extends readonly (infer Item)[]
  ? readonly DeepReadonly<Item>[]
  : Value extends object
    ? { readonly [Member in keyof Value]: DeepReadonly<Value[Member]> }
    : Value

/** A valid configuration with every default filled in, frozen. A request keeps the one that it began with. */
export type Config = DeepReadonly<Static<typeof configSchema>>

export type AuthConfig = NonNullable<Config['auth']>
export type ApiKeyConfig = AuthConfig['keys'][number]
export type JwtConfig = NonNullable<AuthConfig['jwt']>
export type RateLimitConfig = NonNullable<AuthConfig['rateLimit']>
export type TlsConfig = NonNullable<Config['server']['tls']>
export type McpServerConfig = Config['mcp']['servers'][string]
export type McpRouteConfig = NonNullable<Config['mcp']['routes']['default']>
